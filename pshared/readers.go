package pshared

import (
	"context"
	"errors"
	"runtime"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/race"
)

// join counts this goroutine among those inside, false if the handle is being closed.
// The entry holds the generation for who was about to come in when the handle was
// closed, and another member has the record by now.
func (rw *RWMutex) join() bool {
	for {
		a := rw.entry.a.Load()
		if generationIn(a) != rw.gen {
			return false
		}
		if rw.entry.a.CompareAndSwap(a, a+1) {
			return true
		}
	}
}

// part undoes join, false if nobody is inside.
func (rw *RWMutex) part() bool {
	for {
		a := rw.entry.a.Load()
		if generationIn(a) != rw.gen || activeIn(a) == 0 {
			return false
		}
		if rw.entry.a.CompareAndSwap(a, a-1) {
			return true
		}
	}
}

// shutOut returns why join failed, nil if Close was refused in the meantime.
func (rw *RWMutex) shutOut() error {
	rw.in.mu.Lock() // nobody is just finding out whether it can be closed
	defer rw.in.mu.Unlock()
	switch {
	case rw.in.closing:
		return ErrClosed
	case generationIn(rw.entry.a.Load()) != rw.gen:
		return ErrCorrupt
	}
	return nil
}

// RLock takes the lock for reading, and waits until ctx ends; its error is then the
// context's. Without a writer ctx is not looked at. ErrWriterDead, which is also
// ErrOwnerDead: a writer died and what it left is not repaired; the lock is not held. Lock,
// repair, and call MakeConsistent. With any other error the lock is not held either.
//
// Who holds it already and takes it again may wait for a writer that waits for the first.
func (rw *RWMutex) RLock(ctx context.Context) error {
	a := rw.entry.a.Load()
	if generationIn(a) != rw.gen || !rw.entry.a.CompareAndSwap(a, a+1) {
		return rw.rlockSlow(ctx, false)
	}
	if rw.word.gate.Load()&gateClosed != 0 {
		return rw.rlockSlow(ctx, true)
	}
	race.Acquire(rw.key)
	runtime.KeepAlive(rw)
	return nil
}

// TryRLock is RLock that does not wait: held is false if a writer has the lock, or is about
// to.
func (rw *RWMutex) TryRLock() (held bool, err error) {
	err = rw.run(func() (err error) {
		held, err = rw.enter()
		if !held && err == nil {
			err = rw.trouble(rw.word.gate.Load())
		}
		return err
	})
	return held, rw.fail("lock for reading", err)
}

// RUnlock gives the lock back that was taken for reading, by any goroutine of this
// handle. ErrNotHeld: none holds it so, and nothing was done.
func (rw *RWMutex) RUnlock() error {
	race.Release(rw.readers)
	a := rw.entry.a.Load()
	if generationIn(a) != rw.gen || activeIn(a) == 0 || !rw.entry.a.CompareAndSwap(a, a-1) {
		return rw.runlockSlow(false)
	}
	if rw.word.gate.Load()&gateClosed != 0 {
		return rw.runlockSlow(true)
	}
	runtime.KeepAlive(rw)
	return nil
}

// runlockSlow is RUnlock if there is more to do. parted: this goroutine does not count as
// active any more, and the handle may be closed by another.
func (rw *RWMutex) runlockSlow(parted bool) error {
	err := rw.guard(func() error {
		if !parted && !rw.part() {
			return ErrNotHeld
		}
		point("runlock:parted")
		if rw.word.gate.Load()&gateClosed == 0 {
			return nil
		}
		return rw.word.bell.ring()
	})
	if err == ErrNotHeld && rw.in.isClosed() {
		err = ErrClosed
	}
	return rw.fail("unlock after reading", err)
}

// enter goes in if the gate is open.
func (rw *RWMutex) enter() (held bool, err error) {
	if rw.word.gate.Load()&gateClosed != 0 {
		return false, nil
	}
	point("rlock:open")
	for !rw.join() {
		if err := rw.shutOut(); err != nil {
			return false, err
		}
	}
	point("rlock:active")
	if rw.word.gate.Load()&gateClosed == 0 {
		race.Acquire(rw.key)
		return true, nil
	}
	return false, rw.back()
}

// back undoes join for who found the gate closed.
func (rw *RWMutex) back() error {
	rw.part()
	point("rlock:back")
	return rw.word.bell.ring()
}

// trouble returns why nobody opens a gate that was seen closed: the writer died, or what it
// guards is lost. nil: somebody will, or has.
func (rw *RWMutex) trouble(v uint32) error {
	if v&gateClosed == 0 {
		return nil
	}
	state := rw.word.writers.state.Load()
	var err error
	switch {
	case state == notRecoverable:
		err = ErrNotRecoverable
	case !rw.writers.possible(state), state&^waiters == 0:
		err = ErrCorrupt
	case state&ownerMask == 0 || rw.dead(state):
		err = ErrWriterDead
	}
	// Of another phase by now: that was its writer's way out.
	if rw.word.gate.Load()&^readersSleep != v&^readersSleep {
		return nil
	}
	return err
}

// rlockSlow is RLock if it is not done at once. joined: this goroutine counts as active, and
// the gate was closed.
func (rw *RWMutex) rlockSlow(ctx context.Context, joined bool) error {
	return rw.fail("lock for reading", rw.run(func() error {
		if joined {
			if err := rw.back(); err != nil {
				return err
			}
		}
		if held, err := rw.enter(); held || err != nil {
			return err
		}
		for s := rw.spin.Begin(); s.More(); {
			if held, err := rw.enter(); held || err != nil {
				s.Hit()
				return err
			}
		}
		return rw.sleepForGate(ctx)
	}))
}

// mark sets what this goroutine waits for the end of, 0 is nothing, in place of old. What is
// not there (a peer wrote to it) is not taken away.
func (rw *RWMutex) mark(old, m uint64) error {
	if m == old {
		return nil
	}
	for {
		b := rw.entry.b.Load()
		next := b + m
		if old != 0 && b&(old*(1<<32-1)) != 0 {
			next -= old
		}
		if rw.entry.b.CompareAndSwap(b, next) {
			break
		}
	}
	point("rlock:marked")
	if old == 0 {
		return nil
	}
	return rw.word.bell.ring()
}

// sleepForGate goes in, sleeping until that is possible. A mark holds the next writer
// off while this one has not come in.
func (rw *RWMutex) sleepForGate(ctx context.Context) (err error) {
	w := rw.word
	rw.o.Waiting(1)
	defer rw.o.Waiting(-1)
	rw.in.sleeps(&rw.core, 1)
	defer rw.in.sleeps(&rw.core, -1)
	var mark uint64
	defer func() { err = errors.Join(err, rw.mark(mark, 0)) }()
	for {
		held, err := rw.enter()
		if held || err != nil {
			return err
		}
		if rw.in.isClosed() {
			return ErrClosed
		}
		v := w.gate.Load()
		if v&gateClosed == 0 {
			continue
		}
		m := markOf(phaseOf(v))
		if err := rw.mark(mark, m); err != nil {
			return err
		}
		mark = m
		if err := rw.trouble(v); err != nil {
			return err
		}
		if v&readersSleep == 0 {
			if !w.gate.CompareAndSwap(v, v|readersSleep) {
				continue
			}
			v |= readersSleep
		}
		point("rlock:asleep")
		if err := futex.Wait(ctx, &w.gate, v, longest); err != nil {
			return err
		}
		point("rlock:woken")
	}
}
