package sysv_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/sysv"
)

// wasCancelled fails the test unless err says that the context was cancelled,
// and nothing else.
func wasCancelled(t testing.TB, err error) {
	t.Helper()
	failsWith(t, err, context.Canceled)
	isNot(t, err, syscall.EINTR, sysv.ErrWouldBlock, os.ErrDeadlineExceeded, sysv.ErrRemoved)
}

// ranOut fails the test unless err says that the deadline passed, and nothing
// else.
func ranOut(t testing.TB, err error) {
	t.Helper()
	failsWith(t, err, context.DeadlineExceeded, os.ErrDeadlineExceeded)
	isNot(t, err, syscall.EINTR, syscall.EAGAIN, sysv.ErrWouldBlock, context.Canceled)
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("is no timeout: %v", err)
	}
}

func TestOpWithAnEndedContextDoesNothing(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.SetValue(0, 1))
	cancelled, cancel := context.WithCancel(background)
	cancel()
	err := s.Op(cancelled, sysv.Wait(0))
	wasCancelled(t, err)
	says(t, err, "operate on semaphore set", s.String())

	late, cancel := context.WithDeadline(background, time.Now().Add(-time.Second))
	defer cancel()
	ranOut(t, s.Op(late, sysv.Wait(0)))
	hasValues(t, s, 1)
}

func TestOpThatNeedNotWaitIsDone(t *testing.T) {
	s := newSemaphores(t, 1)
	ctx, cancel := context.WithTimeout(background, time.Hour)
	defer cancel()
	succeeds(t, s.Op(ctx, sysv.Post(0)))
	succeeds(t, s.Op(ctx, sysv.Wait(0)))
	hasValues(t, s, 0)
	failsWith(t, s.Op(ctx, sysv.Wait(0).NoWait()), sysv.ErrWouldBlock)
}

func TestCancelEndsAWaitingOp(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(1, 1))
	for what, ops := range map[string][]sysv.Op{
		"to grow": {sysv.Wait(0)}, "to be 0": {sysv.Zero(1)}, "several": {sysv.Wait(1), sysv.Wait(0)}, "with undo": {sysv.Wait(0).Undo()},
	} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			done := start(func() error { return s.Op(ctx, ops...) })
			if what == "to be 0" {
				eventuallyZeroWaiting(t, s, 1, 1)
			} else {
				eventuallyWaiting(t, s, 0, 1)
			}
			cancel()
			wasCancelled(t, result(t, done))
			for _, count := range []func(int) (int, error){s.Waiting, s.WaitingForZero} {
				for i := range 2 {
					if n, err := count(i); n != 0 || err != nil {
						t.Errorf("%d still wait for semaphore %d, %v", n, i, err)
					}
				}
			}
			hasValues(t, s, 0, 1)
		})
	}
}

func TestCancelAfterwardsMeansNothing(t *testing.T) {
	s := newSemaphores(t, 1)
	ctx, cancel := context.WithCancel(background)
	done := start(func() error { return s.Op(ctx, sysv.Wait(0)) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Post(0)))
	succeeds(t, result(t, done))
	cancel()
	hasValues(t, s, 0)
}

func TestCancelWithACauseIsTheContextsError(t *testing.T) {
	s := newSemaphores(t, 1)
	cause := errors.New("lunch")
	ctx, cancel := context.WithCancelCause(background)
	done := start(func() error { return s.Op(ctx, sysv.Wait(0)) })
	eventuallyWaiting(t, s, 0, 1)
	cancel(cause)
	wasCancelled(t, result(t, done)) // as ctx.Err says; the cause stays with the context

	late, cancelLate := context.WithTimeoutCause(background, time.Millisecond, cause)
	defer cancelLate()
	ranOut(t, s.Op(late, sysv.Wait(0)))
}

func TestCancelOfAParentEndsAWaitingOp(t *testing.T) {
	s := newSemaphores(t, 1)
	parent, cancel := context.WithCancel(background)
	ctx, cancelChild := context.WithTimeout(context.WithValue(parent, new(int), 1), time.Hour)
	defer cancelChild()
	done := start(func() error { return s.Op(ctx, sysv.Wait(0)) })
	eventuallyWaiting(t, s, 0, 1)
	cancel()
	wasCancelled(t, result(t, done))
}

func TestOneContextEndsManyOps(t *testing.T) {
	const waiters = 200
	s := newSemaphores(t, 1)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	done := make(chan error, waiters)
	for range waiters {
		go func() { done <- s.Op(ctx, sysv.Wait(0)) }()
	}
	eventuallyWaiting(t, s, 0, waiters)
	cancel()
	for range waiters {
		wasCancelled(t, result(t, done))
	}
	if n, err := s.Waiting(0); n != 0 || err != nil {
		t.Errorf("%d still wait, %v", n, err)
	}
}

