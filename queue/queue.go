package queue

import (
	"context"
	"fmt"
	"reflect"

	"github.com/shmkit/shmkit"
)

// Queue is a handle of a queue of items of type T. Its methods may be called by any number of
// goroutines at once.
type Queue[T any] struct{ *core }

// Open opens the queue of a name, or makes it; nil options are the zero Options. T must be free
// of pointers and the like, as for shmkit.View, and not empty, and everybody must use the same:
// another layout, or other names, is ErrType.
func Open[T any](name string, o *Options) (*Queue[T], error) {
	t, size := reflect.TypeFor[T](), sizeOf[T]()
	if size == 0 {
		return nil, fmt.Errorf("open queue:%s: %w: %v has no size", name, shmkit.ErrBadType, t)
	}
	c, err := open(name, t, size, checkType[T], o)
	if err != nil {
		return nil, err
	}
	return &Queue[T]{c}, nil
}

// checkType reports why there can be no T in shared memory.
func checkType[T any](m *shmkit.Mapping, offset int64) error {
	v, err := shmkit.View[T](m, offset)
	if err != nil {
		return err
	}
	return v.Close()
}

// Push puts a copy of an item at the end of the queue, waiting while it is full until ctx ends;
// its error is then the context's. If there is room ctx is not looked at.
func (q *Queue[T]) Push(ctx context.Context, item *T) error {
	l, err := q.Loan(ctx)
	if err != nil {
		return err
	}
	return l.pushCopy(item)
}

// TryPush is Push that does not wait for room: ErrFull. (It waits for who is in the middle of an
// operation, as all of this package does.)
func (q *Queue[T]) TryPush(item *T) error {
	l, err := q.TryLoan()
	if err != nil {
		return err
	}
	return l.pushCopy(item)
}

// Loan is room for an item, to be written in place. It counts among the items of the queue.
type Loan[T any] struct{ h held }

// Loan takes room for an item, waiting while the queue is full, as Push does.
func (q *Queue[T]) Loan(ctx context.Context) (Loan[T], error) {
	h, err := q.lend(ctx, true)
	return Loan[T]{h}, err
}

// TryLoan is Loan that does not wait: ErrFull.
func (q *Queue[T]) TryLoan() (Loan[T], error) {
	h, err := q.lend(context.Background(), false)
	return Loan[T]{h}, err
}

// Data returns the room in shared memory, with whatever was there before. It may be used until
// Push or Drop.
func (l *Loan[T]) Data() *T {
	if l.h.c == nil {
		return nil
	}
	return valueAt[T](l.h.c.payload(l.h.cell))
}

// Push puts the item at the end of the queue. ErrNotHeld: it was pushed or dropped already.
func (l *Loan[T]) Push() error { return l.h.push(int(l.h.room())) }

// Drop gives the room back.
func (l *Loan[T]) Drop() error { return l.h.drop() }

func (l *Loan[T]) pushCopy(item *T) error {
	return l.h.pushFilled(int(l.h.room()), func() { *l.Data() = *item })
}

// Item is an item that this handle has, alone, until Done or Retry. It may be copied; it is one
// item all the same.
type Item[T any] struct{ held }

// Pop takes the first item, waiting for one until ctx ends; its error is then the context's. If
// there is one ctx is not looked at. Should this process die before Done, the item is delivered
// again.
func (q *Queue[T]) Pop(ctx context.Context) (Item[T], error) {
	h, err := q.pop(ctx, true)
	return Item[T]{h}, err
}

// TryPop is Pop that does not wait for an item: ErrEmpty.
func (q *Queue[T]) TryPop() (Item[T], error) {
	h, err := q.pop(context.Background(), false)
	return Item[T]{h}, err
}

// PopDead takes the dead letter that was pushed first: Done removes it, Retry puts it back into
// the queue, and Keep leaves it a dead letter. ErrEmpty: there is none.
func (q *Queue[T]) PopDead() (Item[T], error) {
	h, err := q.popDead()
	return Item[T]{h}, err
}

// Data returns the item in shared memory. It may be used, and written to, until Done, Retry or
// Keep; what is written is what the next one gets after Retry.
func (i *Item[T]) Data() *T {
	if i.c == nil {
		return nil
	}
	return valueAt[T](i.c.payload(i.cell))
}
