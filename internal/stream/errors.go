package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// Errors of this package.
var (
	// ErrForeign: what has the address is no stream.
	ErrForeign = errors.New("not a stream")
	// ErrContent: the stream carries something else.
	ErrContent = errors.New("the stream carries something else")
	// ErrVersion: the stream in use was made by another version of shmkit.
	ErrVersion = errors.New("the stream has another version")
	// ErrBroken: the segment, the semaphores or the file were removed while in use.
	ErrBroken = errors.New("the stream was removed while in use")
	// ErrTruncated: the file was made shorter while in use.
	ErrTruncated = errors.New("the stream was truncated while in use")
	// ErrCorrupt: the memory holds what no correct participant writes.
	ErrCorrupt = errors.New("the stream is corrupt")
	// ErrFull: there are MaxReaders readers.
	ErrFull = errors.New("no room for another reader")
	// ErrFullWriters: there are MaxWriters writers on a file.
	ErrFullWriters = errors.New("no room for another writer")
	// ErrBusy: somebody holds the stream's lock for long, who should for moments.
	ErrBusy = errors.New("the lock of the stream is held")
	// ErrTooLong: a record does not fit.
	ErrTooLong = errors.New("too long for the stream")
	// ErrIncomplete: the sender ended before the file did.
	ErrIncomplete = errors.New("the file is incomplete")
	// ErrMismatch: what arrived is not what was sent.
	ErrMismatch = errors.New("the checksum does not match")
	// ErrNoReceiver: nobody is left to send to, or nobody verified the file.
	ErrNoReceiver = errors.New("no receiver")
)

// errTaken is ErrForeign, and in the terms of the standard library that something is
// there. Its text is that of ErrForeign.
var errTaken error = takenError{}

type takenError struct{}

func (takenError) Error() string   { return ErrForeign.Error() }
func (takenError) Unwrap() []error { return []error{ErrForeign, syscall.EEXIST} }

// errAgain: the stream went away between two steps; begin anew.
var errAgain = errors.New("the stream went away")

// Error is what went wrong with a stream.
type Error struct {
	Address string // as the user wrote it
	Err     error
	Detail  string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("stream %s: %v", e.Address, e.Err)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// several makes one error of those that are not nil. Its text is one line.
func several(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return errorList(errs)
}

type errorList []error

func (l errorList) Error() string {
	texts := make([]string, len(l))
	for i, err := range l {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (l errorList) Unwrap() []error { return l }
