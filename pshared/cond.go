package pshared

import (
	"context"
	"errors"
	"reflect"
	"structs"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// CondWord is a Cond in shared memory: 8 bytes. The zero value is one that nobody waits
// for.
type CondWord struct {
	_    structs.HostLayout
	turn words.Uint32 // where the next signal begins to look for who waits; advice
	_    uint32
}

// Cond is a handle of a condition between processes: goroutines wait until somebody says
// that what they wait for may have come true. They look whether it has, and change it,
// under a Mutex, the same for all. Its methods may be called by any number of goroutines at
// once.
//
//	for !ready() {
//		if err := c.Wait(ctx, mu); err != nil { … }
//	}
type Cond struct {
	core
	condRoom
	low    *words.Uint32      // the low half of this member's entry, which is slept on
	spin   futex.Spinner      // for a signal
	open   context.Context    // ends when the handle is closed
	cancel context.CancelFunc // ends it
}

// OpenCond opens the condition of a name, or makes it, as OpenMutex does.
func OpenCond(name string, o *Options) (*Cond, error) {
	h, err := open(object.Cond, name, reflect.TypeFor[CondWord](), o, nil)
	if err != nil {
		return nil, err
	}
	return obtain(h, 0, h.newCond), nil
}

// Cond returns a handle of a condition in the struct, as Mutex does.
func (s *Shared[T]) Cond(w *CondWord) *Cond {
	return obtain(s.in, offsetIn(s.data, w), s.in.newCond)
}

func (h *handle) newCond(at *place) *Cond {
	c := &Cond{condRoom: roomOf(h.o, at)}
	c.init(h, at)
	c.low = lowHalf(&c.entry.a)
	c.open, c.cancel = context.WithCancel(context.Background())
	_ = c.guard(func() error { // if the memory is gone who uses it finds out
		c.entry.b.Store(uint64(generationOf(c.me)) << 32)
		return nil
	})
	return c
}

// Wait unlocks mu, waits for a signal or until ctx ends, and locks mu again. It returns
// with the lock held, and
//
//   - nil: there was a signal, or for once none: look again whether what you wait for is true;
//   - ErrOwnerDead: the same, and the previous owner of mu died: see Mutex.Lock;
//   - the error of ctx: it ended, and no signal was used up. Locking mu is not cut short by
//     ctx: if somebody holds it for long, Wait takes as long.
//
// With any other error mu is not held: ErrNotHeld if it was not before, ErrClosed,
// ErrNotRecoverable of mu, a *shmkit.FaultError if the memory is gone.
//
// A goroutine that waits is killed with its process. The signal that it had been given, and
// had not locked mu for, goes to another.
func (c *Cond) Wait(ctx context.Context, mu *Mutex) error {
	if err := ctx.Err(); err != nil {
		return c.fail("wait for", err)
	}
	unlocked := false
	err := c.run(func() error { return c.wait(ctx, mu, &unlocked) })
	if err != nil && !unlocked {
		_ = mu.Unlock() // so that it is one thing to know about errors
	}
	return c.fail("wait for", cause(err))
}

// wait is Wait. unlocked: mu was unlocked, or that was tried.
func (c *Cond) wait(ctx context.Context, mu *Mutex, unlocked *bool) error {
	c.entry.a.Add(oneWaiting)
	point("cond:counted")
	q := futex.Enter(c.low)
	defer q.Leave()
	*unlocked = true
	if err := mu.Unlock(); err != nil {
		return errors.Join(cause(err), c.giveUp())
	}
	point("cond:unlocked")
	err := c.await(ctx, q)
	switch over := ctx.Err() != nil && errors.Is(err, ctx.Err()); {
	case err == nil || over && !c.withdraw(): // in time after all
		err = nil
	case !over:
		return errors.Join(err, c.giveUp())
	}
	told, lockErr := held(c.relock(mu))
	switch {
	case lockErr != nil && err == nil:
		return errors.Join(cause(lockErr), c.giveUp())
	case lockErr != nil:
		return cause(lockErr)
	case err == nil:
		point("cond:locked")
		c.take()
		point("cond:taken")
		race.Acquire(c.key)
	}
	if told {
		return ErrOwnerDead
	}
	return err
}

// relock locks mu after a wait. If mu is of another handle, closing that of the condition
// ends it.
func (c *Cond) relock(mu *Mutex) error {
	if mu.in == c.in {
		return mu.Lock(context.Background())
	}
	c.asleep.Add(1) // Close is to recall it; there is nothing to look after
	defer c.asleep.Add(-1)
	err := mu.Lock(c.open)
	if errors.Is(err, context.Canceled) {
		return ErrClosed
	}
	return err
}

// await waits until this goroutine is the first of this member and there is a signal.
func (c *Cond) await(ctx context.Context, q *futex.Waiter) error {
	e := c.entry
	if q.First() {
		for s := c.spin.Begin(); s.More(); {
			if signalsIn(e.a.Load()) > 0 {
				s.Hit()
				return nil
			}
		}
	}
	c.o.Waiting(1)
	defer c.o.Waiting(-1)
	c.in.sleeps(&c.core, 1)
	defer c.in.sleeps(&c.core, -1)
	for {
		first, a := q.First(), e.a.Load()
		switch {
		case waitingIn(a) == 0 || waitingIn(a) < signalsIn(a):
			return ErrCorrupt
		case first && signalsIn(a) > 0:
			return nil
		case c.in.isClosed():
			return ErrClosed
		case first && a&condSleeps == 0 && !e.a.CompareAndSwap(a, a|condSleeps):
			continue
		}
		point("cond:marked")
		if err := q.Sleep(ctx, condSleeps, longest); err != nil {
			return err
		}
		point("cond:woken")
	}
}

// withdraw makes this goroutine one that does not wait, unless it has a signal by now.
func (c *Cond) withdraw() bool {
	e := c.entry
	for {
		a := e.a.Load()
		if signalsIn(a) >= waitingIn(a) {
			return false
		}
		if e.a.CompareAndSwap(a, a-oneWaiting) {
			point("cond:withdrawn")
			return true
		}
	}
}

// take makes this goroutine one that does not wait, and takes its signal.
func (c *Cond) take() {
	e := c.entry
	for {
		a := e.a.Load()
		next := a - oneWaiting - oneSignal
		switch {
		case waitingIn(a) == 0: // somebody else has written it
			return
		case signalsIn(a) == 0:
			next = a - oneWaiting
		}
		if e.a.CompareAndSwap(a, next) {
			return
		}
	}
}

// giveUp makes this goroutine one that does not wait; the signal it has goes to another.
func (c *Cond) giveUp() error {
	if c.withdraw() {
		return nil
	}
	err := c.give(c.o.Slot())
	point("cond:given away")
	c.take()
	return err
}

// Signal wakes one goroutine that waits, in whatever process, if there is one. The
// caller may hold the mutex, and need not.
func (c *Cond) Signal() error {
	race.Release(c.key)
	return c.fail("signal", c.run(func() error { return c.give(-1) }))
}

// Broadcast wakes all goroutines that wait, in whatever processes. The caller may hold the
// mutex, and need not. If it is killed in the middle they are woken all the same.
func (c *Cond) Broadcast() error {
	race.Release(c.key)
	return c.fail("broadcast", c.run(func() error {
		c.entry.b.Add(1)
		defer c.entry.b.Add(^uint64(0))
		point("cond:broadcasting")
		return c.giveAll(-1)
	}))
}

// shut, held, reopen, recall and look implement primitive.
func (c *Cond) shut() {}

func (c *Cond) held() bool { return false }

func (c *Cond) reopen() {}

func (c *Cond) recall() {
	c.cancel()
	_ = futex.Recall(c.low) // if the memory is gone they find out themselves
}

func (c *Cond) look(dead asker) {
	if signalsIn(c.entry.a.Load()) > 0 {
		_, _ = futex.Wake(c.low, 1) // the same
	}
	for slot := range c.o.Highest() {
		if slot == c.o.Slot() || !c.owes(slot) {
			continue
		}
		if dead(c.who(slot)) {
			_, _ = c.o.Sweep() // another will do it if not this one
			return
		}
	}
}