func TestManyWaitersEachGetOneToken(t *testing.T) {
	const waiters = 200
	s := newSemaphores(t, 1)
	ctx, cancel := context.WithTimeout(background, time.Hour)
	defer cancel()
	done := make(chan error, waiters)
	for i := range waiters {
		ctx := ctx
		if i%2 == 0 {
			ctx = background
		}
		go func() { done <- s.Op(ctx, sysv.Wait(0)) }()
	}
	eventuallyWaiting(t, s, 0, waiters)
	for range waiters {
		succeeds(t, s.Op(background, sysv.Post(0)))
	}
	for range waiters {
		succeeds(t, result(t, done))
	}
	hasValues(t, s, 0)
}

func TestOpWaitsUntilItsDeadline(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(1, 1))
	for _, timeout := range []time.Duration{1, time.Microsecond, 100 * time.Microsecond, time.Millisecond, 30 * time.Millisecond} {
		for _, ops := range [][]sysv.Op{{sysv.Wait(0)}, {sysv.Zero(1)}, {sysv.Wait(0), sysv.Wait(1).NoWait()}} {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(background, timeout)
			err := s.Op(ctx, ops...)
			waited := time.Since(begin)
			cancel()
			ranOut(t, err)
			if waited < timeout {
				t.Errorf("waited %v, was to wait %v", waited, timeout)
			}
		}
	}
	hasValues(t, s, 0, 1)
}

func TestDeadlineOfTheWallClock(t *testing.T) {
	s := newSemaphores(t, 1)
	const timeout = 20 * time.Millisecond
	begin := time.Now()
	// Round(0) strips the monotonic reading, as a date that was parsed has none.
	ctx, cancel := context.WithDeadline(background, time.Now().Add(timeout).Round(0))
	defer cancel()
	ranOut(t, s.Op(ctx, sysv.Wait(0)))
	if waited := time.Since(begin); waited < timeout-time.Millisecond { // two clocks, read one after the other
		t.Errorf("waited %v, was to wait %v", waited, timeout)
	}
}

func TestDeadlineFarAway(t *testing.T) {
	s := newSemaphores(t, 1)
	for _, deadline := range []time.Time{
		time.Now().Add(1<<63 - 1),
		time.Unix(1<<40, 0), // further than a Duration reaches
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		ctx, cancel := context.WithDeadline(background, deadline)
		done := start(func() error { return s.Op(ctx, sysv.Wait(0)) })
		eventuallyWaiting(t, s, 0, 1)
		unfinished(t, done)
		succeeds(t, s.Op(background, sysv.Post(0)))
		succeeds(t, result(t, done))
		cancel()
	}
}

func TestTokenBeforeTheDeadlineIsTaken(t *testing.T) {
	s := newSemaphores(t, 1)
	ctx, cancel := context.WithTimeout(background, time.Hour)
	defer cancel()
	done := start(func() error { return s.Op(ctx, sysv.Wait(0)) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Post(0)))
	succeeds(t, result(t, done))
	hasValues(t, s, 0)
}

// foreignContext is a context that the context package knows nothing of.
type foreignContext struct {
	context.Context
	done     chan struct{}
	err      error // set before done is closed
	deadline time.Time
}

func (c *foreignContext) Done() <-chan struct{} { return c.done }
func (c *foreignContext) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}
func (c *foreignContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func TestForeignContextEndsAnOp(t *testing.T) {
	s := newSemaphores(t, 1)
	mine := errors.New("an error of its own")
	ctx := &foreignContext{Context: background, done: make(chan struct{}), err: mine}
	done := start(func() error { return s.Op(ctx, sysv.Wait(0)) })
	eventuallyWaiting(t, s, 0, 1)
	close(ctx.done)
	failsWith(t, result(t, done), mine)

	// With a deadline that it leaves to others to keep.
	begin := time.Now()
	ctx = &foreignContext{Context: background, deadline: begin.Add(10 * time.Millisecond)}
	ranOut(t, s.Op(ctx, sysv.Wait(0)))
	if waited := time.Since(begin); waited < 10*time.Millisecond {
		t.Errorf("waited %v", waited)
	}
}

// What never waits has no deadline to miss.
func TestNoWaitAtItsDeadlineWouldBlock(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(1, 1))
	ctx := &foreignContext{Context: background, deadline: time.Now().Add(-time.Second)} // and has not noticed
	err := s.Op(ctx, sysv.Wait(0).NoWait(), sysv.Wait(1).NoWait())
	failsWith(t, err, sysv.ErrWouldBlock)
	isNot(t, err, context.DeadlineExceeded)
	ranOut(t, s.Op(ctx, sysv.Wait(0), sysv.Wait(1).NoWait()))
	succeeds(t, s.Op(ctx, sysv.Wait(1))) // what need not wait is done
}

func TestOpOfAContextThatEndsWhileRemoved(t *testing.T) {
	for range rounds(100) {
		s := newSemaphores(t, 1)
		ctx, cancel := context.WithCancel(background)
		done := start(func() error { return s.Op(ctx, sysv.Wait(0)) })
		go cancel()
		succeeds(t, s.Remove())
		if err := result(t, done); !errors.Is(err, context.Canceled) && !errors.Is(err, sysv.ErrRemoved) {
			t.Fatal(err)
		}
	}
}
