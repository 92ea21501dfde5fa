package sysv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Errors that hold besides the errno and the sentinels of io/fs.
var (
	// ErrRemoved: the object was removed, before the call (EINVAL) or while it
	// waited (EIDRM). errors.Is(err, fs.ErrNotExist) holds as well.
	ErrRemoved = errors.New("object was removed")
	// ErrWouldBlock: an operation that was not to wait would have to.
	ErrWouldBlock = errors.New("operation would block")
)

// Error is a failed operation. errors.Is finds the errno (syscall.ENOSPC), the
// standard sentinel it stands for (fs.ErrExist, fs.ErrNotExist,
// fs.ErrPermission, os.ErrDeadlineExceeded) and the context's error.
type Error struct {
	Op     string // "create", "attach", …
	Object string // "segment sysv:0x5eed"
	Err    error  // an errno, or wraps one, or the error of the context
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

// Is makes the sentinels hold that the errno alone does not stand for.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRemoved, fs.ErrNotExist:
		return errors.Is(e.Err, syscall.EIDRM) || errors.Is(e.Err, errNoID)
	case ErrWouldBlock:
		return errors.Is(e.Err, syscall.EAGAIN) || errors.Is(e.Err, syscall.ENOMSG)
	case os.ErrDeadlineExceeded:
		return errors.Is(e.Err, context.DeadlineExceeded)
	}
	return false
}

// Timeout reports whether a deadline ran out, as net.Error does.
func (e *Error) Timeout() bool { return errors.Is(e.Err, context.DeadlineExceeded) }

// errNoID is EINVAL where it means that no object has the identifier.
var errNoID error = noID{}

type noID struct{}

func (noID) Error() string { return "no such identifier" }

func (noID) Unwrap() error { return syscall.EINVAL }

// noSuchID is the answer to an identifier that no object can have.
func noSuchID(kind string, id int) error {
	return &Error{Op: "open", Object: fmt.Sprintf("%s:id=%d", kind, id), Err: errNoID}
}

// privateError is the answer to opening Private: no object is found by it.
func privateError(kind, scheme string) error {
	return &Error{Op: "open", Object: kind + " " + address(scheme, Private, -1), Err: syscall.ENOENT,
		Hint: "the key is Private, which names nothing; open it by its identifier"}
}

// address returns an object's address in the words of the command: by key where
// it has one, "sysv:0x5eed", else by identifier, "sysv:id=3".
func address(scheme string, key Key, id int) string {
	switch {
	case key != Private:
		return fmt.Sprintf("%s:%#x", scheme, uint32(key))
	case id >= 0:
		return fmt.Sprintf("%s:id=%d", scheme, id)
	}
	return scheme + ":private"
}

// permHint explains EACCES and EPERM by who the object belongs to.
func permHint(err error, p Permission) string {
	var b strings.Builder
	fmt.Fprintf(&b, "it belongs to uid %d gid %d", p.UID, p.GID)
	if p.CreatorUID != p.UID || p.CreatorGID != p.GID {
		fmt.Fprintf(&b, " (made by uid %d gid %d)", p.CreatorUID, p.CreatorGID)
	}
	fmt.Fprintf(&b, ", mode %04o; this process is uid %d gid %d", uint32(p.Mode), os.Geteuid(), os.Getegid())
	if errors.Is(err, syscall.EPERM) {
		b.WriteString("; only owner, creator or root may do that")
	}
	return b.String()
}
