package shmkit

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Errors that AccessError and FaultError wrap.
var (
	// ErrClosed: the mapping or view was closed. errors.Is(err, fs.ErrClosed)
	// holds as well.
	ErrClosed error = closedError{}
	// ErrInUse: a view of the mapping is open.
	ErrInUse = errors.New("a view of the mapping is open")
	// ErrOutOfRange: the bytes asked for do not all lie in the mapping.
	ErrOutOfRange = errors.New("outside the mapping")
	// ErrMisaligned: the offset is no multiple of the alignment of the type.
	ErrMisaligned = errors.New("misaligned offset")
	// ErrBadType: the type cannot stand in shared memory.
	ErrBadType = errors.New("type cannot stand in shared memory")
	// ErrReadOnly: a write to a mapping without Write. errors.Is(err,
	// fs.ErrPermission) holds as well.
	ErrReadOnly error = errnoCause{"mapping is read-only", syscall.EACCES}
	// ErrNotReadable: a read from a mapping or page without Read. errors.Is(err,
	// fs.ErrPermission) holds as well.
	ErrNotReadable error = errnoCause{"memory is not readable", syscall.EACCES}
	// ErrGuardPage: the page was made a guard page (AdviseGuardInstall).
	ErrGuardPage = errors.New("guard page")
	// ErrUnmapped: this part is no longer mapped: Resize cut it off, or moved the
	// mapping, and the pointer is from before.
	ErrUnmapped = errors.New("no longer mapped there")
	// ErrTruncated: the page lies behind the end of the file, which somebody made
	// shorter, or which never was that long.
	ErrTruncated = errors.New("behind the end of the file")
	// ErrNoSpace: the file system has no room for the page. errors.Is(err,
	// syscall.ENOSPC) holds as well.
	ErrNoSpace error = errnoCause{"the file system is full", syscall.ENOSPC}
	// ErrIO: the device failed to supply the page. errors.Is(err, syscall.EIO) holds as
	// well.
	ErrIO error = errnoCause{"the device failed", syscall.EIO}
	// ErrUnsupported: this memory, or this kernel, cannot do that. errors.Is(err,
	// errors.ErrUnsupported) holds as well.
	ErrUnsupported = fmt.Errorf("not possible with this memory: %w", errors.ErrUnsupported)
	// ErrNoMemory: the kernel could not supply a page that belongs to the
	// mapping: memory or huge pages ran out, or what was mapped there is gone.
	ErrNoMemory = errors.New("the kernel could not supply the page")
)

// closedError is ErrClosed, which stands for fs.ErrClosed too.
type closedError struct{}

func (closedError) Error() string        { return "mapping is closed" }
func (closedError) Is(target error) bool { return target == fs.ErrClosed }

// errnoCause is the cause of a fault, or of a refusal, that a system call reports by an
// errno.
type errnoCause struct {
	text  string
	errno syscall.Errno
}

func (e errnoCause) Error() string { return e.text }
func (e errnoCause) Unwrap() error { return e.errno }

// AccessError says which access to which mapping was refused, before any byte
// was touched.
type AccessError struct {
	Op      string // "read", "write", "view", …
	Mapping string // name of the mapping
	Off     int64
	Len     int64 // bytes asked for
	Size    int64 // bytes the mapping has
	Err     error // one of the errors of this package
	Detail  string
}

func (e *AccessError) Error() string {
	s := fmt.Sprintf("%s %s", e.Op, e.Mapping)
	if errors.Is(e.Err, ErrOutOfRange) {
		return fmt.Sprintf("%s: %d bytes at offset %d: %v of %d bytes", s, e.Len, e.Off, e.Err, e.Size)
	}
	s += ": " + e.Err.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

func (e *AccessError) Unwrap() error { return e.Err }

// FaultError is a SIGSEGV or SIGBUS inside a mapping, turned into an error.
type FaultError struct {
	Mapping string  // name of the mapping
	Off     int64   // offset of the fault in it; a copy need not touch the first bad byte first
	Addr    uintptr // address of the fault in this process
	// Access is Read or Write, or 0 where the kernel's evidence doesn't tell which.
	Access Protection
	Err    error // the cause: ErrClosed, ErrReadOnly, ErrTruncated and their like

	m *Mapping
}

func (e *FaultError) Error() string {
	what := map[Protection]string{Read: "read ", Write: "write "}[e.Access]
	return fmt.Sprintf("%sfault at offset %d of %s: %v", what, e.Off, e.Mapping, e.Err)
}

func (e *FaultError) Unwrap() error { return e.Err }

// OpError is an operation on the pages of a mapping that the kernel refused.
type OpError struct {
	Op       string // "protect", "lock", …
	Mapping  string // name of the mapping
	Off, Len int64  // the range asked for, in bytes
	Err      error  // the errno, and its cause if that is known
	Hint     string // what to do about it, if that is known
}

func (e *OpError) Error() string {
	s := fmt.Sprintf("%s %d bytes at offset %d of %s: %v", e.Op, e.Len, e.Off, e.Mapping, e.Err)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *OpError) Unwrap() error { return e.Err }
