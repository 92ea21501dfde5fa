package topic

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
)

// Topic is a handle of a topic of messages of type T, from which publishers and subscribers are
// made. Its methods may be called by any number of goroutines at once.
type Topic[T any] struct{ *node }

// Create makes the topic of a name, which must be free (fs.ErrExist); nil options are the zero
// Options. T must be free of pointers and the like, as for shmkit.View, and not empty, and
// everybody must use the same: another layout, or other names, is ErrType.
func Create[T any](name string, o *Options) (*Topic[T], error) {
	return openTyped[T](name, object.Create, o)
}

// Open opens a topic that exists (fs.ErrNotExist).
func Open[T any](name string, o *Options) (*Topic[T], error) {
	return openTyped[T](name, object.Open, o)
}

// OpenOrCreate opens the topic of a name, or makes it.
func OpenOrCreate[T any](name string, o *Options) (*Topic[T], error) {
	return openTyped[T](name, object.OpenOrCreate, o)
}

func openTyped[T any](name string, get getter, o *Options) (*Topic[T], error) {
	k := kind{reflect.TypeFor[T](), sizeOf[T](), checkType[T]}
	if k.room == 0 {
		return nil, fmt.Errorf("open topic:%s: %w: %v has no size", name, shmkit.ErrBadType, k.t)
	}
	n, err := open(name, k, get, o)
	if err != nil {
		return nil, err
	}
	return &Topic[T]{n}, nil
}

// Name returns the address in the words of the command: "topic:camera/front".
func (n *node) Name() string { return n.o.Address() }

// Close ends the use of the handle. Publishers and subscribers that were made of it stay. The last
// to be closed of all, in whatever process, removes a topic that is not persistent. A second
// Close does nothing.
func (n *node) Close() error { return n.close() }

// Publisher makes a publisher: ErrPublishers if there are as many as the topic was made for.
func (t *Topic[T]) Publisher() (*Publisher[T], error) {
	l, err := t.newLane()
	if err != nil {
		return nil, err
	}
	return &Publisher[T]{publisher{l}}, nil
}

// Subscriber makes a subscriber: ErrSubscribers if there are as many as the topic was made for.
// Nil options are the zero SubscriberOptions.
func (t *Topic[T]) Subscriber(o *SubscriberOptions) (*Subscriber[T], error) {
	s, err := t.subscribe(o)
	if err != nil {
		return nil, err
	}
	return &Subscriber[T]{subscriber{s}}, nil
}

// SubscriberOptions is how to subscribe. The zero value is a reliable subscriber that first gets
// the history that the topic keeps.
type SubscriberOptions struct {
	// BestEffort lets publishers overwrite what this subscriber has not read: it learns how many
	// messages it has missed. Without, publishers wait for it, or get ErrFull, unless the topic
	// was made so that none does.
	BestEffort bool
	// History is how many old messages of each publisher come first, at most, as far as the topic
	// keeps them: 0 is all of those, negative none.
	History int
	// Topic is what NewSubscriber makes the topic with, if there is none; nil is the zero Options.
	Topic *Options
}

func (n *node) subscribe(o *SubscriberOptions) (*seat, error) {
	if o == nil {
		o = &SubscriberOptions{}
	}
	history := n.history
	if o.History != 0 {
		history = min(max(o.History, 0), history)
	}
	return n.newSeat(!o.BestEffort, history)
}

// publisher is what publishers of all types have.
type publisher struct{ l *lane }

// ID returns the id of the publisher, which is in its messages. No two publishers of a topic
// have the same, but for one in 2^32.
func (p *publisher) ID() uint32 { return p.l.id }

// Name returns the address of the topic: "topic:camera/front".
func (p *publisher) Name() string { return p.l.n.Name() }

// Listeners tells who subscribes and how far each has read this publisher's messages, of which the
// last has the number sent. It includes the places that nobody is in any more.
func (p *publisher) Listeners() (sent uint64, all []Listener, err error) { return p.l.listeners() }

// Stat tells what is in the topic.
func (p *publisher) Stat() (Stat, error) { return p.l.n.Stat() }

// Close ends the publishing; what was published stays. Who waits in it gets ErrClosed. While
// loans are held nothing is closed (ErrHeld). A second Close does nothing.
func (p *publisher) Close() error { return p.l.close() }

