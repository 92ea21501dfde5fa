package sysv_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/sysv"
)

// A blocking is one of the calls on a queue that wait, on a queue on which they
// do.
type blocking struct {
	what   string
	number uintptr // of the system call
	queue  *sysv.MessageQueue
	call   func(context.Context) error
	free   func() error // lets one call go on
}

// blockings returns a full queue with a Send, and an empty one with a Receive.
func blockings(t testing.TB) []blocking {
	t.Helper()
	full, empty := newQueue(t), newQueue(t)
	succeeds(t, full.SetCapacity(1))
	succeeds(t, full.TrySend(1, []byte("x")))
	return []blocking{
		{
			"send", syscall.SYS_MSGSND, full,
			func(ctx context.Context) error { return full.Send(ctx, 1, []byte("y")) },
			func() error { _, _, err := full.TryReceive(sysv.Any(), make([]byte, 1)); return err },
		},
		{
			"receive", syscall.SYS_MSGRCV, empty,
			func(ctx context.Context) error {
				_, n, err := empty.Receive(ctx, sysv.Any(), make([]byte, 1))
				if err != nil && n != 0 {
					err = errors.Join(err, errors.New("bytes of no message"))
				}
				return err
			},
			func() error { return empty.TrySend(1, []byte("z")) },
		},
	}
}

func TestCancelEndsWaitingSendsAndReceives(t *testing.T) {
	for _, b := range blockings(t) {
		t.Run(b.what, func(t *testing.T) {
			ctx, cancel := context.WithCancel(background)
			done := start(func() error { return b.call(ctx) })
			eventuallyIn(t, b.number, b.queue.ID(), 1)
			cancel()
			err := result(t, done)
			wasCancelled(t, err)
			says(t, err, b.what, "message queue", b.queue.String())

			ended, cancel := context.WithCancel(background)
			cancel()
			wasCancelled(t, b.call(ended))
		})
	}
}

func TestCancelledSendLeavesNoMessage(t *testing.T) {
	b := blockings(t)[0]
	ctx, cancel := context.WithCancel(background)
	done := start(func() error { return b.call(ctx) })
	eventuallyIn(t, b.number, b.queue.ID(), 1)
	cancel()
	wasCancelled(t, result(t, done))
	takes(t, b.queue, sysv.Any(), 1, "x")
	takesNothing(t, b.queue, sysv.Any())
}

func TestEndedContextSendsAndReceivesNothing(t *testing.T) {
	q := newQueue(t)
	ctx, cancel := context.WithCancel(background)
	cancel()
	wasCancelled(t, q.Send(ctx, 1, []byte("x")))
	takesNothing(t, q, sysv.Any())
	succeeds(t, q.TrySend(1, []byte("x")))
	_, _, err := q.Receive(ctx, sysv.Any(), make([]byte, 1))
	wasCancelled(t, err)
	takes(t, q, sysv.Any(), 1, "x")
}

func TestSendsAndReceivesWaitUntilTheirDeadline(t *testing.T) {
	for _, b := range blockings(t) {
		t.Run(b.what, func(t *testing.T) {
			for _, timeout := range []time.Duration{1, time.Microsecond, time.Millisecond, 30 * time.Millisecond} {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(background, timeout)
				err := b.call(ctx)
				waited := time.Since(begin)
				cancel()
				ranOut(t, err)
				if waited < timeout {
					t.Errorf("waited %v, was to wait %v", waited, timeout)
				}
			}
		})
	}
}

func TestSendsAndReceivesGoOnBeforeTheirDeadline(t *testing.T) {
	for _, b := range blockings(t) {
		t.Run(b.what, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(background, time.Hour)
			defer cancel()
			done := start(func() error { return b.call(ctx) })
			eventuallyIn(t, b.number, b.queue.ID(), 1)
			succeeds(t, b.free())
			succeeds(t, result(t, done))
		})
	}
}

func TestCancelWithACauseEndsSendsAndReceives(t *testing.T) {
	for _, b := range blockings(t) {
		t.Run(b.what, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(background)
			done := start(func() error { return b.call(ctx) })
			eventuallyIn(t, b.number, b.queue.ID(), 1)
			cancel(errors.New("lunch"))
			wasCancelled(t, result(t, done))
		})
	}
}

func TestForeignContextEndsSendsAndReceives(t *testing.T) {
	for _, b := range blockings(t) {
		t.Run(b.what, func(t *testing.T) {
			mine := errors.New("an error of its own")
			ctx := &foreignContext{Context: background, done: make(chan struct{}), err: mine}
			done := start(func() error { return b.call(ctx) })
			eventuallyIn(t, b.number, b.queue.ID(), 1)
			close(ctx.done)
			failsWith(t, result(t, done), mine)
		})
	}
}

func TestOneContextEndsManySendsAndReceives(t *testing.T) {
	const waiters = 100
	for _, b := range blockings(t) {
		t.Run(b.what, func(t *testing.T) {
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			done := make(chan error, waiters)
			for range waiters {
				go func() { done <- b.call(ctx) }()
			}
			eventuallyIn(t, b.number, b.queue.ID(), waiters)
			cancel()
			for range waiters {
				wasCancelled(t, result(t, done))
			}
		})
	}
}
