package topic

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
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
func newChannel[M any](ctx context.Context, s *seat, room int, receive func(context.Context) (M, error), release func(M)) *Channel[M] {
	ch := make(chan M, max(room, 0))
	c := &Channel[M]{C: ch}
	f := s.channels.add(ctx)
	go func() {
		defer s.channels.end(f)
		defer close(ch)
		c.err = forward(ctx, ch, func(ctx context.Context) (M, error) {
			m, err := receive(ctx)
			if errors.Is(err, ErrTooMany) {
				m, err = whenReleased(ctx, s, f, receive)
			}
			return m, err
		}, release)
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

// channels are those of a subscriber.
type channels struct {
	// full is how many of them wait for a view to be released.
	full atomic.Int32

	mu  sync.Mutex
	all map[*feed]bool // protected by mu
}

// A feed is what its subscriber knows of a channel.
type feed struct {
	ctx      context.Context
	released chan struct{} // has something when a view was released
	ended    chan struct{} // is closed when it holds nothing any more
}

func (c *channels) add(ctx context.Context) *feed {
	f := &feed{ctx: ctx, released: make(chan struct{}, 1), ended: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[*feed]bool{}
	}
	c.all[f] = true
	return f
}

func (c *channels) end(f *feed) {
	c.mu.Lock()
	delete(c.all, f)
	c.mu.Unlock()
	close(f.ended)
}

// release tells those that wait for a view to be released that one was.
func (c *channels) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.all {
		select {
		case f.released <- struct{}{}:
		default:
		}
	}
}

// await waits for those to end whose contexts have, and who give back what they have by themselves.
func (c *channels) await() {
	c.mu.Lock()
	var list []*feed
	for f := range c.all {
		if f.ctx.Err() != nil {
			list = append(list, f)
		}
	}
	c.mu.Unlock()
	for _, f := range list {
		<-f.ended
	}
}

// whenReleased receives as soon as a view is free.
func whenReleased[M any](ctx context.Context, s *seat, f *feed, receive func(context.Context) (M, error)) (m M, err error) {
	s.channels.full.Add(1) // who releases a view from now on tells
	defer s.channels.full.Add(-1)
	for {
		if m, err = receive(ctx); !errors.Is(err, ErrTooMany) {
			return m, err
		}
		select {
		case <-f.released:
		case <-ctx.Done():
			return m, ctx.Err()
		}
	}
}