// subscriber is what subscribers of all types have.
type subscriber struct{ s *seat }

// Missed returns how many messages the subscriber has missed since it subscribed.
func (s *subscriber) Missed() uint64 { return s.s.missed.Load() }

// Name returns the address of the topic: "topic:camera/front".
func (s *subscriber) Name() string { return s.s.n.Name() }

// Stat tells what is in the topic.
func (s *subscriber) Stat() (Stat, error) { return s.s.n.Stat() }

// Close ends the subscription. Who waits in it gets ErrClosed. While views are held nothing
// is closed (ErrHeld); those in channels whose contexts have ended are not. A second Close does nothing.
func (s *subscriber) Close() error { return s.s.close() }

// CloseIfDone is Close if no publisher is alive and there is no message that the subscriber has not
// had, and reports whether it is closed. A publisher that comes at the same moment either keeps the
// subscriber, or finds in Listeners that it is not ready.
func (s *subscriber) CloseIfDone() (closed bool, err error) { return s.s.closeIfDone() }

// NewPublisher opens the topic of a name, or makes it, and makes a publisher, with which the
// handle of the topic is closed.
func NewPublisher[T any](name string, o *Options) (*Publisher[T], error) {
	t, err := OpenOrCreate[T](name, o)
	if err != nil {
		return nil, err
	}
	p, err := t.Publisher()
	return p, errors.Join(err, t.Close())
}

// NewSubscriber opens the topic of a name, or makes it, and makes a subscriber, with which the
// handle of the topic is closed.
func NewSubscriber[T any](name string, o *SubscriberOptions) (*Subscriber[T], error) {
	t, err := OpenOrCreate[T](name, o.topic())
	if err != nil {
		return nil, err
	}
	s, err := t.Subscriber(o)
	return s, errors.Join(err, t.Close())
}

func (o *SubscriberOptions) topic() *Options {
	if o == nil {
		return nil
	}
	return o.Topic
}

// Publisher publishes messages of type T. Its methods may be called by any number of goroutines
// at once.
type Publisher[T any] struct{ publisher }

// Send publishes a copy of a message. It waits, until ctx ends, while a reliable subscriber is
// behind by the topic's depth; the error is then the context's. If there is room ctx is not looked
// at.
func (p *Publisher[T]) Send(ctx context.Context, message *T) error {
	return p.l.send(ctx, bytesOf(message, 1), true)
}

// TrySend is Send that does not wait: ErrFull.
func (p *Publisher[T]) TrySend(message *T) error {
	return p.l.send(context.Background(), bytesOf(message, 1), false)
}

// SendBatch publishes copies of messages, in their order and together as far as there is room, as
// Send does. It returns how many it published, which is all unless there is an error.
func (p *Publisher[T]) SendBatch(ctx context.Context, messages []T) (sent int, err error) {
	if len(messages) == 0 {
		return 0, nil
	}
	return p.l.sendBatch(ctx, batch{flat: bytesOf(&messages[0], len(messages)), size: int(sizeOf[T]())}, true)
}

// TrySendBatch is SendBatch that does not wait: it publishes as many as there is room for, ErrFull if
// there is none.
func (p *Publisher[T]) TrySendBatch(messages []T) (sent int, err error) {
	if len(messages) == 0 {
		return 0, nil
	}
	return p.l.sendBatch(context.Background(), batch{flat: bytesOf(&messages[0], len(messages)), size: int(sizeOf[T]())}, false)
}

// Loan is room for a message, to be written in place. It may be copied; it is one loan all the
// same.
type Loan[T any] struct{ loan }

// Loan takes room for a message, waiting as Send does. ErrTooMany: as many loans are held as
// Options.Loans says.
func (p *Publisher[T]) Loan(ctx context.Context) (Loan[T], error) {
	it, err := p.l.lend(ctx, true)
	return Loan[T]{it}, err
}

// TryLoan is Loan that does not wait: ErrFull.
func (p *Publisher[T]) TryLoan() (Loan[T], error) {
	it, err := p.l.lend(context.Background(), false)
	return Loan[T]{it}, err
}

// Data returns the room, with whatever was there before: in shared memory, unless messages are so
// small that they stand in their slots. It may be used until Publish or Drop.
func (l *Loan[T]) Data() *T {
	if l.l == nil {
		return nil
	}
	return valueAt[T](l.data)
}

