package pshared_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
)

// rusher is DIR WHO: it locks and unlocks without a pause until it is dismissed.
func rusher(args []string) error {
	who, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	p, err := openMatch(args[0], who)
	if err != nil {
		return err
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	for {
		select {
		case <-shmtest.Dismissed():
			return p.s.Close()
		default:
		}
		for range 100 {
			if err := p.turn(context.Background()); err != nil {
				return err
			}
		}
	}
}

// turn takes the lock once.
func (p *side) turn(ctx context.Context) error {
	if err := p.mu.Lock(ctx); err != nil {
		return err
	}
	d := p.s.Data()
	d.Turns++
	if d.Last.Load() != p.me {
		d.Last.Store(p.me)
		d.Handovers++
	}
	return p.mu.Unlock()
}

// aThird is who wants a lock now and then that two other processes take again and again
// without a pause.
type aThird struct {
	*side
	rushers [2]*shmtest.Proc
}

func newThird(t testing.TB) *aThird {
	dir := shmtest.Dir(t)
	s, err := openMatch(dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.s.Close(); err != nil {
			t.Error(err)
		}
	})
	third := &aThird{side: s}
	for i := range third.rushers {
		third.rushers[i] = shmtest.Start(t, "rusher", dir, strconv.Itoa(i+1))
		third.rushers[i].Expect("ready")
	}
	return third
}

// try waits until the others have had a turn, and then as long as it takes to get the lock.
// others is how many turns they had meanwhile.
func (p *aThird) try(t testing.TB, ctx context.Context) (took time.Duration, others int64) {
	d := p.s.Data()
	for d.Last.Load() == p.me {
		time.Sleep(100 * time.Microsecond) // sleep-ok: until the others have had a turn, without a wake-up
		if err := ctx.Err(); err != nil {
			t.Fatal("the others have stopped: ", err)
		}
	}
	begin := time.Now()
	if err := p.mu.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	took = time.Since(begin)
	others, d.Turns = d.Turns, 0
	d.Last.Store(p.me)
	if err := p.mu.Unlock(); err != nil {
		t.Fatal(err)
	}
	return took, others
}

// end ends the others.
func (p *aThird) end(t testing.TB) {
	for _, r := range p.rushers {
		r.CloseStdin()
		if err := r.Wait(); err != nil {
			t.Error(err, r.Stderr())
		}
	}
}

// Two processes that lock again at once do not keep a third from the lock.
func TestAThirdIsNotStarved(t *testing.T) {
	p := newThird(t)
	tries := 300
	if shmtest.Soaking() {
		tries = 10_000
	}
	ctx := limited(t)
	turns := int64(0)
	for range tries {
		_, others := p.try(t, ctx)
		turns += others
	}
	if turns < int64(tries) {
		t.Errorf("the others had %d turns beside %d: there was nobody to be starved by", turns, tries)
	}
	t.Logf("the others had %d turns for each of the third's", turns/int64(tries))
	p.end(t)
}

// BenchmarkMutexThird is how long a third process waits for a lock that two others take
// again and again without a pause. The promise is about -benchtime 10000x.
func BenchmarkMutexThird(b *testing.B) {
	p := newThird(b)
	var took []time.Duration
	for b.Loop() {
		t, _ := p.try(b, context.Background())
		took = append(took, t)
	}
	p.end(b)
	slices.Sort(took)
	for _, q := range []struct {
		name string
		at   float64
	}{{"ms/p50", 0.5}, {"ms/p99", 0.99}, {"ms/p99.9", 0.999}, {"ms/max", 1}} {
		b.ReportMetric(float64(took[min(int(q.at*float64(len(took))), len(took)-1)])/1e6, q.name)
	}
	b.ReportMetric(0, "ns/op")
}
