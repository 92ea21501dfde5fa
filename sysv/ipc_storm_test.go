package sysv_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// signalStorm sends signals to every thread of this process, without a pause,
// until the test ends: SIGURG to each, and SIGUSR1 to whichever the kernel picks.
// It returns a count of the rounds.
func signalStorm(t *testing.T) *atomic.Int64 {
	t.Helper()
	caught := make(chan os.Signal, 1) // full most of the time: that drops signals
	signal.Notify(caught, syscall.SIGUSR1)
	stop := make(chan struct{})
	var rounds atomic.Int64
	var storm sync.WaitGroup
	storm.Go(func() {
		for {
			threads, err := os.ReadDir("/proc/self/task")
			if err != nil {
				t.Error(err)
				return
			}
			for _, thread := range threads {
				tid, err := strconv.Atoi(thread.Name())
				if err != nil {
					t.Error(err)
					return
				}
				_ = sys.Interrupt(tid) // fails for a thread that has ended
			}
			_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			rounds.Add(1)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		storm.Wait()
		signal.Stop(caught)
	})
	return &rounds
}

// eventuallyStormy waits until the storm has gone round n more times.
func eventuallyStormy(t *testing.T, storm *atomic.Int64, n int64) {
	t.Helper()
	end := storm.Load() + n
	testenv.Eventually(t, "signals are sent", func() bool { return storm.Load() >= end })
}

// A deadline that every signal began anew would never come.
func TestSignalsDoNotStretchDeadlines(t *testing.T) {
	s := newSemaphores(t, 1)
	calls := []blocking{{what: "semaphore", call: func(ctx context.Context) error { return s.Op(ctx, sysv.Wait(0)) }}}
	calls = append(calls, blockings(t)...)
	storm := signalStorm(t)
	for _, c := range calls {
		t.Run(c.what, func(t *testing.T) {
			const waiters, timeout = 10, 300 * time.Millisecond
			done := make(chan error, waiters)
			for range waiters {
				go func() {
					done <- func() error {
						begin := time.Now()
						ctx, cancel := context.WithTimeout(background, timeout)
						defer cancel()
						err := c.call(ctx)
						if waited := time.Since(begin); waited < timeout {
							return fmt.Errorf("waited %v, was to wait %v: %w", waited, timeout, err)
						}
						return err
					}()
				}()
			}
			before := storm.Load()
			for range waiters {
				ranOut(t, result(t, done))
			}
			t.Logf("the signals went round %d times", storm.Load()-before)
		})
	}
}

func TestSignalsDoNotEndWaiting(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(1, 1))
	op := func(o sysv.Op) func(context.Context) error {
		return func(ctx context.Context) error { return s.Op(ctx, o) }
	}
	calls := []blocking{
		{what: "to grow", call: op(sysv.Wait(0)), free: func() error { return s.Op(background, sysv.Post(0)) }},
		{what: "to be 0", call: op(sysv.Zero(1)), free: func() error { return s.SetValue(1, 0) }},
	}
	calls = append(calls, blockings(t)...)
	storm := signalStorm(t)
	for _, c := range calls {
		cancellable, cancel := context.WithCancel(background)
		timed, cancelTimed := context.WithTimeout(background, time.Hour)
		for kind, ctx := range map[string]context.Context{"background": background, "cancellable": cancellable, "timed": timed} {
			t.Run(c.what+" "+kind, func(t *testing.T) {
				if c.what == "to be 0" {
					succeeds(t, s.SetValue(1, 1))
				}
				done := start(func() error { return c.call(ctx) })
				eventuallyStormy(t, storm, 50)
				unfinished(t, done)
				succeeds(t, c.free())
				succeeds(t, result(t, done))
			})
		}
		cancel()
		cancelTimed()
	}
}

