package pshared

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/object"
)

// Errors of locks. Those of making and opening objects are as of package object's.
var (
	// ErrOwnerDead: the lock is held now, and whoever held it before died, so that what
	// it guards may be half changed. Repair it and call MakeConsistent; unlocking
	// without makes the lock not recoverable. After EOWNERDEAD of pthread_mutex_lock(3).
	ErrOwnerDead = errors.New("previous owner died; lock is held")
	// ErrWriterDead: a writer died, and what it left is not repaired. It comes to readers,
	// who do not hold the lock: who can repair takes it for writing. errors.Is(err,
	// ErrOwnerDead) holds as well.
	ErrWriterDead error = writerDead{}
	// ErrNotRecoverable: the lock is not held, and never will be again: somebody
	// unlocked it without having repaired what a dead owner left. Reset is the way out.
	ErrNotRecoverable = errors.New("state is not recoverable")
	// ErrNotHeld: this handle does not hold the lock.
	ErrNotHeld = errors.New("lock is not held by this handle")
	// ErrHeld: this handle holds the lock, and was to be closed.
	ErrHeld = errors.New("lock is held by this handle")
	// ErrClosed: the handle was closed.
	ErrClosed = object.ErrGone
	// ErrCorrupt: the memory holds what no correct member writes.
	ErrCorrupt = object.ErrCorrupt
	// ErrFull: as many processes have the object open as it was made for.
	ErrFull = object.ErrFull
	// ErrType: the object of that name holds another type, or is of another kind.
	ErrType = object.ErrType
	// ErrVersion: it was made by another major version of this package.
	ErrVersion = object.ErrVersion
	// ErrForeign: the file, or its directory, is not one to trust.
	ErrForeign = object.ErrForeign
)

type writerDead struct{}

func (writerDead) Error() string {
	return "a writer died and what it left is not repaired; the lock is not held"
}

func (writerDead) Is(target error) bool { return target == ErrOwnerDead }

// LockError is a failed operation on a lock.
type LockError struct {
	Op   string // "lock", "unlock", …
	Lock string // its address, "lock:orders"
	Err  error  // one of this package's errors, the context's, or a *shmkit.FaultError
}

func (e *LockError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Lock, e.Err) }

func (e *LockError) Unwrap() error { return e.Err }

// Timeout reports whether a deadline ran out, as net.Error does.
func (e *LockError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// cause returns what was wrong, without the operation of a part that it was wrong in.
func cause(err error) error {
	if e, ok := err.(*LockError); ok {
		return e.Err
	}
	return err
}
