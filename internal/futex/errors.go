package futex

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrGone: the word's memory is not there, because the file was truncated or the
// memory unmapped.
var ErrGone = errors.New("the memory of the futex is gone")

// Error is what the kernel says against a word.
type Error struct {
	Op  string // "sleep" or "wake"
	Err error  // the errno
}

func (e *Error) Error() string {
	if errors.Is(e, ErrGone) {
		return fmt.Sprintf("futex %s: %v: %v: truncated or unmapped while in use", e.Op, ErrGone, e.Err)
	}
	return fmt.Sprintf("futex %s: %v", e.Op, e.Err)
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Err }

// Is makes EFAULT ErrGone.
func (e *Error) Is(target error) bool { return target == ErrGone && e.Err == syscall.EFAULT }
