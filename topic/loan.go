package topic

import (
	"context"
)

// loans are the loans of a publisher. Protected by lane.mu.
type loans struct {
	out    int // each has room in the ring
	serial uint64
	each   []lent
	room   []byte // where messages are written that stand in their slots
}

// lent is a loan, or, if its serial is 0, none.
type lent struct {
	serial uint64
	chunk  uint32
}

// A loan is what its owner has of it.
type loan struct {
	l      *lane
	index  int
	serial uint64
	data   []byte
}

// lend waits for room for a message, or, without waiting, tries to get it.
func (l *lane) lend(ctx context.Context, wait bool) (it loan, err error) {
	for {
		err := l.run(func() error { return l.lendNow(&it) })
		if err == ErrFull {
			err = l.evicted(func() error { return l.lendNow(&it) })
		}
		if err != ErrFull || !wait {
			return it, l.n.fail("lend from", err)
		}
		if err := l.await(ctx); err != nil {
			return it, l.n.fail("lend from", err)
		}
	}
}

// lendNow lends room for a message if there is any. mu is held.
func (l *lane) lendNow(it *loan) error {
	n, o := l.n, &l.loans
	if o.each == nil {
		o.each = make([]lent, n.geometry.loans)
		if n.inline {
			o.room = alignedBytes(n.geometry.loans * roundUp(n.geometry.room, 64))
		}
	}
	if o.out == len(o.each) {
		return ErrTooMany
	}
	if l.room(1) == 0 {
		return ErrFull
	}
	index := 0
	for o.each[index].serial != 0 {
		index++
	}
	it.l, it.index = l, index
	if n.inline {
		at := index * roundUp(n.geometry.room, 64)
		it.data = o.room[at : at+n.geometry.room : at+n.geometry.room]
	} else {
		chunk, err := l.take()
		if err != nil {
			return err
		}
		o.each[index].chunk = chunk
		it.data = l.m.chunk(l.index, chunk)
	}
	point("loan:taken")
	o.serial++
	o.out++
	o.each[index].serial, it.serial = o.serial, o.serial
	return nil
}

// end runs f as who holds the loan, and ends it.
func (it *loan) end(op string, f func(l *lane, e *lent) error) error {
	l := it.l
	if l == nil {
		return &Error{Op: op, Topic: "topic", Err: ErrNotHeld}
	}
	return l.n.fail(op, l.alone(func() error {
		e := &l.loans.each[it.index]
		if it.serial == 0 || e.serial != it.serial {
			return ErrNotHeld
		}
		e.serial = 0
		l.loans.out--
		return f(l, e)
	}))
}

// publish publishes the first length bytes of it.
func (it *loan) publish(length int) error {
	if it.l != nil && (length < 0 || length > len(it.data)) {
		return it.l.n.fail("publish", it.l.n.tooLarge(length))
	}
	return it.end("publish", func(l *lane, e *lent) error {
		v := l.tail + 2
		l.erase(v)
		b := l.slot(v)
		if l.n.inline {
			l.writeSlot(b, it.data[:length])
		} else {
			l.writeChunk(b, v, e.chunk)
		}
		l.describe(slotAt(b), length)
		l.commit(b, v, v)
		return nil
	})
}

// drop gives it back.
func (it *loan) drop() error {
	return it.end("drop", func(l *lane, e *lent) error {
		if !l.n.inline {
			l.giveBack(e.chunk)
		}
		if l.asleep.Load() > 0 { // another goroutine waits for the room that this one had
			l.n.wake(l.bell)
		}
		return nil
	})
}
