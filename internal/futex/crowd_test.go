package futex

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

// crowdSize is how many goroutines wait: more than Go allows threads.
func crowdSize() int {
	if testing.Short() || underRace {
		return 2000
	}
	return 12000
}

// A crowd waits on so many words, by turns, and is woken by a wake-up of each word. The
// threads that takes are bounded, and a second crowd takes no more.
func TestACrowdSleepsOnFewThreads(t *testing.T) {
	for _, words := range []int{1, 1000} {
		for _, kind := range awaits {
			t.Run(kind.name+" on "+strconv.Itoa(words), func(t *testing.T) {
				m := newMemory(t, words)
				testenv.Eventually(t, "no poller is left", func() bool { return pollers() == 0 })
				allowed := directSleepers + (words+pollerFronts-1)/pollerFronts + runtime.GOMAXPROCS(0) + 16
				before := status(t, "Threads")
				for round := range uint32(3) {
					ctx, cancel := context.WithCancel(t.Context())
					var crowd sync.WaitGroup
					var failed atomic.Int64
					for i := range crowdSize() {
						crowd.Go(func() {
							if kind.await(ctx, m.word(i%words), round, long) != nil {
								failed.Add(1)
							}
						})
					}
					testenv.Eventually(t, "all wait", func() bool { return waiting() == crowdSize() && settled(words) && parked() == crowdSize()-words })
					if threads := status(t, "Threads"); threads > before+allowed {
						t.Errorf("%d threads, %d before: more than %d were needed", threads, before, allowed)
					}
					for i := range words {
						m.word(i).Store(round + 1)
						wake(t, m.word(i), All)
					}
					crowd.Wait()
					cancel()
					if n := failed.Load(); n != 0 {
						t.Errorf("%d failed", n)
					}
				}
				if waiting() != 0 || !settled(0) {
					t.Error("somebody is left in a queue, in a slot or with a poller")
				}
				testenv.Eventually(t, "the pollers have ended", func() bool { return pollers() == 0 })
				testenv.Eventually(t, "no context is watched", func() bool { return watching() == 0 })
			})
		}
	}
}

// A thousand who wait idly, each looking at its tick, on one word and on a thousand.
// The time is logged; what is asserted is that they sleep at all.
func TestIdleWaitersSleep(t *testing.T) {
	const waiters, tick, span = 1000, 50 * time.Millisecond, 2 * time.Second
	for _, c := range []struct {
		words int
		bound time.Duration
	}{{1, tick}, {waiters, tick}, {waiters, time.Minute}} {
		t.Run(strconv.Itoa(c.words)+" words, "+c.bound.String(), func(t *testing.T) {
			if testing.Short() {
				t.Skip("takes seconds")
			}
			m := newMemory(t, c.words)
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for i := range waiters {
				all.Go(func() { _ = awaitTurn(ctx, m.word(i%c.words), 0, c.bound) })
			}
			testenv.Eventually(t, "all wait", func() bool { return settled(c.words) && parked() == waiters-c.words })
			var from, to syscall.Rusage
			usage(t, &from)
			time.Sleep(span) // sleep-ok: idling is what is measured
			usage(t, &to)
			cpu := time.Duration(to.Utime.Nano() + to.Stime.Nano() - from.Utime.Nano() - from.Stime.Nano())
			switches := to.Nvcsw - from.Nvcsw
			t.Logf("%.2f %% of a CPU, %d switches a second", 100*cpu.Seconds()/span.Seconds(), switches/int64(span/time.Second))
			// Each front looks once a tick, and is a switch or two.
			if limit := int64(4*c.words)*int64(span/c.bound+1) + 2000; switches > limit {
				t.Errorf("%d switches, more than %d", switches, limit)
			}
			cancel()
			all.Wait()
		})
	}
}

func usage(t *testing.T, u *syscall.Rusage) {
	t.Helper()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, u); err != nil {
		t.Fatal(err)
	}
}

// With one processor nobody may sleep while it holds the processor that the waker needs.
func TestOneProcessorIsEnough(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, kind := range awaits {
		t.Run(kind.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T) {
				const rounds = 100
				m := newMemory(t, 2)
				pong := start(func() error {
					for v := range uint32(rounds) {
						if err := kind.await(t.Context(), m.word(0), v, long); err != nil {
							return err
						}
						m.word(1).Store(v + 1)
						if _, err := Wake(m.word(1), 1); err != nil {
							return err
						}
					}
					return nil
				})
				ping := start(func() error {
					for v := range uint32(rounds) {
						m.word(0).Store(v + 1)
						if _, err := Wake(m.word(0), 1); err != nil {
							return err
						}
						if err := kind.await(t.Context(), m.word(1), v, long); err != nil {
							return err
						}
					}
					return nil
				})
				for _, done := range []<-chan error{ping, pong} {
					if err := ended(t, "the round trips", done); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