func TestCancelEndsWaitingUnderSignals(t *testing.T) {
	s := newSemaphores(t, 1)
	calls := append([]blocking{{what: "semaphore", call: func(ctx context.Context) error { return s.Op(ctx, sysv.Wait(0)) }}}, blockings(t)...)
	storm := signalStorm(t)
	for _, c := range calls {
		for range 20 {
			ctx, cancel := context.WithCancel(background)
			done := start(func() error { return c.call(ctx) })
			eventuallyStormy(t, storm, 2)
			cancel()
			wasCancelled(t, result(t, done))
		}
	}
}

// SIGSTOP and SIGCONT interrupt these calls even where there is no handler.
func TestStoppedAndContinuedProcessGoesOnWaiting(t *testing.T) {
	s, q := newSemaphores(t, 1), newQueue(t)
	for _, c := range []struct {
		number  uintptr
		command string
		free    func() error
	}{
		{syscall.SYS_SEMOP, fmt.Sprintf("sem-op %d 0:-1", s.ID()), func() error { return s.Op(background, sysv.Post(0)) }},
		{syscall.SYS_MSGRCV, fmt.Sprintf("msg-receive %d", q.ID()), func() error { return q.TrySend(1, nil) }},
	} {
		a := startAgent(t, nil)
		a.begin("%s", c.command)
		blocks := func() bool { return testenv.InSyscall(t, a.Pid(), c.number) }
		testenv.Eventually(t, "the process blocks", blocks)
		for range 5 {
			succeeds(t, a.Signal(syscall.SIGSTOP))
			testenv.Eventually(t, "the process is stopped", func() bool { return testenv.Stopped(t, a.Pid()) })
			succeeds(t, a.Signal(syscall.SIGCONT))
			testenv.Eventually(t, "the process blocks again", blocks)
		}
		succeeds(t, c.free())
		_, err := a.end()
		succeeds(t, err)
	}
}

// aMoment is a context that ends, or does not, at some random moment around now.
func aMoment() (context.Context, context.CancelFunc) {
	soon := time.Duration(rand.IntN(400)) * time.Microsecond
	switch rand.IntN(4) {
	case 0:
		return context.WithTimeout(background, soon)
	case 1: // before the call
		ctx, cancel := context.WithCancel(background)
		if rand.IntN(4) == 0 {
			cancel()
		}
		go cancel()
		return ctx, cancel
	default:
		ctx, cancel := context.WithCancel(background)
		timer := time.AfterFunc(soon, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	}
}

// ended reports whether the context's end is why a call failed.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Waits are cancelled at random while tokens come in, about as many as are
// wanted. Each wait that says it took a token took one, and each that says it did
// not took none.
func TestCancellingNeitherLosesNorDoublesTokens(t *testing.T) {
	const workers, posters = 100, 2
	each := rounds(60)
	s := newSemaphores(t, 1)
	var took, gaveUp, posted atomic.Int64
	done := make(chan error, workers+posters)
	over := make(chan struct{})
	var waiting sync.WaitGroup
	for range workers {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			done <- func() error {
				for range each {
					ctx, cancel := aMoment()
					err := s.Op(ctx, sysv.Wait(0))
					cancel()
					switch {
					case err == nil:
						took.Add(1)
					case ended(err):
						gaveUp.Add(1)
					default:
						return err
					}
				}
				return nil
			}()
		}()
	}
	go func() { waiting.Wait(); close(over) }()
	for range posters {
		go func() {
			done <- func() error {
				for {
					select {
					case <-over:
						return nil
					default:
					}
					n, err := s.Waiting(0)
					if err != nil {
						return err
					}
					if n == 0 || rand.IntN(3) == 0 {
						continue
					}
					if err := s.Op(background, sysv.Post(0)); err != nil {
						return err
					}
					posted.Add(1)
				}
			}()
		}()
	}
	for range workers + posters {
		succeeds(t, result(t, done))
	}
	left, err := s.Value(0)
	succeeds(t, err)
	if took.Load()+int64(left) != posted.Load() {
		t.Errorf("%d taken and %d left, but %d posted", took.Load(), left, posted.Load())
	}
	if n, err := s.Waiting(0); n != 0 || err != nil {
		t.Errorf("%d still wait, %v", n, err)
	}
	t.Logf("%d waits took a token, %d gave up, %d tokens are left", took.Load(), gaveUp.Load(), left)
}

