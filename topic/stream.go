package topic

import (
	"context"
	"iter"
)

// Messages returns the messages that come, each to be released by the loop's body, until ctx ends or
// the subscriber is closed: the error says so, and is the last of the sequence, unless it is one that the
// next call of Receive goes on behind (ErrCorrupt).
func (s *Subscriber[T]) Messages(ctx context.Context) iter.Seq2[Message[T], error] {
	return sequence(ctx, s.Receive)
}

// Channel sends the messages that come to a channel with room for so many, until ctx ends. What is in
// the channel, and one message more, count as held: if as many are as Options.Held says, it waits until one is
// released. Once ctx has ended Close waits until what is in the channel has been given back.
func (s *Subscriber[T]) Channel(ctx context.Context, room int) *Channel[Message[T]] {
	return newChannel(ctx, s.s, room, s.Receive, func(m Message[T]) { _ = m.Release() }) // it is held
}

// Messages returns the messages that come, as Subscriber.Messages does.
func (s *BytesSubscriber) Messages(ctx context.Context) iter.Seq2[BytesMessage, error] {
	return sequence(ctx, s.Receive)
}

// Channel sends the messages that come to a channel, as Subscriber.Channel does.
func (s *BytesSubscriber) Channel(ctx context.Context, room int) *Channel[BytesMessage] {
	return newChannel(ctx, s.s, room, s.Receive, func(m BytesMessage) { _ = m.Release() }) // it is held
}
