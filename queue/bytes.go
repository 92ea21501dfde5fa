package queue

import (
	"context"
	"fmt"
	"reflect"
)

// Bytes is a handle of a queue of items that are bytes, of any length up to what it was made
// for. Its methods may be called by any number of goroutines at once.
type Bytes struct{ *core }

// OpenBytes opens the queue of a name, or makes it, as Open does.
func OpenBytes(name string, o *Options) (*Bytes, error) {
	c, err := open(name, reflect.TypeFor[[]byte](), 0, nil, o)
	if err != nil {
		return nil, err
	}
	return &Bytes{c}, nil
}

// Push puts a copy of an item at the end of the queue, as Queue.Push does. ErrTooLarge: it is
// longer than the queue was made for.
func (q *Bytes) Push(ctx context.Context, item []byte) error { return q.pushCopy(ctx, item, true) }

// TryPush is Push that does not wait for room: ErrFull.
func (q *Bytes) TryPush(item []byte) error { return q.pushCopy(context.Background(), item, false) }

func (q *Bytes) pushCopy(ctx context.Context, item []byte, wait bool) error {
	if len(item) > int(q.room) {
		return q.fail("push", fmt.Errorf("%d bytes into %d: %w", len(item), q.room, ErrTooLarge))
	}
	h, err := q.lend(ctx, wait)
	if err != nil {
		return err
	}
	return h.pushFilled(len(item), func() { copy(q.payload(h.cell), item) })
}

// BytesLoan is room for an item of bytes, as Loan.
type BytesLoan struct{ h held }

// Loan takes room for an item, waiting while the queue is full, as Push does.
func (q *Bytes) Loan(ctx context.Context) (BytesLoan, error) {
	h, err := q.lend(ctx, true)
	return BytesLoan{h}, err
}

// TryLoan is Loan that does not wait: ErrFull.
func (q *Bytes) TryLoan() (BytesLoan, error) {
	h, err := q.lend(context.Background(), false)
	return BytesLoan{h}, err
}

// Data returns the room in shared memory, as long as the largest item, with whatever was there
// before. It may be used until Push or Drop.
func (l *BytesLoan) Data() []byte {
	if l.h.c == nil {
		return nil
	}
	return l.h.c.payload(l.h.cell)
}

// Push puts the first n bytes as an item at the end of the queue. ErrTooLarge: there are not
// as many; the loan is still held. ErrNotHeld: it was pushed or dropped already.
func (l *BytesLoan) Push(n int) error { return l.h.push(n) }

// Drop gives the room back.
func (l *BytesLoan) Drop() error { return l.h.drop() }

// BytesItem is an item of bytes, as Item.
type BytesItem struct{ held }

// Pop takes the first item, as Queue.Pop does.
func (q *Bytes) Pop(ctx context.Context) (BytesItem, error) {
	h, err := q.pop(ctx, true)
	return BytesItem{h}, err
}

// TryPop is Pop that does not wait for an item: ErrEmpty.
func (q *Bytes) TryPop() (BytesItem, error) {
	h, err := q.pop(context.Background(), false)
	return BytesItem{h}, err
}

// PopDead takes the dead letter that was pushed first, as Queue.PopDead does.
func (q *Bytes) PopDead() (BytesItem, error) {
	h, err := q.popDead()
	return BytesItem{h}, err
}

// Data returns the item in shared memory. It may be used until Done, Retry or Keep.
func (i *BytesItem) Data() []byte {
	if i.c == nil {
		return nil
	}
	return i.c.payload(i.cell)[:i.length:i.length]
}
