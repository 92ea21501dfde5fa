package futex

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
)

// rounds spins without success and returns how many looks that were.
func rounds(p *Spinner) (n int) {
	for s := p.Begin(); s.More(); {
		n++
	}
	return n
}

func needCPUs(t testing.TB) {
	if n, err := sys.UsableCPUs(); err != nil || n == 1 || runtime.GOMAXPROCS(0) == 1 {
		t.Skip("needs two CPUs to spin")
	}
	lookClosely()
}

func TestSpinningThatIsNoUseGetsShort(t *testing.T) {
	needCPUs(t)
	var p Spinner
	first := rounds(&p)
	for range 2 * lastLevel {
		rounds(&p)
	}
	if got := rounds(&p); got > roundsOfClock || first <= got {
		t.Errorf("%d looks at first, %d after many misses", first, got)
	}
}

// At the shortest, one turn in many is long: enough to find out that it pays again.
func TestSpinningRecovers(t *testing.T) {
	needCPUs(t)
	var p Spinner
	for range 2 * lastLevel {
		rounds(&p)
	}
	turns := 0
	for p.level.Load() > 0 {
		if turns++; turns > 10*wholeTurn {
			t.Fatalf("level %d after %d turns", p.level.Load(), turns)
		}
		n := 0
		for s := p.Begin(); s.More(); {
			if n++; n == 3*roundsOfClock { // more than a short turn has
				s.Hit()
				break
			}
		}
	}
	if turns <= 1 {
		t.Error("it was never short")
	}
	rounds(&p)
	rounds(&p)
	for range 2 {
		s := p.Begin()
		s.More()
		s.Hit()
	}
	if p.level.Load() != 0 {
		t.Errorf("level %d after two misses and two hits", p.level.Load())
	}
}

func TestOneCPUDoesNotSpin(t *testing.T) {
	defer lookClosely()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	lookAtCPUs()
	var p Spinner
	if n := rounds(&p); n != 0 || p.level.Load() != 0 {
		t.Errorf("%d looks with GOMAXPROCS 1, level %d", n, p.level.Load())
	}
}

func TestOneUsableCPUDoesNotSpin(t *testing.T) {
	needCPUs(t)
	defer lookClosely()
	var p Spinner
	before := rounds(&p)
	undo, err := sys.UseOneCPU(0)
	lookClosely()
	during := rounds(&p)
	if undo != nil {
		err = errors.Join(err, undo())
	}
	if err != nil {
		t.Skipf("cannot bind threads to CPU 0: %v", err)
	}
	if before == 0 || during != 0 {
		t.Errorf("%d looks before, %d on one CPU", before, during)
	}
}

// One thread that is bound to a CPU says nothing about those it waits for.
func TestABoundThreadSpins(t *testing.T) {
	needCPUs(t)
	defer lookClosely()
	var looks int
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends, and its binding with it.
		runtime.LockOSThread()
		var p Spinner
		err := sys.UseCPUs(0)
		lookClosely()
		looks = rounds(&p)
		done <- err
	}()
	if err := ended(t, "spinning", done); err != nil {
		t.Skipf("cannot bind a thread to CPU 0: %v", err)
	}
	if looks == 0 {
		t.Error("no looks")
	}
}

