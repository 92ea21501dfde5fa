package pshared_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func BenchmarkMutexUncontended(b *testing.B) {
	b.Run("pshared", func(b *testing.B) {
		m := openMutex(b, shmtest.Dir(b), "x")
		b.ReportAllocs()
		for b.Loop() {
			if m.Lock(ctx) != nil || m.Unlock() != nil {
				b.Fatal("failed")
			}
		}
	})
	b.Run("sync", func(b *testing.B) {
		var m sync.Mutex
		held := 0
		for b.Loop() {
			m.Lock()
			held++ // what is locked for
			m.Unlock()
		}
	})
	b.Run("glibc robust", func(b *testing.B) {
		b.ReportMetric(glibc(b, "alone", 5_000_000).ns, "ns/op")
	})
}

// BenchmarkMutexTakeOver is the time from SIGKILL of a holder until a waiter has the lock.
func BenchmarkMutexTakeOver(b *testing.B) {
	dir := shmtest.Dir(b)
	m := mustOpenBank(b, dir, 1)
	var took []time.Duration
	for b.Loop() {
		p := shmtest.Start(b, "holder", dir, "9")
		if _, err := p.ReadLine(); err != nil {
			b.Fatal(err, p.Stderr())
		}
		mine := begin(func() time.Time {
			if told, err := m.enter(context.Background()); !told || err != nil {
				b.Error(told, err)
			}
			return time.Now()
		})
		asleep(b, m, p)
		killed := time.Now()
		if err := p.Signal(syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		took = append(took, (<-mine).Sub(killed))
		mustLeave(b, m)
		p.Release()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e6, "ms/median")
	b.ReportMetric(float64(took[len(took)-1])/1e6, "ms/max")
}

// pair is what BenchmarkMutexWake shares.
type pair struct {
	Mu   pshared.MutexWord
	_    [56]byte
	Raw  atomic.Uint32
	Turn atomic.Uint32 // rounds that the sleeper has begun, for each way
	At   atomic.Int64  // when it was awake
	Here atomic.Uint32 // rounds in which it is about to sleep on Raw
	Done atomic.Uint32
}

// sleeper sleeps on a word and for a lock by turns, ROUNDS times, and says when it woke.
func sleeper(args []string) error {
	s, err := pshared.Open[pair]("pair", &pshared.Options{Dir: args[0]})
	if err != nil {
		return err
	}
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	d := s.Data()
	mu := s.Mutex(&d.Mu)
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	for r := range uint32(rounds) {
		for d.Turn.Load() != 2*r+1 {
			time.Sleep(time.Microsecond) // sleep-ok: until the other says so, without a wake-up
		}
		d.Here.Store(r + 1)
		for d.Raw.Load() == r {
			_ = sys.FutexWait(&d.Raw, r, time.Second)
		}
		d.At.Store(int64(sys.MonotonicNow()))
		d.Done.Store(2*r + 1)
		for d.Turn.Load() != 2*r+2 {
			time.Sleep(time.Microsecond) // sleep-ok: as above
		}
		if err := mu.Lock(context.Background()); err != nil {
			return err
		}
		d.At.Store(int64(sys.MonotonicNow()))
		d.Done.Store(2*r + 2)
		if err := mu.Unlock(); err != nil {
			return err
		}
	}
	return s.Close()
}

// BenchmarkMutexWake is the time from Unlock until who slept in another process has the
// lock, beside that from a bare futex wake to the return of a bare futex wait.
func BenchmarkMutexWake(b *testing.B) {
	dir := shmtest.Dir(b)
	s, err := pshared.Open[pair]("pair", &pshared.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	d := s.Data()
	mu := s.Mutex(&d.Mu)
	p := shmtest.Start(b, "sleeper", dir, fmt.Sprint(b.N))
	p.Expect("ready")
	var took [2][]time.Duration
	settle := func() { // it is going to sleep, and nobody tells when it does
		for end := time.Now().Add(300 * time.Microsecond); time.Now().Before(end); {
		}
	}
	await := func(n uint32) {
		for d.Done.Load() != n {
			time.Sleep(time.Microsecond) // sleep-ok: until the other has noted the time
		}
	}
	b.ResetTimer()
	for r := range uint32(b.N) {
		d.Turn.Store(2*r + 1)
		for d.Here.Load() != r+1 {
		}
		settle()
		begin := sys.MonotonicNow()
		d.Raw.Store(r + 1)
		_, _ = sys.FutexWake(&d.Raw, 1)
		await(2*r + 1)
		took[0] = append(took[0], time.Duration(d.At.Load())-begin)

		lock(b, mu)
		d.Turn.Store(2*r + 2)
		for d.Mu.State()&pshared.Waiters == 0 {
		}
		settle()
		begin = sys.MonotonicNow()
		unlock(b, mu)
		await(2*r + 2)
		took[1] = append(took[1], time.Duration(d.At.Load())-begin)
	}
	b.StopTimer()
	if err := p.Wait(); err != nil {
		b.Error(err, p.Stderr())
	}
	for _, t := range took {
		slices.Sort(t)
	}
	raw, ours := took[0][b.N/2], took[1][b.N/2]
	b.ReportMetric(float64(raw), "ns/raw")
	b.ReportMetric(float64(ours), "ns/pshared")
	b.ReportMetric(float64(ours)/float64(raw), "x-raw")
}
