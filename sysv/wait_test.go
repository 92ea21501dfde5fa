package sysv

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// What block does with a call that the test answers itself.

func TestBlockHidesInterruptions(t *testing.T) {
	for _, cancellable := range []bool{false, true} {
		ctx, cancel := context.Background(), func() {}
		if cancellable {
			ctx, cancel = context.WithCancel(ctx)
		}
		calls := 0
		err := block(ctx, notAtOnce, func() error {
			if calls++; calls < 1000 {
				return syscall.EINTR
			}
			return syscall.ERANGE
		})
		cancel()
		if calls != 1000 || err != syscall.ERANGE {
			t.Errorf("cancellable %v: %d calls, %v", cancellable, calls, err)
		}
	}
}

func TestBlockReportsWhatTookEffectThoughTheContextEnded(t *testing.T) {
	for _, answer := range []error{nil, syscall.EIDRM} {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		err := block(ctx, notAtOnce, func() error {
			calls++
			cancel()
			return answer
		})
		if calls != 1 || err != answer {
			t.Errorf("%d calls, %v; expected 1 and %v", calls, err, answer)
		}
	}
}

func TestBlockEndsAtTheInterruptionOfAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	err := block(ctx, notAtOnce, func() error {
		calls++
		cancel()
		return syscall.EINTR
	})
	if calls != 1 || err != context.Canceled {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestBlockDoesNotCallForAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := block(ctx, notAtOnce, func() error {
		t.Error("called")
		return nil
	})
	if err != context.Canceled {
		t.Error(err)
	}
}

// The first signals may come while the thread is still on its way to its system
// call, and change nothing there. Others have to follow.
func TestInterrupterRepeatsASignalThatWasTooEarly(t *testing.T) {
	set, err := CreateSemaphores(Private, 1, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := set.Remove(); err != nil {
			t.Error(err)
		}
	}()
	urgent := make(chan os.Signal, 1)
	signal.Notify(urgent, syscall.SIGURG)
	defer signal.Stop(urgent)

	ctx, cancel := context.WithCancel(context.Background())
	early := false
	err = block(ctx, notAtOnce, func() error {
		if !early {
			early = true
			cancel()
			for range 3 {
				<-urgent // handled, and this thread is in no system call of ours
			}
		}
		return sys.Semop(set.id.num(), []sys.Sembuf{{Num: 0, Delta: -1}})
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A signal after the end would reach a thread that serves somebody else by then.
func TestInterrupterIsSilentAfterTheEnd(t *testing.T) {
	in := &interrupter{tid: sys.Gettid(), over: make(chan struct{})}
	if !in.signal() {
		t.Error("it ends before its end")
	}
	in.end()
	if in.signal() {
		t.Error("it still signals")
	}
	in.run() // returns
}

// notAtOnce is a call that would have to wait.
func notAtOnce() error { return syscall.EAGAIN }

func TestWhatCanBeDoneAtOnceIs(t *testing.T) {
	for _, want := range []error{nil, syscall.EIDRM, syscall.E2BIG} {
		err := block(t.Context(), func() error { return want }, func() error {
			t.Error("it was called again, to wait")
			return nil
		})
		if err != want {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

// A deadline without a reading of the monotonic clock gets one: otherwise setting the
// wall clock would move it.
func TestDeadlinesAreMeasuredOnTheMonotonicClock(t *testing.T) {
	wall := time.Now().Add(time.Hour).Round(0)
	if strings.Contains(wall.String(), " m=") {
		t.Fatal("the test's own time has a monotonic reading")
	}
	got := monotonic(wall)
	if d := got.Sub(wall).Abs(); !strings.Contains(got.String(), " m=+") || d > time.Minute {
		t.Errorf("%v became %v", wall, got)
	}
}
