package futex

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestAWakeUpEndsASleep(t *testing.T) {
	for _, kind := range awaits {
		t.Run(kind.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T) {
				m := newMemory(t, 1)
				done := start(func() error { return kind.await(t.Context(), m.word(0), 0, long) })
				testenv.Eventually(t, "it sleeps", func() bool { return frontsAsleep() == 1 })
				m.word(0).Store(1)
				wake(t, m.word(0), 1)
				if err := ended(t, "the sleep", done); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Without a wake-up, as when the waker was killed before it.
func TestABoundEndsASleep(t *testing.T) {
	for _, kind := range awaits {
		t.Run(kind.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T) {
				m := newMemory(t, 1)
				done := start(func() error { return kind.await(t.Context(), m.word(0), 0, 10*time.Millisecond) })
				testenv.Eventually(t, "it sleeps", func() bool { return frontsAsleep() == 1 })
				m.word(0).Store(1)
				if err := ended(t, "the sleep", done); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Nobody has changed the word, nor woken anybody: who ticks looks again.
func TestABoundEndsASleepOnAWordThatStays(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		for name, ctx := range map[string]context.Context{"a context that can end": t.Context(), "one that cannot": context.Background()} {
			done := start(func() error { return Wait(ctx, m.word(0), 0, 10*time.Millisecond) })
			if err := ended(t, "the sleep under "+name, done); err != nil {
				t.Error(err)
			}
		}
	})
}

// The bound of one who comes later, to another word, may be over before that of who came first.
func TestEachHasItsOwnBound(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 2)
		ctx, cancel := context.WithCancel(t.Context())
		first := start(func() error { return Wait(ctx, m.word(0), 0, long) })
		testenv.Eventually(t, "the first sleeps", func() bool { return frontsAsleep() == 1 })
		if err := ended(t, "the second sleep", start(func() error { return Wait(ctx, m.word(1), 0, 10*time.Millisecond) })); err != nil {
			t.Error(err)
		}
		cancel()
		if err := ended(t, "the first sleep", first); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestAWordThatIsNotTheValueIsNotSleptOn(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		m.word(0).Store(7)
		done := start(func() error { return Wait(t.Context(), m.word(0), 0, long) })
		if err := ended(t, "a sleep on a value that isn't", done); err != nil {
			t.Error(err)
		}
	})
}

// Also while somebody else sleeps on the value that it has.
func TestWhoSawAnotherValueIsNotBehindThoseWhoSawThisOne(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		sleeper := start(func() error { return Wait(ctx, m.word(0), 0, long) })
		testenv.Eventually(t, "one sleeps", func() bool { return waiting() == 1 && frontsAsleep() == 1 })
		if err := ended(t, "a sleep on a value that isn't", start(func() error { return Wait(ctx, m.word(0), 1, long) })); err != nil {
			t.Error(err)
		}
		cancel()
		if err := ended(t, "the sleeper", sleeper); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// Turns come in the order of Enter, and a waiter that looks in vain keeps its place.
func TestTurnsComeInOrder(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		const n = 50
		m := newMemory(t, 1)
		tokens := m.word(0) // a counting semaphore of the simplest kind
		order := make(chan int, n)
		for i := range n {
			go func() {
				w := Enter(tokens)
				defer w.Leave()
				for {
					v := tokens.Load()
					if v > 0 && tokens.CompareAndSwap(v, v-1) {
						order <- i
						return
					}
					if w.Sleep(context.Background(), v, long) != nil {
						return
					}
				}
			}()
			testenv.Eventually(t, "the next one waits", func() bool { return parked() == i && frontsAsleep() == 1 })
		}
		for range 10 {
			wake(t, tokens, 1) // for nothing
		}
		for i := range n {
			tokens.Add(1)
			wake(t, tokens, 1)
			if got := <-order; got != i {
				t.Fatalf("it is the turn of %d; %d came", i, got)
			}
			testenv.Eventually(t, "the next one is in front", func() bool { return parked() == max(n-i-2, 0) })
		}
	})
}

// A broadcast reaches those who are parked, and so does a permit more than was woken for.
func TestWhoeverIsCalledComparesWithWhatItSaw(t *testing.T) {
	for _, kind := range awaits {
		t.Run(kind.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T) {
				const n = 20
				m := newMemory(t, 1)
				var all []<-chan error
				for range n {
					all = append(all, start(func() error { return kind.await(t.Context(), m.word(0), 0, long) }))
				}
				testenv.Eventually(t, "all wait", func() bool { return parked() == n-1 && frontsAsleep() == 1 })
				m.word(0).Store(1)
				if got := wake(t, m.word(0), 1); got > 1 {
					t.Errorf("%d were asleep in the kernel", got)
				}
				for _, done := range all {
					if err := ended(t, "the broadcast", done); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// Of those who Wait each sees each change, also when the front has reason to sleep on.
func TestAWaiterThatSleepsOnKeepsNobodyFromSeeingAChange(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		const n, last = 10, 200
		m := newMemory(t, 1)
		word := m.word(0)
		var seen [n]atomic.Uint32
		var all []<-chan error
		for i := range n {
			all = append(all, start(func() error {
				for v := uint32(0); v < last; {
					if err := awaitChange(t.Context(), word, v, long); err != nil {
						return err
					}
					v = word.Load()
					seen[i].Store(v)
				}
				return nil
			}))
		}
		for v := uint32(1); v <= last; v++ {
			word.Store(v)
			wake(t, word, All)
			testenv.Eventually(t, "all see the change", func() bool {
				for i := range seen {
					if seen[i].Load() != v {
						return false
					}
				}
				return true
			})
		}
		for _, done := range all {
			if err := ended(t, "the last change", done); err != nil {
				t.Error(err)
			}
		}
	})
}

// A front that is not asleep, and leaves, calls the next as well.
func TestLeavingCallsTheNext(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		front := Enter(m.word(0))
		next := start(func() error { return awaitTurn(t.Context(), m.word(0), 0, long) })
		testenv.Eventually(t, "the next one is parked", func() bool { return parked() == 1 })
		m.word(0).Store(1)
		front.Leave()
		if err := ended(t, "the next one", next); err != nil {
			t.Error(err)
		}
	})
}

func TestMemoryThatIsGoneIsAnError(t *testing.T) {
	for _, kind := range awaits {
		t.Run(kind.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T) {
				m := newMemory(t, 1)
				sleep := func() error { // doesn't look at the word itself: it would fault
					for {
						if err := Wait(t.Context(), m.word(0), 0, 20*time.Millisecond); err != nil {
							return err
						}
					}
				}
				if kind.name == "turns" {
					sleep = func() error {
						w := Enter(m.word(0))
						defer w.Leave()
						for {
							if err := w.Sleep(t.Context(), 0, 20*time.Millisecond); err != nil {
								return err
							}
						}
					}
				}
				first, second := start(sleep), start(sleep)
				testenv.Eventually(t, "one sleeps", func() bool { return frontsAsleep() == 1 })
				m.truncate(t)
				for _, done := range []<-chan error{first, second} {
					err := ended(t, "the sleep on memory that is gone", done)
					var typed *Error
					if !errors.Is(err, ErrGone) || !errors.As(err, &typed) || typed.Op != "sleep" {
						t.Errorf("%v", err)
					}
				}
				if _, err := Wake(m.word(0), 1); !errors.Is(err, ErrGone) {
					t.Errorf("wake: %v", err)
				}
			})
		})
	}
}

