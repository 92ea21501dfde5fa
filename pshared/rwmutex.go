package pshared

import (
	"context"
	"errors"
	"runtime"
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// RWMutexWord is an RWMutex in shared memory: 16 bytes. The zero value is unlocked.
type RWMutexWord struct {
	_       structs.HostLayout
	writers MutexWord // the writer holds it, and those who want to be wait for it
	// gate: whether readers may come in, and how often it was opened; written by the
	// writer, but for readersSleep.
	gate words.Uint32
	bell bell // rung when a reader is done, for the writer
}

// The gate.
const (
	gateClosed   = 1 << 0 // a writer is inside, or about to be
	readersSleep = 1 << 1 // somebody may sleep for it to open
	gatePhase    = 1 << 2 // counted from here
)

func phaseOf(gate uint32) uint32 { return gate / gatePhase }

// A member's entry: its generation and how many of its goroutines are inside; how many wait,
// by the parity of the phase they wait for the end of.
//
//	a  generation(32) active(32)
//	b  waiting in odd phases(32), in even ones(32)
func activeIn(a uint64) uint32 { return uint32(a) }

func generationIn(a uint64) uint32 { return uint32(a >> 32) }

func markOf(phase uint32) uint64 { return 1 << (phase & 1 * 32) }

func marksIn(b uint64, phase uint32) uint32 { return uint32(b >> (phase & 1 * 32)) }

// RWMutex is a handle of a readers/writers lock between processes: any number of readers,
// or one writer. A reader that comes while a writer is inside gets in before the writer
// after the next one; a writer keeps out readers that come after it. Its methods may
// be called by any number of goroutines at once.
type RWMutex struct {
	word *RWMutexWord // immutable, like the next four
	core
	gen     uint32   // of this member
	readers race.Key // what the end of reading is known to the race detector by
	writers *Mutex
	stage   atomic.Uint32 // how far this handle is with writing
	spin    futex.Spinner // for the gate
	drains  futex.Spinner // for readers to go
}

// The stages of a writer. The shared words don't tell them apart: who waits for readers to
// go has the writers' mutex, and closed the gate, but does not hold the lock.
const (
	writerOutside  = iota
	writerWaits    // it has the writers' mutex, and waits for readers
	writerSentAway // the same, and must not go in: its handle is being closed
	writerInside
)

func (h *handle) newRWMutex(at *place) *RWMutex {
	w := wordAt[RWMutexWord](h.o.Body(), at.offset)
	rw := &RWMutex{word: w, writers: &Mutex{real: &w.writers}}
	rw.init(h, at)
	rw.writers.init(h, at)
	rw.gen = generationOf(rw.me)
	rw.readers = race.KeyOf(h.device, h.inode, h.o.BodyOffset()+at.offset+8)
	if h.closing {
		rw.writers.shut()
		return rw
	}
	rw.reopen()
	rw.writers.reopen()
	h.list = append(h.list, writersMutex{rw.writers, rw})
	return rw
}

// A writersMutex is an RWMutex's mutex as its handle knows it: who has it and only waits
// for readers holds nothing, and is sent away.
type writersMutex struct {
	*Mutex
	rw *RWMutex
}

func (m writersMutex) held() bool {
	return m.Mutex.held() && !m.rw.stage.CompareAndSwap(writerWaits, writerSentAway)
}

// Lock takes the lock for writing; see Mutex.Lock for what it returns. ErrOwnerDead, with the
// lock held: a writer died inside; readers are kept out until MakeConsistent and Unlock.
// Who holds the lock for reading, and locks it through the same handle, waits for itself.
func (rw *RWMutex) Lock(ctx context.Context) error {
	told, err := held(rw.writers.Lock(ctx))
	if err != nil {
		return err
	}
	// From here on the handle cannot be closed, but while stage is writerWaits.
	closed := false
	if !told {
		if closed = rw.closeAtOnce(); closed && !rw.blocked(blocker{}, false) {
			point("wlock:alone")
			rw.stage.Store(writerInside)
			return rw.locked(false, nil)
		}
	}
	return rw.locked(rw.goIn(told, closed, func(inTheWay blocker) error { return rw.drain(ctx, inTheWay) }))
}

// TryLock is Lock that does not wait: ok is false if somebody else has the lock, for
// reading or writing, or is about to. As with Lock, ErrOwnerDead comes with ok true.
func (rw *RWMutex) TryLock() (ok bool, err error) {
	ok, err = rw.writers.TryLock()
	if !ok {
		return false, err
	}
	told, _ := held(err)
	err = rw.locked(rw.goIn(told, false, func(blocker) error {
		if rw.blocked(blocker{}, true) { // once before readers are kept out
			return errBlocked
		}
		return nil
	}))
	if errors.Is(err, errBlocked) {
		return false, nil
	}
	return err == nil || err == ErrOwnerDead, err
}

// errBlocked: somebody is inside, and is not to be waited for.
var errBlocked = errors.New("somebody is inside")

// locked is the end of Lock.
func (rw *RWMutex) locked(told bool, err error) error {
	if err != nil {
		return rw.fail("lock", err)
	}
	race.Acquire(rw.key)
	race.Acquire(rw.readers)
	if told {
		return ErrOwnerDead
	}
	runtime.KeepAlive(rw)
	return nil
}

// held splits what Mutex.Lock returns.
func held(err error) (told bool, _ error) {
	if errors.Is(err, ErrOwnerDead) {
		return true, nil
	}
	return false, err
}

// closeAtOnce closes the gate if it is open and nobody is in the way, with the writers'
// mutex held. It is as unguarded as taking a free Mutex.
func (rw *RWMutex) closeAtOnce() bool {
	v := rw.word.gate.Load()
	if v&gateClosed != 0 || rw.anybody(phaseOf(v)-1) {
		return false
	}
	rw.close(v)
	return true
}

// close closes the gate, which nobody else changes while it is open and the writers'
// mutex is held, and nobody sleeps for.
func (rw *RWMutex) close(v uint32) {
	point("wlock:turn")
	rw.word.gate.Store(v&^readersSleep | gateClosed)
	point("wlock:closed")
}

// goIn goes in, with the writers' mutex held; wait waits until nobody is in the way.
// closed: the gate was closed by this one. If it fails everything is given back.
func (rw *RWMutex) goIn(told, closed bool, wait func(blocker) error) (stillTold bool, err error) {
	if !rw.in.use() { // it was closed though the mutex is held: the memory is gone
		return false, ErrClosed
	}
	defer rw.in.done()
	rw.stage.Store(writerWaits)
	err = rw.guard(func() (err error) {
		told, closed, err = rw.closeGate(told, closed, wait)
		if err == nil {
			err = wait(blocker{})
		}
		if err == nil {
			err = rw.arrive()
		}
		if err == nil {
			point("wlock:drained")
			return nil
		}
		rw.stage.Store(writerOutside) // before the mutex is another goroutine's
		if closed {
			return errors.Join(err, rw.open())
		}
		return errors.Join(err, rw.giveBack(told))
	})
	return told, err
}

// closeGate sees to it that the gate is closed, and finds out whether a dead writer closed
// it.
func (rw *RWMutex) closeGate(told, closed bool, wait func(blocker) error) (stillTold, closedByMe bool, err error) {
	v := rw.word.gate.Load()
	switch {
	case closed:
		return told, true, nil
	case v&gateClosed != 0 && told:
		return true, false, nil
	case v&gateClosed != 0: // somebody has to be to blame
		return false, false, ErrCorrupt
	case told: // whoever died was not inside
		if !rw.repair() {
			return false, false, ErrNotHeld
		}
	}
	point("wlock:mutex")
	if err := wait(blocker{waiting: true, phase: phaseOf(v) - 1}); err != nil {
		return false, false, err
	}
	rw.close(v)
	return false, true, nil
}

// arrive makes a writer that waits one that is inside, unless the handle was closed.
func (rw *RWMutex) arrive() error {
	for !rw.stage.CompareAndSwap(writerWaits, writerInside) {
		if rw.in.isClosed() { // which is decided then
			return ErrClosed
		}
	}
	return nil
}

// repair makes the writers' mutex consistent, false if it is not this member's.
func (rw *RWMutex) repair() bool {
	w := &rw.word.writers
	for {
		state := w.state.Load()
		switch {
		case state == notRecoverable || state&ownerMask != rw.me:
			return false
		case state&inconsistent == 0 || w.state.CompareAndSwap(state, state&^inconsistent):
			point("wlock:repaired")
			return true
		}
	}
}

// giveBack gives the writers' mutex back; what a dead writer left is the next one's.
func (rw *RWMutex) giveBack(told bool) error {
	if told {
		return rw.writers.abandon(&rw.word.writers)
	}
	return rw.writers.unlockSlow(&rw.word.writers)
}

// open opens the gate, and gives the writers' mutex back.
func (rw *RWMutex) open() error {
	w := rw.word
	for {
		// The gate is read first: if it is this one that is opened, the state was this
		// member's all the while.
		v := w.gate.Load()
		state := w.writers.state.Load()
		switch {
		case state == notRecoverable || state&ownerMask != rw.me || v&gateClosed == 0:
			return ErrNotHeld
		case state&inconsistent != 0: // it is lost, and the gate stays closed
			if !w.writers.state.CompareAndSwap(state, notRecoverable) {
				continue
			}
			point("wunlock:lost")
			_, err := futex.Wake(&w.writers.state, futex.All)
			return err
		}
		point("wunlock:seen")
		if !w.gate.CompareAndSwap(v, v&^(gateClosed|readersSleep)+gatePhase) {
			continue
		}
		point("wunlock:open")
		if v&readersSleep != 0 {
			if _, err := futex.Wake(&w.gate, futex.All); err != nil {
				return err
			}
		}
		point("wunlock:woke")
		return rw.writers.unlockSlow(&w.writers)
	}
}

// Unlock gives the lock back that was taken for writing. ErrNotHeld: this handle does not
// hold it so, and nothing was done. If it was taken with ErrOwnerDead and MakeConsistent
// was not called, it is not recoverable from now on.
func (rw *RWMutex) Unlock() error {
	race.Release(rw.key)
	if !rw.stage.CompareAndSwap(writerInside, writerOutside) { // of two at once, one
		return rw.fail("unlock", rw.run(func() error { return ErrNotHeld }))
	}
	// Without a guard if no reader sleeps and nothing is wrong, as in closeAtOnce.
	w := rw.word
	v := w.gate.Load()
	if v&(gateClosed|readersSleep) != gateClosed || w.writers.state.Load() != rw.me || !w.gate.CompareAndSwap(v, v-gateClosed+gatePhase) {
		return rw.fail("unlock", rw.guard(rw.open))
	}
	if !w.writers.state.CompareAndSwap(rw.me, 0) {
		return rw.fail("unlock", rw.guard(func() error { return rw.writers.unlockSlow(&w.writers) }))
	}
	runtime.KeepAlive(rw)
	return nil
}

// MakeConsistent says that what the lock guards is in order again, after ErrOwnerDead of
// Lock. ErrNotHeld: this handle does not hold the lock for writing.
func (rw *RWMutex) MakeConsistent() error {
	return rw.fail("make consistent", rw.run(func() error {
		if rw.stage.Load() != writerInside || !rw.repair() {
			return ErrNotHeld
		}
		return nil
	}))
}

// Abandon gives back a lock that was taken with ErrOwnerDead, unrepaired: readers get
// ErrWriterDead, and the next writer ErrOwnerDead. ErrNotHeld: this handle does not hold
// the lock for writing, or it is in order.
func (rw *RWMutex) Abandon() error {
	return rw.fail("abandon", rw.run(func() error {
		if rw.word.writers.state.Load()&inconsistent == 0 || !rw.stage.CompareAndSwap(writerInside, writerOutside) {
			return ErrNotHeld
		}
		err := rw.writers.abandon(&rw.word.writers)
		if err == ErrNotHeld { // made consistent just now
			rw.stage.Store(writerInside)
		}
		return err
	}))
}

// Reset makes a lock that is not recoverable, or corrupt, an unlocked one. Whoever calls
// it has put what it guards in order. A lock that is held by a writer, or that a dead
// one left, is left alone, with ErrNotHeld: Lock it. One that is free stays so.
func (rw *RWMutex) Reset() error {
	return rw.fail("reset", rw.run(func() error {
		w := rw.word
		state := w.writers.state.Load()
		switch {
		case state&^waiters == 0 && w.gate.Load()&gateClosed == 0:
			return nil
		case state&^waiters == 0: // closed by nobody
		case state != notRecoverable && (state&ownerMask == 0 || rw.writers.possible(state)):
			return ErrNotHeld
		}
		// It becomes this member's first, so that one who resets it opens the gate.
		if !w.writers.state.CompareAndSwap(state, rw.me|waiters) {
			return ErrNotHeld
		}
		point("reset:mine")
		if w.gate.Load()&gateClosed == 0 {
			return rw.writers.unlockSlow(&w.writers)
		}
		return rw.open()
	}))
}

// Sweep is Mutex.Sweep.
func (rw *RWMutex) Sweep() (n int, err error) { return rw.writers.Sweep() }

// shut, held, reopen, recall and look implement primitive. The writers' mutex is another one.
func (rw *RWMutex) shut() {}

func (rw *RWMutex) held() bool {
	for {
		a := rw.entry.a.Load()
		switch {
		case generationIn(a) != rw.gen: // it is not even in order
			return false
		case activeIn(a) != 0:
			return true
		case rw.entry.a.CompareAndSwap(a, 0):
			return false
		}
	}
}

func (rw *RWMutex) reopen() {
	rw.stage.CompareAndSwap(writerSentAway, writerWaits)
	rw.entry.a.CompareAndSwap(0, uint64(rw.gen)<<32)
}

func (rw *RWMutex) recall() {
	_ = futex.Recall(&rw.word.gate) // if the memory is gone they find out themselves
	_ = futex.Recall(&rw.word.bell.v)
}

func (rw *RWMutex) look(dead asker) {
	v := rw.word.gate.Load()
	state := rw.word.writers.state.Load()
	switch {
	case v&gateClosed == 0 || v&readersSleep == 0: // somebody was to wake them
		_, _ = futex.Wake(&rw.word.gate, futex.All)
	case rw.writers.stuck(state, dead): // all are to be told
		_ = futex.Recall(&rw.word.gate)
	}
}
