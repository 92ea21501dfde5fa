package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"structs"
	"time"

	"github.com/shmkit/shmkit/topic"
)

// What a stream over a topic has in common; docs/abi/stream-topic.md. Lines are its messages, as they are. Files go through
// one whose messages are blocks, which has room for one publisher: that place is the turn.

// TopicOptions is what a topic is made with, besides what all streams are.
type TopicOptions struct {
	MaxLine int // the longest line, bytes; 0 is DefaultMaxLine
	Writers int // writers there can be at a time; 0 is DefaultTopicWriters. Of files there is one at a time
	Readers int // readers there can be at a time; 0 is DefaultTopicReaders
	History int // lines of each writer that are kept for readers that come later
}

const (
	// DefaultMaxLine is the longest line of a topic, unless it is made for others.
	DefaultMaxLine = topic.DefaultMaxMessage
	// DefaultTopicWriters and DefaultTopicReaders are how many there can be, likewise.
	DefaultTopicWriters = 8
	DefaultTopicReaders = 32
	// MaxTopicReaders and MaxTopicWriters are as many as a topic can be made for.
	MaxTopicReaders = topic.MaxSubscribers
	MaxTopicWriters = topic.MaxPublishers
	// MaxTopicLine is the longest line it can be made for, MaxTopicHistory the longest history.
	MaxTopicLine    = topic.MaxMessage
	MaxTopicHistory = 1 << 19

	leastDepth, mostDepth = 4, 1 << 18
)

// lines is the options of a topic of lines.
func (o *Options) lines() *topic.Options {
	t := &topic.Options{MaxMessage: cmp.Or(o.Topic.MaxLine, DefaultMaxLine), Publishers: cmp.Or(o.Topic.Writers, DefaultTopicWriters),
		Subscribers: cmp.Or(o.Topic.Readers, DefaultTopicReaders), History: o.Topic.History, Held: 1, Loans: 1, Mode: o.Mode, PublishMode: o.Mode}
	t.Depth = o.depth(int64(t.Publishers) * int64(t.MaxMessage))
	return t
}

// files is the options of a topic of blocks.
func (o *Options) files() *topic.Options {
	return &topic.Options{Publishers: 1, Subscribers: cmp.Or(o.Topic.Readers, DefaultTopicReaders), Depth: o.depth(blockSize), Held: 1, Loans: 1,
		Mode: o.Mode, PublishMode: o.Mode}
}

// answers is the options of the topic on which receivers tell the sender.
func (o *Options) answers() *topic.Options {
	return &topic.Options{Publishers: 16, Subscribers: 4, Depth: 64, Mode: o.Mode, PublishMode: o.Mode}
}

// depth is how many messages of a size the capacity has, within bounds.
func (o *Options) depth(size int64) int {
	return int(min(max(o.Capacity/size, leastDepth), mostDepth))
}

// blockSize is the size of the messages that a file is cut into.
const blockSize = 64 << 10

// block is such a message.
type block struct {
	_      structs.HostLayout
	Kind   uint32
	Length uint32 // of what counts of Data, bytes
	File   uint64 // random, the same in all blocks of a file
	Data   [blockSize - 16]byte
}

// answer is what a receiver that found a file to be right says.
type answer struct {
	_    structs.HostLayout
	File uint64
}

// AnswersOf is the name of the topic for answers that belongs to one for files.
func AnswersOf(name string) string { return name + "/received" }

// topicMember is what writers and readers over a topic have in common.
type topicMember struct {
	address string
	name    string
	o       Options
}

func newTopicMember(name string, o Options) (topicMember, error) {
	err := o.fill()
	return topicMember{address: "topic:" + name, name: name, o: o}, err
}

// tidy removes the topic for answers that a sender left behind which was killed: who opens what
// nobody alive has open does.
func (m *topicMember) tidy() {
	if t, err := topic.Open[answer](AnswersOf(m.name), nil); err == nil {
		_ = t.Close() // it has nothing to lose
	}
}

// fail puts an error of package topic in the words of the stream.
func (m *topicMember) fail(err error) error {
	detail := func(kind error, format string, args ...any) error {
		return &Error{Address: m.address, Err: kind, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, topic.ErrType):
		return detail(ErrContent, "%v", err)
	case errors.Is(err, topic.ErrPublishers):
		return detail(ErrFullWriters, "make it with more --publishers")
	case errors.Is(err, topic.ErrSubscribers):
		return detail(ErrFull, "make it with more --subscribers")
	case errors.Is(err, topic.ErrMembers):
		return detail(topic.ErrMembers, "make it with more --publishers or --subscribers")
	}
	return err
}

// A pace is how long to wait between looks: less first, more later.
type pace struct{ next time.Duration }

const (
	paceFirst = 500 * time.Microsecond
	paceLast  = 20 * time.Millisecond
)

// step is how long to wait now.
func (p *pace) step() time.Duration {
	p.next = min(max(2*p.next, paceFirst), paceLast)
	return p.next
}

// wait waits for as long.
func (p *pace) wait(ctx context.Context) error {
	timer := time.NewTimer(p.step())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// during runs f, which waits, for as long. ErrEmpty: nothing came.
func (p *pace) during(ctx context.Context, f func(context.Context) error) error {
	soon, cancel := context.WithTimeout(ctx, p.step())
	defer cancel()
	err := f(soon)
	switch {
	case err == nil:
		p.next = 0
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return topic.ErrEmpty
	}
	return err
}