// Publish publishes the message. It does not wait. ErrNotHeld: it was published or dropped
// already.
func (l *Loan[T]) Publish() error { return l.publish(len(l.data)) }

// Drop gives the room back.
func (l *Loan[T]) Drop() error { return l.drop() }

// Subscriber receives messages of type T. Its methods may be called by any number of goroutines
// at once: each message goes to one of them.
type Subscriber[T any] struct{ subscriber }

// Message is a message that a subscriber holds until Release. It may be copied; it is one
// message all the same.
type Message[T any] struct{ view }

// Data returns the message: in shared memory that can't be written to, unless messages are so small that
// they stand in their slots. It may be used until Release.
func (m *Message[T]) Data() *T {
	if m.s == nil {
		return nil
	}
	return valueAt[T](m.data)
}

// Receive takes the next message of any publisher, waiting for one until ctx ends; the error is then
// the context's. If there is one ctx is not looked at. ErrTooMany: as many messages are held as
// Options.Held says. ErrCorrupt: a message could not be one, or one that was not to be was
// overwritten; the next call goes on behind it.
func (s *Subscriber[T]) Receive(ctx context.Context) (m Message[T], err error) {
	err = s.s.until(ctx, true, func() error { return s.s.viewNow(&m.view, true) })
	return m, err
}

// TryReceive is Receive that does not wait: ErrEmpty.
func (s *Subscriber[T]) TryReceive() (m Message[T], err error) {
	err = s.s.until(context.Background(), false, func() error { return s.s.viewNow(&m.view, true) })
	return m, err
}

// ReceiveBatch takes as many messages as there are, at most as many as the slice has and can be held,
// waiting for the first as Receive does, and returns how many.
func (s *Subscriber[T]) ReceiveBatch(ctx context.Context, to []Message[T]) (n int, err error) {
	return s.receiveBatch(ctx, to, true)
}

// TryReceiveBatch is ReceiveBatch that does not wait: ErrEmpty.
func (s *Subscriber[T]) TryReceiveBatch(to []Message[T]) (n int, err error) {
	return s.receiveBatch(context.Background(), to, false)
}

func (s *Subscriber[T]) receiveBatch(ctx context.Context, to []Message[T], wait bool) (n int, err error) {
	err = s.s.until(ctx, wait, func() error {
		return s.s.several(&n, len(to), func(i int) error { return s.s.viewNow(&to[i].view, true) })
	})
	return n, err
}

// Read copies the next message to where to points, waiting as Receive does.
func (s *Subscriber[T]) Read(ctx context.Context, to *T) (i Info, err error) {
	b := bytesOf(to, 1) // which may panic
	err = s.s.until(ctx, true, func() error { _, err := s.s.copyNow(b, &i, true); return err })
	return i, err
}

// TryRead is Read that does not wait: ErrEmpty.
func (s *Subscriber[T]) TryRead(to *T) (i Info, err error) {
	b := bytesOf(to, 1)
	err = s.s.until(context.Background(), false, func() error { _, err := s.s.copyNow(b, &i, true); return err })
	return i, err
}

// ReadBatch copies as many messages as there are, at most as many as the slice has, waiting for the
// first as Receive does, and returns how many. Missed tells whether some were missed.
func (s *Subscriber[T]) ReadBatch(ctx context.Context, to []T) (n int, err error) {
	return s.readBatch(ctx, to, true)
}

// TryReadBatch is ReadBatch that does not wait: ErrEmpty.
func (s *Subscriber[T]) TryReadBatch(to []T) (n int, err error) {
	return s.readBatch(context.Background(), to, false)
}

func (s *Subscriber[T]) readBatch(ctx context.Context, to []T, wait bool) (n int, err error) {
	if len(to) == 0 {
		return 0, nil
	}
	var i Info
	err = s.s.until(ctx, wait, func() error {
		if n = s.s.copySeveral(bytesOf(&to[0], len(to)), int(sizeOf[T]())); n > 0 {
			return nil
		}
		return s.s.several(&n, len(to), func(k int) error {
			_, err := s.s.copyNow(bytesOf(&to[k], 1), &i, true)
			return err
		})
	})
	return n, err
}