func TestSpinningAllocatesNothing(t *testing.T) {
	var p Spinner
	if n := testing.AllocsPerRun(100, func() { rounds(&p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSpinMiss(b *testing.B) {
	for _, c := range []struct {
		name   string
		misses int
	}{{"fresh", 0}, {"after misses", 20}} {
		b.Run(c.name, func(b *testing.B) {
			needCPUs(b)
			var p Spinner
			for range c.misses {
				rounds(&p)
			}
			for b.Loop() {
				if c.misses == 0 {
					p.level.Store(0)
				}
				rounds(&p)
			}
		})
	}
}

func BenchmarkPause(b *testing.B) {
	for b.Loop() {
		Pause()
	}
}

// BenchmarkHandOver hands a word back and forth between two goroutines with a Spinner and
// a sleep behind it, and says how many times as long it takes as by looking only
// (x-floor, of the medians of blocks).
func BenchmarkHandOver(b *testing.B) {
	needCPUs(b)
	m := newMemory(b, 4) // word 2+i: somebody may sleep at word i
	post := func(word int, v uint32) {
		m.word(word).Store(v)
		if m.word(2+word).Load() != 0 && m.word(2+word).Swap(0) != 0 {
			_, _ = Wake(m.word(word), All)
		}
	}
	looks := func(word int, v uint32) {
		for i := 0; m.word(word).Load() == v; i++ {
			Pause()
			if i%1000 == 999 {
				runtime.Gosched()
			}
		}
	}
	var spinners [2]Spinner
	slept := 0
	spins := func(word int, v uint32) {
		for s := spinners[word].Begin(); s.More(); {
			if m.word(word).Load() != v {
				s.Hit()
				return
			}
		}
		for m.word(word).Load() == v {
			m.word(2 + word).Store(1)
			if m.word(word).Load() == v {
				_ = Wait(context.Background(), m.word(word), v, tick)
			}
			if word == 1 {
				slept++
			}
		}
	}
	awaits := [2]func(word int, v uint32){looks, spins}
	blocks := 2 * ((b.N + 2*blockRounds - 1) / (2 * blockRounds))
	b.ReportAllocs()
	b.ResetTimer()
	done := start(func() error {
		v := uint32(0)
		for k := range blocks {
			for range blockRounds {
				awaits[k%2](0, v)
				v++
				post(1, v)
			}
		}
		return nil
	})
	var took [2][]time.Duration
	v := uint32(0)
	for k := range blocks {
		begin := time.Now()
		for range blockRounds {
			post(0, v+1)
			awaits[k%2](1, v)
			v++
		}
		took[k%2] = append(took[k%2], time.Since(begin)/blockRounds)
	}
	<-done
	floor, spun := median(took[0]), median(took[1])
	b.ReportMetric(float64(spun), "ns/trip")
	b.ReportMetric(float64(spun)/float64(floor), "x-floor")
	b.ReportMetric(100*float64(slept)/float64(b.N/2+1), "%slept")
}

func TestAwaitLooksUntilTheWordIsAbove(t *testing.T) {
	needCPUs(t)
	const many = 5
	for _, row := range []struct {
		word, v uint64
		above   bool
	}{{7, 6, true}, {6, 6, false}, {5, 6, false}, {0, 6, false}, {1, 1<<64 - 2, true}, {1<<64 - 2, 1, false}, {1 << 63, 1, true}, {1<<63 + 1, 0, false}} {
		var p Spinner
		var w words.Uint64
		w.Store(row.word)
		s := p.Begin()
		rounds := s.rounds
		for range 2 { // with one pause in between, and with as many as are best
			looks, above := s.Await(&w, row.v, many)
			want := many
			if row.above {
				want = 0
			}
			if looks != want || above != row.above {
				t.Errorf("%#x, above %#x: %d looks, %t, want %d, %t", row.word, row.v, looks, above, want, row.above)
			}
		}
		if !row.above && s.rounds != rounds-many-many*int32(pausesPerLook()) {
			t.Errorf("%d rounds left of %d", s.rounds, rounds)
		}
	}
}

// However long it may look, the clock is looked at in time.
func TestAwaitEndsWhenTheClockIsToBeLookedAt(t *testing.T) {
	needCPUs(t)
	p := Spinner{Longest: time.Millisecond}
	var w words.Uint64
	s := p.Begin()
	for turns := 0; s.More(); turns++ {
		if looks, above := s.Await(&w, 0, 1<<30); looks > wholeRounds || above {
			t.Fatalf("%d looks, %t", looks, above)
		}
		if turns > 1_000_000 {
			t.Fatal("it goes on for ever")
		}
	}
	if looks, _ := s.Await(&w, 0, 1<<30); looks != 0 {
		t.Errorf("%d looks when the time was over", looks)
	}
}

func TestAwaitSeesWhatAnotherWrites(t *testing.T) {
	needCPUs(t)
	var w words.Uint64
	p := Spinner{Longest: time.Minute}
	go func() {
		for range 1000 {
			Pause()
		}
		w.Store(3)
	}()
	for s := p.Begin(); s.More(); {
		if _, above := s.Await(&w, 2, 64); above {
			return
		}
	}
	t.Error("it was never seen")
}