// Steps of several operations are cancelled at random while tokens move between
// two semaphores. Their sum never changes.
func TestCancellingNeverHalvesAStep(t *testing.T) {
	const workers, tokens = 60, 5
	each := rounds(60)
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(0, tokens))
	var balance atomic.Int64 // of tokens moved from 0 to 1
	done := make(chan error, workers)
	for w := range workers {
		from, to, sign := 0, 1, int64(1)
		if w%2 == 1 {
			from, to, sign = 1, 0, -1
		}
		go func() {
			done <- func() error {
				for range each {
					ctx, cancel := aMoment()
					n := 1 + rand.IntN(2)
					err := s.Op(ctx, sysv.Add(to, n), sysv.Add(from, -n))
					cancel()
					switch {
					case err == nil:
						balance.Add(sign * int64(n))
					case !ended(err):
						return err
					}
					v, err := s.Values()
					if err != nil {
						return err
					}
					if v[0]+v[1] != tokens {
						return fmt.Errorf("values %v, expected a sum of %d", v, tokens)
					}
				}
				return nil
			}()
		}()
	}
	for range workers {
		succeeds(t, result(t, done))
	}
	moved := int(balance.Load())
	hasValues(t, s, tokens-moved, moved)
}

// Sends and receives are cancelled at random. Each message whose Send succeeded
// is received once, and no other.
func TestCancellingNeitherLosesNorDoublesMessages(t *testing.T) {
	const senders, receivers = 40, 40
	each := rounds(80)
	q := newQueue(t)
	succeeds(t, q.SetCapacity(6)) // a few messages: senders block as well
	sent, received := make(chan int64, senders*each), make(chan int64, senders*each)
	done := make(chan error, senders+receivers)
	over := make(chan struct{})
	var sending sync.WaitGroup
	for i := range senders {
		sending.Add(1)
		go func() {
			defer sending.Done()
			done <- func() error {
				for j := range each {
					typ := int64(i*each + j + 1)
					ctx, cancel := aMoment()
					err := q.Send(ctx, typ, []byte{byte(typ)})
					cancel()
					switch {
					case err == nil:
						sent <- typ
					case !ended(err):
						return err
					}
				}
				return nil
			}()
		}()
	}
	go func() { sending.Wait(); close(over) }()
	for range receivers {
		go func() {
			done <- func() error {
				buf := make([]byte, 1)
				for {
					ctx, cancel := aMoment()
					typ, n, err := q.Receive(ctx, sysv.Any(), buf)
					cancel()
					switch {
					case err == nil && (n != 1 || buf[0] != byte(typ)):
						return fmt.Errorf("message %d is %v", typ, buf[:n])
					case err == nil:
						received <- typ
						continue
					case !ended(err):
						return err
					}
					select {
					case <-over:
						return nil
					default:
					}
				}
			}()
		}()
	}
	for range senders + receivers {
		succeeds(t, result(t, done))
	}
	for { // what nobody was there to receive
		typ, _, err := q.TryReceive(sysv.Any(), make([]byte, 1))
		if errors.Is(err, syscall.ENOMSG) {
			break
		}
		succeeds(t, err)
		received <- typ
	}
	close(sent)
	close(received)
	count := map[int64]int{}
	for typ := range sent {
		count[typ]++
	}
	t.Logf("%d of %d messages were sent", len(count), senders*each)
	for typ := range received {
		count[typ]--
	}
	for typ, n := range count {
		if n != 0 {
			t.Errorf("message %d was sent %d times more often than received", typ, n)
		}
	}
}
