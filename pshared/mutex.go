package pshared

import (
	"context"
	"errors"
	"runtime"
	"structs"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// MutexWord is a Mutex in shared memory: 8 bytes. The zero value is unlocked. Place it in
// a struct for Open, and give neighbours that are locked by different processes at
// the same time cache lines of their own.
type MutexWord struct {
	_ structs.HostLayout
	// state: who holds it, and what is wrong with it; see below.
	state words.Uint32
	// hurry: somebody has waited for long; newcomers sleep once before they take it. It
	// is advice: any sleeper that takes the lock clears it.
	hurry words.Uint32
}

// The state of a MutexWord: waiters, inconsistent, and the owner: slot and generation
// of a member. No owner is 0, for generations begin at 1; no owner has all bits set, for
// they end before.
const (
	waiters      = 1 << 31 // somebody may sleep: unlocking wakes one
	inconsistent = 1 << 30 // a dead owner's state was not repaired; without an owner: by whom it was left
	ownerMask    = 1<<30 - 1
	slotShift    = 20

	notRecoverable = 1<<32 - 1
)

func owner(slot int, generation uint32) uint32 { return uint32(slot)<<slotShift | generation }

func slotOf(who uint32) int { return int(who & ownerMask >> slotShift) }

func generationOf(who uint32) uint32 { return who & (1<<slotShift - 1) }

// possible reports whether members can have written a state.
func (m *Mutex) possible(state uint32) bool {
	switch {
	case state == notRecoverable:
		return true
	case state&ownerMask == 0:
		return true
	}
	return m.could(state & ownerMask)
}

func (m *Mutex) ownerDead(state uint32) bool { return m.dead(state) }

// ownerLeft reports whether the owner is a member that closed its handle. It held nothing
// then: a goroutine of it came late, and gives the lock back.
func (m *Mutex) ownerLeft(state uint32) bool {
	return m.o.Left(slotOf(state), generationOf(state))
}

// impatience is how long somebody waits before newcomers have to be polite, and nap is
// how long those sleep then, should nobody take the lock.
const (
	impatience = time.Millisecond
	nap        = time.Millisecond
)

// How many pauses, of some 10 to 50 ns, are between two looks while spinning.
const (
	firstPauses = 8
	lastPauses  = 64
)

// Mutex is a handle of a lock between processes. Its methods may be called by any
// number of goroutines at once.
type Mutex struct {
	word atomic.Pointer[MutexWord] // real, or closedWord once closed
	real *MutexWord                // in shared memory; immutable, like the next
	rw   *RWMutex                  // not nil: the lock of that name is one, and this its writing side
	core
	spin futex.Spinner
}

// closedWord stands where the lock was once a handle is closed: who tries to take it
// without looking finds it taken.
var closedWord = func() *MutexWord {
	w := new(MutexWord)
	w.state.Store(notRecoverable)
	return w
}()

// Lock takes the lock, and waits for it until ctx ends; its error is then the
// context's. Without contention ctx is not looked at. ErrOwnerDead means that the lock
// is held, by this handle, and that its previous owner died: repair what it guards and
// call MakeConsistent. With any other error the lock is not held: ErrNotRecoverable,
// ErrClosed, a *shmkit.FaultError if the memory is gone.
func (m *Mutex) Lock(ctx context.Context) error {
	if w := m.word.Load(); w.state.CompareAndSwap(0, m.me) {
		return m.taken(w)
	}
	return m.lockSlow(ctx)
}

// taken is what remains to be done when the lock was taken: if the handle is being
// closed, it is given back. Who closes makes the word look taken first and then looks
// whether it is; one of the two sees the other.
func (m *Mutex) taken(w *MutexWord) error {
	if m.word.Load() != w {
		if err := m.takenWhileClosing(false); err != nil {
			return m.fail("lock", err)
		}
	}
	race.Acquire(m.key)
	runtime.KeepAlive(m)
	return nil
}

// takenWhileClosing returns ErrClosed and gives the lock back, unless the handle stays open
// after all. What a dead owner left is abandoned: the next is told. If others have seen that
// this member has left, and taken the lock, there is nothing to give back.
func (m *Mutex) takenWhileClosing(told bool) error {
	if !m.in.isClosed() {
		return nil
	}
	err := m.guard(func() error {
		if told {
			return m.abandon(m.real)
		}
		return m.unlockSlow(m.real)
	})
	if errors.Is(err, ErrNotHeld) {
		err = nil
	}
	return errors.Join(ErrClosed, err)
}

// TryLock is Lock that does not wait: held is false if somebody else has the lock. As
// with Lock, ErrOwnerDead comes with held true.
func (m *Mutex) TryLock() (held bool, err error) {
	if w := m.word.Load(); w.state.CompareAndSwap(0, m.me) {
		err = m.taken(w)
		return err == nil, err
	}
	if m.rw != nil {
		return m.rw.TryLock()
	}
	err = m.run(func() (err error) {
		held, err = m.take(m.real, rude)
		return err
	})
	return held, m.fail("lock", err)
}

// Unlock gives the lock back. ErrNotHeld: this handle does not hold it, and nothing
// was done. If it was taken with ErrOwnerDead and MakeConsistent was not called, it is not
// recoverable from now on.
func (m *Mutex) Unlock() error {
	race.Release(m.key)
	if m.word.Load().state.CompareAndSwap(m.me, 0) {
		runtime.KeepAlive(m)
		return nil
	}
	if m.rw != nil {
		return m.rw.Unlock()
	}
	return m.fail("unlock", m.run(func() error { return m.unlockSlow(m.real) }))
}

// MakeConsistent says that what the lock guards is in order again, after ErrOwnerDead.
// ErrNotHeld: this handle does not hold the lock. A lock that is in order stays so.
func (m *Mutex) MakeConsistent() error {
	if m.rw != nil {
		return m.rw.MakeConsistent()
	}
	return m.fail("make consistent", m.run(func() error { return m.repaired(m.real) }))
}

func (m *Mutex) repaired(w *MutexWord) error {
	for {
		v := w.state.Load()
		switch {
		case v == notRecoverable || v&ownerMask != m.me:
			return ErrNotHeld
		case v&inconsistent == 0:
			return nil
		case w.state.CompareAndSwap(v, v&^inconsistent):
			point("repair:told")
			return nil
		}
	}
}

// Abandon gives back a lock that was taken with ErrOwnerDead, unrepaired: the next one to
// lock it gets ErrOwnerDead in its turn. ErrNotHeld: this handle does not hold the lock,
// or it is in order.
func (m *Mutex) Abandon() error {
	if m.rw != nil {
		return m.rw.Abandon()
	}
	return m.fail("abandon", m.run(func() error { return m.abandon(m.real) }))
}

func (m *Mutex) abandon(w *MutexWord) error {
	for {
		v := w.state.Load()
		if v == notRecoverable || v&ownerMask != m.me || v&inconsistent == 0 {
			return ErrNotHeld
		}
		if !w.state.CompareAndSwap(v, inconsistent) {
			continue
		}
		point("abandon:free")
		_, err := futex.Wake(&w.state, 1)
		return err
	}
}

// Reset makes a lock that is not recoverable, or corrupt, an unlocked one. Whoever calls
// it has put what it guards in order. A lock that is held, or that a dead owner left,
// is left alone, with ErrNotHeld: Lock it. One that is free stays so.
func (m *Mutex) Reset() error {
	if m.rw != nil {
		return m.rw.Reset()
	}
	return m.fail("reset", m.run(func() error {
		w := m.real
		for {
			v := w.state.Load()
			switch {
			case v&^waiters == 0:
				return nil
			case v&ownerMask == 0: // a dead owner's
				return ErrNotHeld
			case v != notRecoverable && m.possible(v):
				return ErrNotHeld
			case w.state.CompareAndSwap(v, 0):
				point("reset:free")
				_, err := futex.Wake(&w.state, futex.All)
				return err
			}
		}
	}))
}

// A manner is how take goes about it.
type manner int

const (
	polite manner = iota // with regard for who has waited long
	rude                 // without
	slept                // the same, and with a mark that others may sleep
)

// take tries to take the lock at once. Unlocking drops the mark, and who is woken by it sets
// it again, for the others that may sleep.
func (m *Mutex) take(w *MutexWord, how manner) (held bool, err error) {
	for {
		v := w.state.Load()
		next := v&inconsistent | m.me
		switch {
		case v == notRecoverable:
			return false, ErrNotRecoverable
		case !m.possible(v):
			return false, ErrCorrupt
		case v&ownerMask == 0:
			if how == polite && w.hurry.Load() != 0 {
				return false, nil
			}
			if how == slept {
				next |= waiters
			}
		case v&ownerMask == m.me:
			return false, nil
		case m.ownerLeft(v): // who sleeps for it is woken by nobody else
			next |= v & waiters
		case !m.ownerDead(v):
			return false, nil
		default:
			next = m.me | inconsistent | waiters
		}
		point("lock:seen")
		if !w.state.CompareAndSwap(v, next) {
			continue
		}
		point("lock:taken")
		if m.word.Load() != w {
			if err := m.takenWhileClosing(next&inconsistent != 0); err != nil {
				return false, err
			}
		}
		race.Acquire(m.key)
		if next&inconsistent != 0 {
			return true, ErrOwnerDead
		}
		return true, nil
	}
}

// lockSlow is Lock once the lock was not free.
func (m *Mutex) lockSlow(ctx context.Context) error {
	if m.rw != nil {
		return m.rw.Lock(ctx)
	}
	return m.fail("lock", m.run(func() error { return m.await(ctx, m.real) }))
}

// await takes the lock when that is possible.
func (m *Mutex) await(ctx context.Context, w *MutexWord) error {
	// Spinning is for who holds it for a moment and is running on another core. A look
	// takes the cache line away from who is about to give the lock back and take it
	// again, so that it costs more than it shows: the pauses get longer.
	pauses := firstPauses
	for s := m.spin.Begin(); s.MoreAfter(pauses); pauses = min(2*pauses, lastPauses) {
		if v := w.state.Load(); v&ownerMask == 0 && v != notRecoverable {
			if held, err := m.take(w, polite); held || err != nil {
				s.Hit()
				return err
			}
		}
	}
	return m.sleepFor(ctx, w)
}

// sleepFor takes the lock, sleeping until that is possible.
func (m *Mutex) sleepFor(ctx context.Context, w *MutexWord) error {
	m.o.Waiting(1)
	defer m.o.Waiting(-1)
	m.in.sleeps(&m.core, 1)
	defer m.in.sleeps(&m.core, -1)
	q := futex.Enter(&w.state)
	defer q.Leave()
	begin := time.Now()
	for how := polite; ; {
		held, err := m.take(w, how)
		if held && how == slept {
			w.hurry.Store(0)
		}
		if held || err != nil {
			return err
		}
		if how == slept && w.hurry.Load() == 0 && time.Since(begin) > impatience {
			w.hurry.Store(1)
		}
		v := w.state.Load()
		if v == notRecoverable {
			return ErrNotRecoverable
		}
		bound := longest
		if v&ownerMask == 0 {
			if how == slept || w.hurry.Load() == 0 { // free by now
				continue
			}
			bound = nap
		}
		if v&waiters == 0 && v&ownerMask != 0 {
			if !m.possible(v) { // the mark could make it another
				return ErrCorrupt
			}
			if !w.state.CompareAndSwap(v, v|waiters) {
				continue
			}
			v |= waiters
		}
		point("lock:marked")
		// Not before: who was woken and gives up leaves the mark for those that sleep.
		if m.in.isClosed() {
			return ErrClosed
		}
		if err := q.Sleep(ctx, v, bound); err != nil {
			return err
		}
		point("lock:woken")
		how = slept
	}
}

// shut, held, reopen, recall and look implement primitive.
func (m *Mutex) shut() { m.word.Store(closedWord) }

func (m *Mutex) held() bool {
	v := m.real.state.Load()
	return v != notRecoverable && v&ownerMask == m.me
}

func (m *Mutex) reopen() { m.word.Store(m.real) }

func (m *Mutex) recall() {
	_ = futex.Recall(&m.real.state) // if the memory is gone they find out themselves
}

func (m *Mutex) look(dead asker) {
	if m.stuck(m.real.state.Load(), dead) {
		_, _ = futex.Wake(&m.real.state, 1) // the same
	}
}

// unlockSlow is Unlock of a lock with marks.
func (m *Mutex) unlockSlow(w *MutexWord) error {
	for {
		v := w.state.Load()
		if v == notRecoverable || v&ownerMask != m.me {
			return ErrNotHeld
		}
		if v&inconsistent != 0 {
			if !w.state.CompareAndSwap(v, notRecoverable) {
				continue
			}
			point("unlock:spoilt")
			_, err := futex.Wake(&w.state, futex.All)
			return err
		}
		point("unlock:seen")
		next := uint32(0)
		if w.hurry.Load() != 0 {
			next = v & waiters // newcomers must look before they take it
		}
		if !w.state.CompareAndSwap(v, next) {
			continue
		}
		point("unlock:free")
		if v&waiters == 0 {
			return nil
		}
		_, err := futex.Wake(&w.state, 1)
		point("unlock:woke")
		return err
	}
}

// point is called between the steps; tests kill there.
var point = func(name string) {}
