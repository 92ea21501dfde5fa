package memfd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Reasons for which memory, or the message that should bring it, is refused. They
// are the Err of an *Error.
var (
	// ErrNotMemfd: the descriptor is of something else: a pipe, a file, a socket.
	ErrNotMemfd = errors.New("not a memfd")
	// ErrUnsealed: a seal that was wanted is missing.
	ErrUnsealed = errors.New("not sealed")
	// ErrWrongSize: it is shorter or longer than was wanted.
	ErrWrongSize = errors.New("wrong size")
	// ErrNoDescriptor: the message brought no descriptor.
	ErrNoDescriptor = errors.New("no descriptor came")
	// ErrDescriptors: the message brought several descriptors, which were closed.
	ErrDescriptors = errors.New("several descriptors came")
	// ErrMessage: the message was longer than the one byte that belongs to a descriptor, or
	// the kernel could not deliver all of what came with it.
	ErrMessage = errors.New("not a message of package memfd")
	// ErrNotPassed: this process inherited no memory of that name. errors.Is(err,
	// fs.ErrNotExist) holds as well.
	ErrNotPassed = fmt.Errorf("not passed to this process: %w", fs.ErrNotExist)
)

// Error is a failed operation. errors.Is finds the errno (syscall.EBUSY), the standard
// sentinel it stands for (fs.ErrPermission, fs.ErrNotExist, os.ErrDeadlineExceeded)
// and the reasons above.
type Error struct {
	Op     string // "create", "seal", "receive", …
	Object string // "memfd:812/5 (scratch)"
	Err    error  // errno, reason, or the error of the connection
	Hint   string // why, and what to do about it; "" if nothing is known
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %v", e.Op, e.Object, e.Err)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the connection's deadline ran out, as net.Error does.
func (e *Error) Timeout() bool { return errors.Is(e.Err, os.ErrDeadlineExceeded) }

// errnoOf returns the errno in err instead of what package os or net puts around it.
func errnoOf(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// fail makes the error of an operation on f.
func (f *File) fail(op string, err error, hint string) error {
	return &Error{Op: op, Object: f.String(), Err: errnoOf(err), Hint: hint}
}
