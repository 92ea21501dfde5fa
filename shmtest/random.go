package shmtest

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

// RandomOptions say whom RandomKills kills, and when. The zero value kills 100 of 4.
type RandomOptions struct {
	// Living is how many participants there are at any time, 0 is 4.
	Living int
	// Kills is how many of them are killed, one after another; 0 is 100, or 20 with
	// -short.
	Kills int
	// Pause is the mean time between two kills; 0 is 3 ms. The times are distributed
	// exponentially, up to ten times the mean.
	Pause time.Duration
	// Ledger is where the participants write what they do. With one, nobody is killed before
	// each of the first has written something, and where it took them long to get there the
	// mean pause is longer: else most would die while they start, on a slow machine. nil is
	// without.
	Ledger *Ledger
	// Seed is the seed of chance; 0 takes one from the clock. It is logged.
	Seed uint64
}

// RandomKills keeps participants at work and kills them at random moments. start starts
// the one with a number, counted from 0. Who is alive at the end is dismissed (Dismissed)
// and must exit with 0. It returns who was killed. nil options are the zero
// RandomOptions.
func RandomKills(t testing.TB, o *RandomOptions, start func(n int) *Proc) (killed map[int]bool) {
	t.Helper()
	if o == nil {
		o = &RandomOptions{}
	}
	kills := orDefault(o.Kills, 100)
	if o.Kills == 0 && testing.Short() {
		kills = 20
	}
	seed := o.Seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	mean := orDefault(o.Pause, 3*time.Millisecond)

	type participant struct {
		n int
		*Proc
	}
	living := make([]participant, orDefault(o.Living, 4))
	killed = map[int]bool{}
	began := time.Now()
	for n := range living {
		living[n] = participant{n, start(n)}
	}
	if o.Ledger != nil {
		testenv.Eventually(t, "each of the first participants has written something", func() bool { return o.Ledger.writers(t) >= len(living) })
		mean = max(mean, time.Since(began)/time.Duration(2*len(living)))
		t.Logf("a kill each %v", mean)
	}
	for n := range kills {
		// The moment of a kill is what is random.
		time.Sleep(min(time.Duration(rng.ExpFloat64()*float64(mean)), 10*mean))
		p := &living[rng.IntN(len(living))]
		p.Kill()
		if sig := p.ExitSignal(); sig != syscall.SIGKILL {
			t.Fatalf("participant %d ended before it was killed: %v\n%s", p.n, p.Wait(), p.Stderr())
		}
		p.Release()
		killed[p.n] = true
		*p = participant{len(living) + n, start(len(living) + n)}
	}
	for _, p := range living {
		p.CloseStdin()
	}
	for _, p := range living {
		if err := p.Wait(); err != nil {
			t.Fatalf("participant %d, which was not killed: %v\n%s", p.n, err, p.Stderr())
		}
	}
	return killed
}
