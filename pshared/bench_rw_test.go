package pshared_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// beside times two things in turns of some milliseconds, so that what else the machine does
// meets both, and reports the better half of each: ns/op of the first, and x-NAME, how many
// times as long it takes as the other.
func beside(b *testing.B, turn int, other string, f, g func(n int) error) {
	b.Helper()
	var took [2][]time.Duration
	for done := 0; done < b.N || len(took[1]) < 5; done += turn {
		for i, run := range []func(int) error{f, g} {
			begin := time.Now()
			if err := run(turn); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(begin))
		}
	}
	var ns [2]float64
	for i := range took {
		slices.Sort(took[i])
		ns[i] = float64(took[i][len(took[i])/4]) / float64(turn)
	}
	b.ReportMetric(ns[0], "ns/op")
	b.ReportMetric(ns[1], "ns/"+other)
	b.ReportMetric(ns[0]/ns[1], "x-"+other)
}

// BenchmarkRWMutexUncontended is one process alone, beside sync.RWMutex.
func BenchmarkRWMutexUncontended(b *testing.B) {
	var held int // what is locked for
	b.Run("read", func(b *testing.B) {
		rw := openRWMutex(b, shmtest.Dir(b), "x")
		var other sync.RWMutex
		beside(b, 100_000, "sync", func(n int) error { return rwHammering(rw, "read", n) }, func(n int) error {
			for range n {
				other.RLock()
				held++
				other.RUnlock()
			}
			return nil
		})
	})
	b.Run("write", func(b *testing.B) {
		rw := openRWMutex(b, shmtest.Dir(b), "x")
		var other sync.RWMutex
		beside(b, 100_000, "sync", func(n int) error { return rwHammering(rw, "write", n) }, func(n int) error {
			for range n {
				other.Lock()
				held++
				other.Unlock()
			}
			return nil
		})
	})
}

// BenchmarkRWMutexTwoReaders is two processes that read without a pause, beside two
// goroutines with a sync.RWMutex: time per read of either.
func BenchmarkRWMutexTwoReaders(b *testing.B) {
	dir := shmtest.Dir(b)
	c := mustOpenLibrary(b, dir, 1)
	p := startRW(b, dir, 2, "hammer", "read")
	p.Expect("ready")
	defer p.CloseStdin()
	var other sync.RWMutex
	var counts [2]struct {
		n int
		_ [120]byte
	}
	beside(b, 4_000_000, "sync", func(n int) error {
		p.Send(strconv.Itoa(n / 2))
		err := rwHammering(c.rw, "read", n/2)
		p.Expect("done")
		return err
	}, func(n int) error {
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() {
				for range n / 2 {
					other.RLock()
					counts[i].n++
					other.RUnlock()
				}
			})
		}
		all.Wait()
		return nil
	})
}

// rwHammer does what it is told: so many turns without a pause.
func rwHammer(c *clerk, args []string) error {
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	for {
		order, err := shmtest.Hear()
		if err != nil {
			return c.s.Close() // dismissed
		}
		n, err := strconv.Atoi(order)
		if err != nil {
			return err
		}
		if err := errors.Join(rwHammering(c.rw, args[0], n), shmtest.Say("done")); err != nil {
			return err
		}
	}
}

func rwHammering(rw *pshared.RWMutex, how string, n int) error {
	if how == "write" {
		for range n {
			if err := rw.Lock(ctx); err != nil {
				return err
			}
			if err := rw.Unlock(); err != nil {
				return err
			}
		}
		return nil
	}
	for range n {
		if err := rw.RLock(ctx); err != nil {
			return err
		}
		if err := rw.RUnlock(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkRWMutexWaiting is how long readers and writers wait, in microseconds, with two
// processes of each, none of which ever pauses: of one more of each, in this process, that come
// now and then. turns is how often the four had the lock meanwhile.
func BenchmarkRWMutexWaiting(b *testing.B) {
	dir := shmtest.Dir(b)
	c := mustOpenLibrary(b, dir, 1)
	var crowd []*shmtest.Proc
	for i := range int64(4) {
		p := startRW(b, dir, 10+i, "worker", []string{"read", "write"}[i%2], "1000000000")
		p.Expect("ready")
		crowd = append(crowd, p)
	}
	written := c.d.A.Load()
	var failed atomic.Value
	var took [2][]time.Duration
	var all sync.WaitGroup
	for i, f := range []func() error{
		func() error { return c.read(ctx) },
		func() error { _, err := c.write(ctx); return err },
	} {
		all.Go(func() {
			for range max(b.N, 100) {
				begin := time.Now()
				if err := f(); err != nil {
					failed.Store(err)
					return
				}
				took[i] = append(took[i], time.Since(begin))
				time.Sleep(200 * time.Microsecond) // sleep-ok: the pace of those who come now and then
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(c.d.A.Load()-written)/float64(max(b.N, 100)), "writes/op")
	for i, who := range []string{"reader", "writer"} {
		d := took[i]
		slices.Sort(d)
		for _, p := range []float64{50, 99, 99.9} {
			b.ReportMetric(float64(d[int(float64(len(d)-1)*p/100)].Microseconds()), fmt.Sprintf("µs/%s-p%v", who, p))
		}
		b.ReportMetric(float64(d[len(d)-1].Microseconds()), "µs/"+who+"-max")
	}
	for _, p := range crowd {
		p.Release()
	}
	mustWrite(b, c) // of the last of them
}
