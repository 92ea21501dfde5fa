package topic

import (
	"errors"

	"github.com/shmkit/shmkit/internal/object"
)

// BytesType is what topics of bytes say of the type of their messages.
const BytesType = "[]uint8"

// NewRawSubscriber subscribes to a topic that exists (fs.ErrNotExist), whatever the type of its messages,
// and receives them as the bytes that they are in memory: for tools that show, count or keep
// messages of programs they know nothing of. Type says what the messages are. There is no such way to publish: who
// publishes has to know the type. Options.Topic counts for the directory, and for who is trusted.
func NewRawSubscriber(name string, o *SubscriberOptions) (*BytesSubscriber, error) {
	n, err := open(name, kind{}, object.Open, o.topic())
	if err != nil {
		return nil, err
	}
	t := &Bytes{n}
	s, err := t.Subscriber(o)
	return s, errors.Join(err, t.Close())
}

// Type returns the type of the messages as their program has it, "main.Frame"; BytesType if they are bytes.
func (s *subscriber) Type() string { return s.s.n.o.Type() }
