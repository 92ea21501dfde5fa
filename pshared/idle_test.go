package pshared_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// idlers is DIR LOCKS: 1,000 goroutines that wait for so many locks by turns; without a
// lock, nothing but a ticker like that of a handle. For each line it
// hears it says how many microseconds of a processor the process has used so far; "end":
// the locks are about to be given back.
func idlers(args []string) error {
	s, err := pshared.Open[crowded]("x", &pshared.Options{Dir: args[0]})
	if err != nil {
		return err
	}
	locks, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	n := 1000
	if locks == 0 {
		n = 0
		t := time.NewTicker(pshared.Tick)
		defer t.Stop()
		go func() {
			for range t.C {
			}
		}()
	}
	var all sync.WaitGroup
	failed := make(chan error, n)
	for i := range n {
		mu := s.Mutex(&s.Data().Mu[i%locks])
		all.Go(func() {
			if err := mu.Lock(context.Background()); err != nil {
				failed <- err
				return
			}
			failed <- mu.Unlock()
		})
	}
	for s.Waiting() < n {
		time.Sleep(time.Millisecond) // sleep-ok: until all wait, without a wake-up
	}
	for err := shmtest.Say("ready"); ; {
		if err != nil {
			return err
		}
		order, err := shmtest.Hear()
		if err != nil {
			return err
		}
		if order == "end" {
			break
		}
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		if err := shmtest.Say("%d", (u.Utime.Nano()+u.Stime.Nano())/1000); err != nil {
			return err
		}
	}
	all.Wait()
	for range n {
		if err := <-failed; err != nil {
			return err
		}
	}
	return s.Close()
}

// BenchmarkMutexIdle is what a process with 1,000 goroutines uses of a processor while all
// of them wait, for one lock or for 1,000, that a living process holds. An iteration is
// a second. The same beside it for a process with a ticker and nothing else.
func BenchmarkMutexIdle(b *testing.B) {
	for _, locks := range []int{0, 1, 1000} {
		b.Run(fmt.Sprint(locks), func(b *testing.B) {
			dir := shmtest.Dir(b)
			s, err := pshared.Open[crowded]("x", &pshared.Options{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for i := range locks {
				lock(b, s.Mutex(&s.Data().Mu[i]))
			}
			p := shmtest.Start(b, "idlers", dir, strconv.Itoa(locks))
			p.Expect("ready")
			used := func() (µs int) {
				p.Send("used")
				line, err := p.ReadLine()
				if err != nil {
					b.Fatal(err, p.Stderr())
				}
				if µs, err = strconv.Atoi(line); err != nil {
					b.Fatal(err)
				}
				return µs
			}
			before, begin := used(), time.Now()
			for b.Loop() {
				time.Sleep(time.Second) // sleep-ok: idleness is what is measured
			}
			took := time.Since(begin)
			b.ReportMetric(100*float64(used()-before)/float64(took.Microseconds()), "%core")
			b.ReportMetric(0, "ns/op")
			p.Send("end")
			for i := range locks {
				unlock(b, s.Mutex(&s.Data().Mu[i]))
			}
			if err := p.Wait(); err != nil {
				b.Error(err, p.Stderr())
			}
		})
	}
}
