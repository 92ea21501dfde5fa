package topic

import (
	"context"
	"errors"
	"iter"
)

// sequence is the iterator of what receive returns.
func sequence[M any](ctx context.Context, receive func(context.Context) (M, error)) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		for {
			err := ctx.Err() // also if there are always messages
			var m M
			if err == nil {
				m, err = receive(ctx)
			}
			if !yield(m, err) || err != nil && !errors.Is(err, ErrCorrupt) {
				return
			}
		}
	}
}

// Channel is messages on a channel, for select. Whoever takes one releases it.
type Channel[M any] struct {
	// C is closed after the last message.
	C <-chan M

	err error // written before C is closed
}

// Err returns why there are no more messages, once C is closed: the context's error, ErrClosed, or
// what else went wrong.
func (c *Channel[M]) Err() error { return c.err }

// newChannel starts a goroutine that sends what comes. When ctx ends it takes back what nobody has
// taken yet, and releases it. One message is held besides those in the channel.
func newChannel[M any](ctx context.Context, room int, receive func(context.Context) (M, error), release func(M)) *Channel[M] {
	ch := make(chan M, max(room, 0))
	c := &Channel[M]{C: ch}
	go func() {
		defer close(ch)
		c.err = forward(ctx, ch, receive, release)
		if ctx.Err() == nil {
			return // what is in the channel is still wanted
		}
		for {
			select {
			case m := <-ch:
				release(m)
			default:
				return
			}
		}
	}()
	return c
}

func forward[M any](ctx context.Context, ch chan<- M, receive func(context.Context) (M, error), release func(M)) error {
	for {
		m, err := receive(ctx)
		if err != nil {
			return err
		}
		select {
		case ch <- m:
		case <-ctx.Done():
			release(m)
			return ctx.Err()
		}
	}
}
