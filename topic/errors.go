package topic

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/object"
)

// Errors of topics.
var (
	// ErrEmpty: there is no message that this subscriber has not had.
	ErrEmpty = errors.New("no message is there")
	// ErrFull: a reliable subscriber has not read what would be overwritten, or loans have the room.
	ErrFull = errors.New("a reliable subscriber is behind, or loans are held, by as many messages as the topic was made for (Options.Depth)")
	// ErrTooLarge: the message is larger than the topic was made for (Options.MaxMessage).
	ErrTooLarge = errors.New("message is larger than the topic was made for (Options.MaxMessage)")
	// ErrTooMany: as many views (Options.Held), or loans (Options.Loans), are held as the topic was made for.
	ErrTooMany = errors.New("as many views or loans are held as the topic was made for (Options.Held, Options.Loans)")
	// ErrNotHeld: the view was released, or the loan published or dropped, already.
	ErrNotHeld = errors.New("it is not held")
	// ErrHeld: views or loans are held by what was to be closed.
	ErrHeld = errors.New("views or loans of it are held")
	// ErrPublishers: there are as many publishers as the topic was made for.
	ErrPublishers = errors.New("as many publishers are alive as the topic was made for (Options.Publishers)")
	// ErrSubscribers: there are as many subscribers as the topic was made for.
	ErrSubscribers = errors.New("as many subscribers are alive as the topic was made for (Options.Subscribers)")
	// ErrMembers: as many handles have the topic open as it was made for: Options.Publishers,
	// Options.Subscribers and 8 more.
	ErrMembers = object.ErrFull
	// ErrClosed: it was closed.
	ErrClosed = object.ErrGone
	// ErrCorrupt: the memory holds what no correct member writes.
	ErrCorrupt = object.ErrCorrupt
	// ErrType: the topic of that name has messages of another type.
	ErrType = object.ErrType
	// ErrVersion: it was made by another major version of this package.
	ErrVersion = object.ErrVersion
	// ErrForeign: a file of it, or its directory, is not one to trust.
	ErrForeign = object.ErrForeign
	// ErrInUse: living handles keep it from being removed.
	ErrInUse = object.ErrInUse
)

// Error is a failed operation on a topic.
type Error struct {
	Op    string // "send", "receive", …
	Topic string // its address, "topic:camera/front"
	Err   error  // one of this package's errors, the context's, or a *shmkit.FaultError
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Topic, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a deadline ran out, as net.Error does.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// fail says what failed. Full and empty come as they are, without an allocation: they are no
// failures to who tries.
func (n *node) fail(op string, err error) error {
	if err == nil || err == ErrEmpty || err == ErrFull {
		return err
	}
	return &Error{Op: op, Topic: n.o.Address(), Err: err}
}
