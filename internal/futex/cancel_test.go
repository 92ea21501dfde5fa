package futex

import (
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/internal/words"
)

func TestTheEndOfAContextEndsASleep(t *testing.T) {
	cause := errors.New("the cause")
	contexts := map[string]func() (context.Context, func()){
		"cancelled": func() (context.Context, func()) { return context.WithCancel(context.Background()) },
		"deadline": func() (context.Context, func()) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			return ctx, func() { <-ctx.Done(); cancel() }
		},
		"with a cause": func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return ctx, func() { cancel(cause) }
		},
		"a stranger's": func() (context.Context, func()) {
			s := &strange{Context: context.Background(), done: make(chan struct{})}
			return s, s.end
		},
	}
	for name, make := range contexts {
		t.Run(name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T) {
				m := newMemory(t, 1)
				ctx, end := make()
				other, release := context.WithCancel(context.Background())
				front := start(func() error { return awaitTurn(ctx, m.word(0), 0, long) })
				testenv.Eventually(t, "one sleeps", func() bool { return frontsAsleep() == 1 || ctx.Err() != nil })
				behind := start(func() error { return awaitTurn(ctx, m.word(0), 0, long) })
				last := start(func() error { return awaitTurn(other, m.word(0), 0, long) })
				end()
				for _, done := range []<-chan error{front, behind} {
					if err := ended(t, "the sleep under a context that ended", done); err != ctx.Err() {
						t.Errorf("%v, want %v", err, ctx.Err())
					}
				}
				testenv.Eventually(t, "the last one is in front", func() bool { return parked() == 0 && frontsAsleep() == 1 })
				release()
				if err := ended(t, "the last one", last); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if err := Wait(ctx, m.word(0), 0, long); err != ctx.Err() {
					t.Errorf("under a context that has ended: %v", err)
				}
			})
		})
	}
}

// strange is a context that package context knows nothing about.
type strange struct {
	context.Context
	done chan struct{}
	over atomic.Bool
}

func (s *strange) Done() <-chan struct{} { return s.done }
func (s *strange) end()                  { s.over.Store(true); close(s.done) }
func (s *strange) Err() error {
	if s.over.Load() {
		return context.DeadlineExceeded
	}
	return nil
}

// Who cancels wakes nobody else who sleeps on the word, in this process or another.
func TestCancellingWakesNoStranger(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		stranger := start(func() error {
			for {
				if err := sys.FutexWait(words.Atomic(m.word(0)), 0, 0); err != syscall.EINTR {
					return err
				}
			}
		})
		for range 50 {
			ctx, cancel := context.WithCancel(context.Background())
			done := start(func() error { return awaitTurn(ctx, m.word(0), 0, long) })
			testenv.Eventually(t, "it sleeps", func() bool { return frontsAsleep() == 1 })
			cancel()
			if err := ended(t, "the sleep", done); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		select {
		case err := <-stranger:
			t.Fatalf("the stranger was woken: %v", err)
		default:
		}
		testenv.Eventually(t, "the stranger is woken", func() bool { return wake(t, m.word(0), All) == 1 })
		if err := ended(t, "the stranger", stranger); err != nil {
			t.Error(err)
		}
	})
}

// A wake-up that reaches somebody whose context ends at the same time makes it look: it
// may have been the only one, and others sleep who were not woken.
func TestAWakeUpCountsForMoreThanTheEndOfAContext(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		word := m.word(0)
		for range 300 {
			ctx, cancel := context.WithCancel(context.Background())
			done := start(func() error { return Wait(ctx, word, 0, long) })
			testenv.Eventually(t, "it sleeps", func() bool { return frontsAsleep() == 1 })
			go cancel()
			if woken := wake(t, word, 1); woken == 1 && haveWaitv() {
				// One of those that a poller sleeps on is named: here there is one.
				if err := ended(t, "the sleep", done); err != nil {
					t.Fatalf("woken, and returns %v", err)
				}
			} else {
				_ = ended(t, "the sleep", done)
			}
		}
	})
}

// A wake-up with a cancellation at its heels, so that the sleeper finds both when it runs.
func TestAWakeUpIsNotTakenForTheCancellationBehindIt(t *testing.T) {
	if !haveWaitv() {
		t.Skip("the kernel has no futex_waitv (Linux 5.16)")
	}
	m := newMemory(t, 1)
	word := m.word(0)
	for range 300 {
		ctx := &strange{Context: context.Background(), done: make(chan struct{})}
		done := start(func() error { return Wait(ctx, word, 0, long) })
		n := directSleepers // it may be between two sleeps just when one looks
		testenv.Eventually(t, "it sleeps", func() bool {
			n = bits.TrailingZeros64(slotsTaken.Load())
			return frontsAsleep() == 1 && n < directSleepers
		})
		s := &slots[n]
		ctx.over.Store(true) // nothing else comes of that
		woken := wake(t, word, 1)
		s.interrupt()
		err := ended(t, "the sleep", done)
		close(ctx.done)
		if woken == 1 && err != nil {
			t.Fatalf("woken, and returns %v", err)
		}
	}
}

