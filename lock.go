package shmkit

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Lock brings the pages of a range into memory and keeps them there: mlock(2). EPERM,
// ENOMEM: the process may not lock that much (RLIMIT_MEMLOCK). ENOMEM together with
// ErrTruncated, ErrNoSpace or ErrNotReadable: a page could not be brought in, for that
// reason; then the range is locked all the same, as far as it is there and when it comes,
// and counts against the limit until Unlock. Locks do not nest, and end with the mapping; where Resize moves it, the pages
// are unlocked for a moment.
func (m *Mapping) Lock(off, n int64) error { return m.lock(off, n, sys.Mlock) }

// LockOnFault is Lock for pages when they are first touched: mlock2(2) with
// MLOCK_ONFAULT.
func (m *Mapping) LockOnFault(off, n int64) error {
	return m.lock(off, n, func(addr uintptr, size uint64) error {
		return sys.Mlock2(addr, size, sys.MLOCK_ONFAULT)
	})
}

func (m *Mapping) lock(off, n int64, f func(addr uintptr, size uint64) error) error {
	var cause error
	err := m.onPages("lock", off, n, touched, func(addr uintptr, size uint64) error {
		m.everLocked.Store(true)
		err := f(addr, size)
		if err == syscall.ENOMEM {
			cause = m.lockCause(addr, size)
		}
		return err
	})
	var e *OpError
	if cause != nil && errors.As(err, &e) {
		e.Err, e.Hint = lockError{cause, syscall.ENOMEM}, ""
	}
	return err
}

// lockError is an errno of mlock of which the cause is known.
type lockError struct {
	cause error
	errno syscall.Errno
}

func (e lockError) Error() string {
	return e.errno.Error() + ": a page cannot be brought in: " + e.cause.Error()
}

func (e lockError) Unwrap() []error { return []error{e.cause, e.errno} }

// lockCause says which page of a range cannot be brought in and why. nil: each can, as
// far as can be told, so that it is the limit. mlock says ENOMEM for all of it.
func (m *Mapping) lockCause(addr uintptr, size uint64) error {
	page := uint64(os.Getpagesize()) // also of huge pages
	pages := (size + page - 1) / page
	suspects := []uintptr{addr + uintptr((pages-1)*page)}
	vec := make([]byte, pages)
	if sys.Mincore(addr, size, vec) == nil {
		if i := slices.IndexFunc(vec, func(v byte) bool { return v&1 == 0 }); i >= 0 {
			suspects = append(suspects, addr+uintptr(uint64(i)*page))
		}
	}
	for e := range sys.Maps(addr, addr+uintptr(size)) {
		if e.Prot() == 0 {
			suspects = append(suspects, max(addr, e.Start))
			break
		}
	}
	for _, at := range slices.Backward(suspects) {
		err := m.pageCause(at, int(at-m.base()))
		for _, known := range []error{ErrTruncated, ErrNoSpace, ErrNotReadable, ErrGuardPage, ErrIO} {
			if errors.Is(err, known) && !errors.Is(err, errPassing) { // which can be had
				return err
			}
		}
	}
	return nil
}

// Unlock ends Lock and LockOnFault: munlock(2).
func (m *Mapping) Unlock(off, n int64) error {
	return m.onPages("unlock", off, n, touched, sys.Munlock)
}

// lockHint says what to do about an errno of mlock, but for what lockCause knows.
func lockHint(errno syscall.Errno) string {
	switch errno {
	case syscall.EPERM, syscall.ENOMEM:
		return fmt.Sprintf("the process may lock %s bytes (RLIMIT_MEMLOCK; ulimit -l sets it)", limitText(sys.MemoryLockLimit()))
	case syscall.EAGAIN:
		return "some pages could not be brought in: there is no memory for them"
	}
	return ""
}

// limitText prints a resource limit.
func limitText(n uint64) string {
	if n == math.MaxUint64 {
		return "any number of"
	}
	return fmt.Sprint(n)
}
