package kind

import (
	"fmt"
	"strings"

	"github.com/shmkit/shmkit/internal/address"
)

// UsageError is wrong usage of the command that only the kind could tell: a
// missing option, a text of the wrong form.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usage makes a *UsageError.
func Usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Error is a failure of a kind, in words for people; errors.Is finds what is behind.
type Error struct {
	Text string
	Err  error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// Missing is the error for an object that isn't there.
func Missing(a address.Address, err error) error { return &Error{a.String() + " does not exist", err} }

// partly is a failure after something was done.
type partly struct {
	done []string
	err  error
}

func (e *partly) Error() string {
	return e.err.Error() + " (done before: " + strings.Join(e.done, ", ") + ")"
}

func (e *partly) Unwrap() error { return e.err }

// After is err, together with what was done before it.
func After(done []string, err error) error {
	if err == nil || len(done) == 0 {
		return err
	}
	return &partly{done, err}
}