// Waiters come, are cancelled and are served, all at once. Every permit that is given is
// either taken or still there, and nobody is left behind asleep beside a permit.
func TestCancelStorm(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		const takers, each = 50, 40
		m := newMemory(t, 1)
		permits := m.word(0)
		var taken atomic.Int64
		var all sync.WaitGroup
		for i := range takers {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			all.Go(func() {
				for range each {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(3000))*time.Microsecond)
					if take(ctx, permits) == nil {
						taken.Add(1)
					}
					cancel()
				}
			})
		}
		over := make(chan struct{})
		go func() { all.Wait(); close(over) }()
		given := int64(0)
		for giving := true; giving; given++ {
			permits.Add(1)
			wake(t, permits, 1)
			testenv.Eventually(t, "nobody sleeps beside a permit", func() bool {
				select {
				case <-over:
					giving = false
					return true
				default:
					return permits.Load() == 0
				}
			})
		}
		if left := int64(permits.Load()); given != taken.Load()+left {
			t.Errorf("given %d, taken %d, left %d", given, taken.Load(), left)
		}
	})
}

// take takes a permit.
func take(ctx context.Context, permits *words.Uint32) error {
	w := Enter(permits)
	defer w.Leave()
	for {
		if v := permits.Load(); v > 0 {
			if permits.CompareAndSwap(v, v-1) {
				return nil
			}
		} else if err := w.Sleep(ctx, 0, long); err != nil {
			return err
		}
	}
}

// All at once, whatever they are doing.
func TestACrowdIsCancelled(t *testing.T) {
	const words = 300
	m := newMemory(t, words)
	for range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		var crowd sync.WaitGroup
		for i := range 3000 {
			crowd.Go(func() {
				if err := awaitTurn(ctx, m.word(i%words), 0, long); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		testenv.Eventually(t, "many wait", func() bool { return waiting() > 2000 })
		cancel()
		crowd.Wait()
	}
	if waiting() != 0 || !settled(0) {
		t.Error("somebody is left")
	}
	testenv.Eventually(t, "no context is watched", func() bool { return watching() == 0 })
	testenv.Eventually(t, "the pollers have ended", func() bool { return pollers() == 0 })
}

// Recall brings back all waiters of a word, parked ones too, and only those.
func TestRecallBringsAllBack(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 2)
		const n = 50
		var back []<-chan error
		for range n {
			back = append(back, start(func() error {
				w := Enter(m.word(0))
				defer w.Leave()
				return w.Sleep(t.Context(), 0, long)
			}))
		}
		other := start(func() error { return Wait(t.Context(), m.word(1), 0, long) })
		testenv.Eventually(t, "all wait", func() bool { return parked() == n-1 && frontsAsleep() == 2 })
		for _, b := range back {
			for done := false; !done; {
				if err := Recall(m.word(0)); err != nil {
					t.Fatal(err)
				}
				select {
				case err := <-b:
					if err != nil {
						t.Error(err)
					}
					done = true
				default:
					runtime.Gosched()
				}
			}
		}
		select {
		case err := <-other:
			t.Errorf("a stranger came back: %v", err)
		default:
		}
		m.word(1).Add(1)
		wake(t, m.word(1), All)
		if err := ended(t, "the other", other); err != nil {
			t.Error(err)
		}
	})
}

// Who is parked comes back also when the one in front sleeps on.
func TestRecallBringsThoseBackWhoAreParked(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		front := start(func() error {
			w := Enter(m.word(0))
			defer w.Leave()
			for {
				if err := w.Sleep(ctx, 0, long); err != nil {
					return err
				}
			}
		})
		testenv.Eventually(t, "one is in front", func() bool { return waiting() == 1 && frontsAsleep() == 1 })
		behind := start(func() error {
			w := Enter(m.word(0))
			defer w.Leave()
			err := w.Sleep(ctx, 0, long)
			if err == nil && w.First() {
				err = errors.New("it was called in its turn")
			}
			return err
		})
		testenv.Eventually(t, "the other is parked", func() bool { return parked() == 1 })
		if err := Recall(m.word(0)); err != nil {
			t.Fatal(err)
		}
		if err := ended(t, "the one that was parked", behind); err != nil {
			t.Error(err)
		}
		cancel()
		if err := ended(t, "the one in front", front); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
