package futex

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

var processRoles = map[string]testenv.Role{"takers": takers}

// takers takes permits at PATH with N goroutines and says so, for ever.
func takers(args []string) error {
	m, err := mapMemory(args[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for range n {
		go func() {
			for take(context.Background(), m.word(0)) == nil {
				fmt.Println("taken")
			}
		}()
	}
	spinUntil(func() bool { return waiting() == n })
	fmt.Println("ready")
	select {}
}

// spinUntil is testenv.Eventually for roles, which have no test.
func spinUntil(cond func() bool) {
	for !cond() {
		runtime.Gosched()
	}
}

func TestAnotherProcessIsWoken(t *testing.T) {
	m := newMemory(t, 1)
	p := testenv.Start(t, "takers", m.path, "20")
	p.Expect("ready")
	for range 200 {
		m.word(0).Add(1)
		wake(t, m.word(0), 1)
		p.Expect("taken")
	}
}

// Sleepers that are killed leave nothing in the way of others: of three processes one is
// killed, wherever its waiters are, and what is posted is taken by those that are left.
func TestKilledSleepersStrandNobody(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		for range 5 {
			doomed := testenv.Start(t, "takers", m.path, "10")
			doomed.Expect("ready")
			survivor := start(func() error {
				w := Enter(m.word(0))
				defer w.Leave()
				for {
					v := m.word(0).Load()
					if v > 0 && m.word(0).CompareAndSwap(v, v-1) {
						return nil
					}
					if err := w.Sleep(t.Context(), v, 20*time.Millisecond); err != nil {
						return err
					}
				}
			})
			testenv.Eventually(t, "the survivor sleeps", func() bool { return frontsAsleep() == 1 })
			m.word(0).Add(1)
			wake(t, m.word(0), 1)
			doomed.Kill()
			if m.word(0).Load() == 0 {
				m.word(0).Add(1) // one or the other has taken it; if it was the dead, once more
				wake(t, m.word(0), 1)
			}
			if err := ended(t, "the survivor", survivor); err != nil {
				t.Error(err)
			}
			m.word(0).Store(0)
		}
	})
}

// Signals interrupt system calls. Nobody notices, and a bound is as long as it was.
func TestSignalsAreNotNoticed(t *testing.T) {
	urgent := make(chan os.Signal, 1)
	signal.Notify(urgent, syscall.SIGURG)
	defer signal.Stop(urgent)
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 2)
		over := make(chan struct{})
		var storm sync.WaitGroup
		for range 2 {
			storm.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
						_ = syscall.Kill(os.Getpid(), syscall.SIGURG)
						runtime.Gosched()
					}
				}
			})
		}
		// Woken by nobody and without a change it comes back when the bound has passed.
		// A poller may call up to half a bound early.
		const bound = 60 * time.Millisecond
		begin := time.Now()
		looks := 0
		for time.Since(begin) < 5*bound {
			done := start(func() error { return Wait(context.Background(), m.word(0), 0, bound) })
			if err := ended(t, "a sleep under signals", done); err != nil {
				t.Fatal(err)
			}
			looks++
		}
		if looks > 11 {
			t.Errorf("%d looks in five bounds: the signals were noticed", looks)
		}
		var served atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 50 {
					if take(t.Context(), m.word(1)) == nil {
						served.Add(1)
					}
				}
			})
		}
		for range 500 {
			m.word(1).Add(1)
			wake(t, m.word(1), 1)
		}
		all.Wait()
		close(over)
		storm.Wait()
		if n := served.Load(); n != 500 {
			t.Errorf("%d of 500 were served", n)
		}
	})
}

// A deadline in the context is its own business, and on the monotonic clock as all of
// package context's; it ends a sleep with a bound beyond it.
func TestADeadlineEndsASleep(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		begin := time.Now()
		ctx, cancel := context.WithDeadline(context.Background(), begin.Add(50*time.Millisecond))
		defer cancel()
		err := ended(t, "a sleep with a deadline", start(func() error { return awaitChange(ctx, m.word(0), 0, long) }))
		if err != context.DeadlineExceeded || time.Since(begin) < 50*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}
