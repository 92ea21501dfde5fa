package object

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Errors that an Error wraps, besides errnos and those of io/fs.
var (
	// ErrCorrupt: the object holds what no correct member writes.
	ErrCorrupt = errors.New("object is corrupt")
	// ErrVersion: it was made by another major version.
	ErrVersion = errors.New("object has another version")
	// ErrType: it holds another type, or is of another kind.
	ErrType = errors.New("object has another type")
	// ErrFull: every slot of the member table is taken.
	ErrFull = errors.New("object has no free member slot")
	// ErrBusy: somebody who is joining or removing does not get on, for 10 s.
	ErrBusy = errors.New("object is busy")
	// ErrForeign: the file, or the directory, is not one that an object can be trusted
	// in: of another user, a symlink, no regular file, on a file system whose locks are
	// not real.
	ErrForeign = errors.New("not an object of this user")
	// ErrInUse: living members keep it.
	ErrInUse = errors.New("object has living members")
	// ErrGone: the object was removed, or its handle closed.
	ErrGone error = goneError{}
)

type goneError struct{}

func (goneError) Error() string        { return "object was closed" }
func (goneError) Is(target error) bool { return target == fs.ErrClosed }

// Error is a failed operation on an object.
type Error struct {
	Op     string // "create", "open", "join", …
	Object string // its address, "lock:orders"
	Err    error
	Detail string // why, and what to do about it; "" if nothing is known
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %v", e.Op, e.Object, e.Err)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func foreign(why string) error { return fmt.Errorf("%w: %s", ErrForeign, why) }

// noObject is the error of a file that something else wrote, or nobody yet: why says what was found, and what an object
// has there. It is ErrForeign, which the text does not say: whose the file is, is not what is wrong with it.
type noObject struct{ why string }

func (e noObject) Error() string        { return "it is no object of shmkit: " + e.why }
func (e noObject) Is(target error) bool { return target == ErrForeign }

// notBegun is the error of memory of size bytes that does not begin as an object does; start is what it begins with, if
// that was read.
func notBegun(size int64, start []byte) error {
	const begins = ", where an object begins with "
	switch {
	case size == 0:
		return noObject{"it is empty"}
	case size < headerSize:
		return noObject{fmt.Sprintf("it has %d bytes, and the header of an object alone has %d", size, headerSize)}
	case size > maxSize:
		return noObject{fmt.Sprintf("it has %d bytes, and an object %d at most", size, int64(maxSize))}
	case zero(start):
		return noObject{"it begins with zeros" + begins + strconv.Quote(magicText)}
	}
	return noObject{fmt.Sprintf("it begins with %q%s%q", start, begins, magicText)}
}
