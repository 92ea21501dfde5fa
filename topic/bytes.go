package topic

import (
	"context"
	"errors"
	"reflect"

	"github.com/shmkit/shmkit/internal/object"
)

// Bytes is a handle of a topic of messages that are bytes, of any length up to what it was made for.
// Its methods may be called by any number of goroutines at once.
type Bytes struct{ *node }

// CreateBytes makes the topic of a name, as Create does.
func CreateBytes(name string, o *Options) (*Bytes, error) {
	return openBytes(name, object.Create, o)
}

// OpenBytes opens a topic that exists, as Open does.
func OpenBytes(name string, o *Options) (*Bytes, error) { return openBytes(name, object.Open, o) }

// OpenOrCreateBytes opens the topic of a name, or makes it.
func OpenOrCreateBytes(name string, o *Options) (*Bytes, error) {
	return openBytes(name, object.OpenOrCreate, o)
}

func openBytes(name string, get getter, o *Options) (*Bytes, error) {
	n, err := open(name, kind{t: reflect.TypeFor[[]byte]()}, get, o)
	if err != nil {
		return nil, err
	}
	return &Bytes{n}, nil
}

// Publisher makes a publisher, as Topic.Publisher does.
func (t *Bytes) Publisher() (*BytesPublisher, error) {
	l, err := t.newLane()
	if err != nil {
		return nil, err
	}
	return &BytesPublisher{publisher{l}}, nil
}

// Subscriber makes a subscriber, as Topic.Subscriber does.
func (t *Bytes) Subscriber(o *SubscriberOptions) (*BytesSubscriber, error) {
	s, err := t.subscribe(o)
	if err != nil {
		return nil, err
	}
	return &BytesSubscriber{subscriber{s}}, nil
}

// NewBytesPublisher opens the topic of a name, or makes it, and makes a publisher, as NewPublisher
// does.
func NewBytesPublisher(name string, o *Options) (*BytesPublisher, error) {
	t, err := OpenOrCreateBytes(name, o)
	if err != nil {
		return nil, err
	}
	p, err := t.Publisher()
	return p, errors.Join(err, t.Close())
}

// NewBytesSubscriber opens the topic of a name, or makes it, and makes a subscriber, as
// NewSubscriber does.
func NewBytesSubscriber(name string, o *SubscriberOptions) (*BytesSubscriber, error) {
	t, err := OpenOrCreateBytes(name, o.topic())
	if err != nil {
		return nil, err
	}
	s, err := t.Subscriber(o)
	return s, errors.Join(err, t.Close())
}

// BytesPublisher publishes messages of bytes. Its methods may be called by any number of
// goroutines at once.
type BytesPublisher struct{ publisher }

// Send publishes a copy of a message, as Publisher.Send does. ErrTooLarge: it is longer than the topic
// was made for.
func (p *BytesPublisher) Send(ctx context.Context, message []byte) error {
	return p.l.send(ctx, message, true)
}

// TrySend is Send that does not wait: ErrFull.
func (p *BytesPublisher) TrySend(message []byte) error {
	return p.l.send(context.Background(), message, false)
}

// SendBatch publishes copies of messages, as Publisher.SendBatch does. ErrTooLarge: one of them is
// longer than the topic was made for, and none is published.
func (p *BytesPublisher) SendBatch(ctx context.Context, messages [][]byte) (sent int, err error) {
	if len(messages) == 0 {
		return 0, nil
	}
	return p.l.sendBatch(ctx, batch{each: messages}, true)
}

// TrySendBatch is SendBatch that does not wait: it publishes as many as there is room for, ErrFull if
// there is none.
func (p *BytesPublisher) TrySendBatch(messages [][]byte) (sent int, err error) {
	if len(messages) == 0 {
		return 0, nil
	}
	return p.l.sendBatch(context.Background(), batch{each: messages}, false)
}

// BytesLoan is room for a message of bytes, as Loan.
type BytesLoan struct{ loan }

// Loan takes room for a message, as Publisher.Loan does.
func (p *BytesPublisher) Loan(ctx context.Context) (BytesLoan, error) {
	it, err := p.l.lend(ctx, true)
	return BytesLoan{it}, err
}

// TryLoan is Loan that does not wait: ErrFull.
func (p *BytesPublisher) TryLoan() (BytesLoan, error) {
	it, err := p.l.lend(context.Background(), false)
	return BytesLoan{it}, err
}

// Data returns the room, as long as the longest message, as Loan.Data does.
func (l *BytesLoan) Data() []byte { return l.data }

// Publish publishes the first n bytes. ErrTooLarge: there are not as many; the loan is still held.
// ErrNotHeld: it was published or dropped already.
func (l *BytesLoan) Publish(n int) error { return l.publish(n) }

// Drop gives the room back.
func (l *BytesLoan) Drop() error { return l.drop() }

// BytesSubscriber receives messages of bytes. Its methods may be called by any number of goroutines
// at once: each message goes to one of them.
type BytesSubscriber struct{ subscriber }

// BytesMessage is a message of bytes, as Message.
type BytesMessage struct{ view }

// Data returns the message, as Message.Data does.
func (m *BytesMessage) Data() []byte { return m.data }

// Receive takes the next message, as Subscriber.Receive does.
func (s *BytesSubscriber) Receive(ctx context.Context) (m BytesMessage, err error) {
	err = s.s.until(ctx, true, func() error { return s.s.viewNow(&m.view, false) })
	return m, err
}

// TryReceive is Receive that does not wait: ErrEmpty.
func (s *BytesSubscriber) TryReceive() (m BytesMessage, err error) {
	err = s.s.until(context.Background(), false, func() error { return s.s.viewNow(&m.view, false) })
	return m, err
}

// ReceiveBatch takes as many messages as there are, as Subscriber.ReceiveBatch does.
func (s *BytesSubscriber) ReceiveBatch(ctx context.Context, to []BytesMessage) (n int, err error) {
	return s.receiveBatch(ctx, to, true)
}

// TryReceiveBatch is ReceiveBatch that does not wait: ErrEmpty.
func (s *BytesSubscriber) TryReceiveBatch(to []BytesMessage) (n int, err error) {
	return s.receiveBatch(context.Background(), to, false)
}

func (s *BytesSubscriber) receiveBatch(ctx context.Context, to []BytesMessage, wait bool) (n int, err error) {
	err = s.s.until(ctx, wait, func() error {
		return s.s.several(&n, len(to), func(i int) error { return s.s.viewNow(&to[i].view, false) })
	})
	return n, err
}

// Read copies the next message to the beginning of to, waiting as Receive does, and returns its
// length. io.ErrShortBuffer: it is longer than to, n says how long, and it is still the next one.
func (s *BytesSubscriber) Read(ctx context.Context, to []byte) (n int, i Info, err error) {
	err = s.s.until(ctx, true, func() (err error) { n, err = s.s.copyNow(to, &i, false); return err })
	return n, i, err
}

// TryRead is Read that does not wait: ErrEmpty.
func (s *BytesSubscriber) TryRead(to []byte) (n int, i Info, err error) {
	err = s.s.until(context.Background(), false, func() (err error) { n, err = s.s.copyNow(to, &i, false); return err })
	return n, i, err
}
