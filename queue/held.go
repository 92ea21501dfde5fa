package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit"
)

// held is an item or a loan that this member has, whatever its type.
type held struct {
	c        *core
	cell     uint32
	length   uint32
	nth      uint32 // time that this member has the cell
	state    uint64 // that it wrote
	sequence uint64 // 0 of a loan
}

// Deliveries returns how often the item was delivered, this time included: 1 the first time. If
// it is more, whoever had it before died with it, or said Retry. Of a dead letter it is how often
// it was delivered before it became one.
func (h *held) Deliveries() int { return int(deliveriesOf(h.state)) }

// Sequence returns the item's place in the order in which items were pushed.
func (h *held) Sequence() uint64 { return h.sequence }

// Done says that the item is done with: it is gone, and what Data returned must not be used
// any more. ErrNotHeld: it was given back already. With any error, here and of Retry but for
// ErrFull, it is not held any more: if memory that was spoilt is to blame, it may come back.
func (h *held) Done() error {
	return h.end("finish", func() (wakes, error) { return h.c.finish(h.cell), nil })
}

// Retry gives the item back, to be delivered again, to anybody: it goes in front of all that were
// pushed after it. If it was delivered as often as is allowed, it becomes a dead letter. A dead
// letter goes back into the queue as if it had never been delivered, unless the queue is full
// (ErrFull): then it stays held.
func (h *held) Retry() error {
	return h.end("retry", func() (wakes, error) { return h.c.retry(h.cell) })
}

// Keep gives a dead letter back, to stay one.
func (h *held) Keep() error {
	return h.end("keep", func() (wakes, error) {
		if stateOf(h.state) != deadClaimed {
			return 0, ErrNotHeld
		}
		return h.c.keep(h.cell)
	})
}

// end is a step of who has the cell.
func (h *held) end(op string, step func() (wakes, error)) error {
	if h.c == nil {
		return &Error{Op: op, Queue: "queue", Err: ErrNotHeld}
	}
	err := h.c.do(context.Background(), func() (wakes, error) {
		if h.c.mine[h.cell].Load() != h.nth || h.c.cell(h.cell).state.Load() != h.state {
			return 0, ErrNotHeld
		}
		return step()
	})
	if err != nil && err != ErrFull && err != ErrNotHeld { // the memory is spoilt, or gone
		h.c.forget(h.cell, h.nth)
	}
	return h.c.fail(op, err)
}

// lend waits for a free cell, or, without a turn to wait for, tries to get one.
func (c *core) lend(ctx context.Context, wait bool) (h held, err error) {
	step := func() (wakes, error) {
		l, err := c.reserve()
		if err == nil {
			h = l
		}
		return 0, err
	}
	if wait {
		err = c.wait(ctx, c.forCell(), step)
	} else {
		err = c.try(ctx, ErrFull, step)
	}
	return h, c.fail("push", err)
}

// push makes an item of a loan.
func (h *held) push(length int) error {
	if h.c != nil && (length < 0 || length > int(h.c.room)) {
		return h.c.fail("push", fmt.Errorf("%d bytes into %d: %w", length, h.c.room, ErrTooLarge))
	}
	return h.end("push", func() (wakes, error) { return h.c.commit(h.cell, length) })
}

// pushFilled is push once fill has written the item.
func (h *held) pushFilled(length int, fill func()) error {
	if !h.c.house.Enter() { // while something is held a handle is not closed
		return h.c.fail("push", ErrClosed)
	}
	fault := shmkit.Guard(fill)
	h.c.house.Leave()
	if fault != nil {
		return errors.Join(h.c.fail("push", fault), h.drop())
	}
	point("push:written")
	err := h.push(length)
	if err != nil { // nobody else knows of the loan
		h.c.forget(h.cell, h.nth)
	}
	return err
}

// room returns how many bytes there are for the item, 0 if nothing is held.
func (h *held) room() uint32 {
	if h.c == nil {
		return 0
	}
	return h.c.room
}

// drop gives a loan back.
func (h *held) drop() error {
	return h.end("drop", func() (wakes, error) { return h.c.finish(h.cell), nil })
}

// pop waits for an item, or tries to get one.
func (c *core) pop(ctx context.Context, wait bool) (h held, err error) {
	step := func() (wakes, error) {
		it, err := c.claim(c.readyList(), claimed)
		if err == nil {
			h = it
		}
		return 0, err
	}
	if wait {
		err = c.wait(ctx, c.forItem(), step)
	} else {
		err = c.try(ctx, ErrEmpty, step)
	}
	return h, c.fail("pop", err)
}

// popDead takes the oldest dead letter.
func (c *core) popDead() (h held, err error) {
	err = c.try(context.Background(), ErrEmpty, func() (wakes, error) {
		it, err := c.claim(c.deadList(), deadClaimed)
		if err == nil {
			h = it
		}
		return 0, err
	})
	return h, c.fail("pop a dead letter of", err)
}
