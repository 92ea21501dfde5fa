package queue

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
)

// Errors of queues. Those of making and opening objects are as of package pshared.
var (
	// ErrEmpty: no item is ready, or no dead letter is there.
	ErrEmpty = errors.New("queue is empty")
	// ErrFull: as many items are in the queue, waiting or held, as it was made for.
	ErrFull = errors.New("queue is full")
	// ErrTooLarge: the item is larger than the queue was made for (Options.MaxItem).
	ErrTooLarge = errors.New("item is larger than the queue was made for")
	// ErrNotHeld: the item or loan is not held any more: it was done with, or is another's.
	ErrNotHeld = errors.New("item is not held")
	// ErrHeld: this handle holds items or loans, and was to be closed.
	ErrHeld = errors.New("items or loans are held by this handle")
	// ErrClosed: the handle was closed.
	ErrClosed = pshared.ErrClosed
	// ErrCorrupt: the memory holds what no correct member writes.
	ErrCorrupt = pshared.ErrCorrupt
	// ErrMembers: as many handles have the queue open as it was made for.
	ErrMembers = pshared.ErrFull
	// ErrType: the queue of that name holds items of another type.
	ErrType = pshared.ErrType
	// ErrVersion: it was made by another major version of this package.
	ErrVersion = pshared.ErrVersion
	// ErrForeign: the file, or its directory, is not one to trust.
	ErrForeign = pshared.ErrForeign
	// ErrInUse: living handles keep it from being removed.
	ErrInUse = object.ErrInUse
)

// Error is a failed operation on a queue.
type Error struct {
	Op    string // "push", "pop", …
	Queue string // its address, "queue:resize"
	Err   error  // one of this package's errors, the context's, or a *shmkit.FaultError
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Queue, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a deadline ran out, as net.Error does.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// fail says what failed. Full and empty come as they are, without an allocation: they are no
// failures to who tries.
func (c *core) fail(op string, err error) error {
	if err == nil || err == ErrEmpty || err == ErrFull {
		return err
	}
	return &Error{Op: op, Queue: c.o.Address(), Err: err}
}
