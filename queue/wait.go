package queue

import (
	"context"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/words"
)

// longest is the longest sleep without a look of one's own. It is for memory that was cut
// off, of which the kernel wakes nobody.
var longest = time.Second

// A turn is one of the two things that goroutines wait for: an item, or a free cell.
type turn struct {
	word *words.Uint32
	none error // there is nothing to be had: ErrEmpty or ErrFull
	ring wakes
	// more reports whether there may be something to be had; without the mutex it is a hint.
	more func(c *core) bool
}

func (c *core) forItem() turn {
	return turn{&c.w.filled, ErrEmpty, wakeFilled, func(c *core) bool { return c.w.ready.Load() != 0 }}
}

func (c *core) forCell() turn {
	return turn{&c.w.emptied, ErrFull, wakeEmptied, func(c *core) bool { return c.w.live.Load() < c.capacity }}
}

// try is a step; if there is nothing to be had, it looks for the dead, and tries again.
func (c *core) try(ctx context.Context, none error, step func() (wakes, error)) error {
	c.nowAndThen()
	err := c.do(ctx, step)
	if err != none {
		return err
	}
	if found, e := c.sweep(); e != nil || !found {
		if e != nil {
			err = e
		}
		return err
	}
	return c.do(ctx, step)
}

// wait is try until there is something to be had.
func (c *core) wait(ctx context.Context, t turn, step func() (wakes, error)) error {
	err := c.try(ctx, t.none, step)
	if err != t.none {
		return err
	}
	for s := c.spin.Begin(); s.More(); {
		if !c.seen(t) {
			continue
		}
		if err := c.do(ctx, step); err != t.none {
			s.Hit()
			return err
		}
	}
	return c.sleepFor(ctx, t, step)
}

// seen reports whether there may be something to be had.
func (c *core) seen(t turn) (may bool) {
	if !c.house.Enter() {
		return true // and who tries is told
	}
	defer c.house.Leave()
	if shmkit.Guard(func() { may = t.more(c) }) != nil {
		return true
	}
	return may
}

// sleepFor is wait by sleeping.
func (c *core) sleepFor(ctx context.Context, t turn, step func() (wakes, error)) error {
	if !c.house.Enter() {
		return ErrClosed
	}
	defer c.house.Leave()
	if err := c.waiting(1); err != nil {
		return err
	}
	defer c.waiting(-1)
	c.house.Sleeps(1)
	defer c.house.Sleeps(-1)
	q := futex.Enter(t.word)
	defer q.Leave()
	for slept := false; ; slept = true {
		var v uint32
		err := c.do(ctx, func() (wakes, error) {
			due, err := step()
			if err == t.none || slept && err == nil {
				v = t.word.Or(somebodySleeps) | somebodySleeps
				point("wait:marked")
			}
			if err == nil && slept && t.more(c) { // there may be one for whoever else sleeps
				due |= c.ring(t.word, t.ring)
			}
			return due, err
		})
		if err == t.none && c.house.Closed() {
			err = ErrClosed
		}
		if err == nil {
			return nil
		}
		if err != t.none {
			if slept { // the wake-up may have been for something that is there
				c.passOn(t)
			}
			return err
		}
		point("wait:asleep")
		if err := q.Sleep(ctx, v, longest); err != nil {
			return err // and the mark is set for whoever else sleeps
		}
		point("wait:woken")
	}
}

// passOn wakes another sleeper, without the mutex.
func (c *core) passOn(t turn) {
	_ = shmkit.Guard(func() { t.word.Or(somebodySleeps) }) // if the memory is gone they find out themselves
	_, _ = futex.Wake(t.word, 1)                           // the same
	point("wait:passed on")
}

// waiting counts who sleeps, for people.
func (c *core) waiting(n int) error { return shmkit.Guard(func() { c.o.Waiting(n) }) }