// The kernel doesn't say whose memory is gone. The others sleep on.
func TestMemoryThatIsGoneIsTheErrorOfThoseWhoWaitThere(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		lost, kept := newMemory(t, 1), newMemory(t, 1)
		stays := start(func() error { return awaitChange(t.Context(), kept.word(0), 0, long) })
		goes := start(func() error {
			for {
				if err := Wait(t.Context(), lost.word(0), 0, 20*time.Millisecond); err != nil {
					return err
				}
			}
		})
		testenv.Eventually(t, "both sleep", func() bool { return frontsAsleep() == 2 })
		lost.truncate(t)
		if err := ended(t, "the sleep on memory that is gone", goes); !errors.Is(err, ErrGone) {
			t.Error(err)
		}
		kept.word(0).Store(1)
		wake(t, kept.word(0), 1)
		if err := ended(t, "the sleep on memory that is there", stays); err != nil {
			t.Error(err)
		}
	})
}

// Who has a context need not wait for its bound.
func TestRecallReachesThoseWhoseMemoryIsGone(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		lost, kept := newMemory(t, 1), newMemory(t, 1)
		stays := start(func() error { return awaitChange(t.Context(), kept.word(0), 0, long) })
		goes := start(func() error { return Wait(t.Context(), lost.word(0), 0, long) })
		testenv.Eventually(t, "both sleep", func() bool { return frontsAsleep() == 2 })
		lost.truncate(t)
		testenv.Eventually(t, "it returns", func() bool { // who is on the way into the kernel may miss it
			if err := Recall(lost.word(0)); !errors.Is(err, ErrGone) {
				t.Fatal(err)
			}
			select {
			case err := <-goes:
				if !errors.Is(err, ErrGone) {
					t.Error(err)
				}
				return true
			default:
				return false
			}
		})
		kept.word(0).Store(1)
		wake(t, kept.word(0), 1)
		if err := ended(t, "the sleep on memory that is there", stays); err != nil {
			t.Error(err)
		}
	})
}

func TestAMisalignedWordIsAnError(t *testing.T) {
	forEachWay(t, func(t *testing.T) {
		m := newMemory(t, 1)
		err := Wait(t.Context(), m.misaligned(), 0, long)
		var typed *Error
		if !errors.As(err, &typed) || errors.Is(err, ErrGone) {
			t.Errorf("%v", err)
		}
	})
}
