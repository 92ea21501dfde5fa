package pshared

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"structs"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// BarrierWord is a Barrier in shared memory: 16 bytes. The zero value is one that nobody
// has opened.
type BarrierWord struct {
	_       structs.HostLayout
	state   words.Uint64
	parties words.Uint32
	_       uint32
}

// The state of a barrier: how many have arrived, in the high half, and in the low one, which
// is slept on, the phase.
const (
	barrierBroken = 1 << 0
	barrierSleeps = 1 << 1 // somebody may sleep
	barrierPhase  = 1 << 2 // counted from here
	oneArrived    = 1 << 32
)

func barrierPhaseOf(v uint64) uint32 { return uint32(v) / barrierPhase }

func arrivedIn(v uint64) uint32 { return uint32(v >> 32) }

// nextPhase is the state that begins the phase after v's.
func nextPhase(v uint64) uint64 {
	return uint64((uint32(v) + barrierPhase) &^ (barrierBroken | barrierSleeps))
}

// A member's entry: how many of its goroutines are in Wait; and that it is a party.
//
//	a  inside
//	b  generation(32) 1

// Barrier is a handle of a barrier between processes: goroutines wait at it until so many
// of them, the parties, have arrived in whatever process. Then all go on, and the next
// phase begins. Every handle is a party to it: if the process of one is killed, the phase
// is broken when somebody finds out, which takes whoever waits 50 ms at most, and everybody
// who waits, or comes to wait, gets ErrBroken until Reset. A phase that is complete before
// that stays so, also with the arrival of one who has died since. Its methods may be called
// by any number of goroutines at once.
type Barrier struct {
	word *BarrierWord // immutable, like phase and wrong
	core
	phase   *words.Uint32 // the low half of the state
	parties uint32        // 0 until this member is one; protected by handle.mu till then
	wrong   error         // the barrier is for another number of parties
	spin    futex.Spinner
}

// ErrBroken: a party of the barrier died. Reset begins a new phase.
var ErrBroken = errors.New("barrier is broken: a party of it died")

// OpenBarrier opens the barrier of a name, or makes it, as OpenMutex does. parties is how
// many goroutines a phase takes, 1 to 2^30; what has the name must be for as many (ErrType).
// From now until Close the handle is a party, also if it never comes to wait.
func OpenBarrier(name string, parties int, o *Options) (*Barrier, error) {
	h, err := open(object.Barrier, name, reflect.TypeFor[BarrierWord](), o, nil)
	if err != nil {
		return nil, err
	}
	b := h.barrier(0, parties)
	if b.wrong != nil {
		return nil, errors.Join(b.fail("open", b.wrong), h.close())
	}
	return b, nil
}

// Barrier returns a handle of a barrier in the struct, as Mutex does. If it is for another
// number of parties, Wait says so (ErrType). The struct's handle is a party from now on.
func (s *Shared[T]) Barrier(w *BarrierWord, parties int) *Barrier {
	return s.in.barrier(offsetIn(s.data, w), parties)
}

// barrier returns the barrier at an offset of the body, or, if it is not for so many
// parties, one that says so.
func (h *handle) barrier(offset int64, parties int) *Barrier {
	b := obtain(h, offset, h.newBarrier)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return b
	}
	if err := b.guard(func() error { return b.enroll(parties) }); err != nil {
		other := &Barrier{wrong: err}
		other.init(h, b.at)
		return other
	}
	return b
}

func mismatch(is uint32, wanted int) error {
	return fmt.Errorf("%w: it is for %d parties, not %d", ErrType, is, wanted)
}

// mostParties is how many there can be.
const mostParties = 1 << 30

func (h *handle) newBarrier(at *place) *Barrier {
	w := wordAt[BarrierWord](h.o.Body(), at.offset)
	b := &Barrier{word: w, phase: lowHalf(&w.state)}
	b.init(h, at)
	return b
}

// enroll makes this member a party, unless it is one. handle.mu is held.
func (b *Barrier) enroll(parties int) error {
	if parties < 1 || parties > mostParties {
		return fmt.Errorf("%d parties are not between 1 and %d: %w", parties, mostParties, fs.ErrInvalid)
	}
	if b.parties != 0 {
		if b.parties != uint32(parties) {
			return mismatch(b.parties, parties)
		}
		return nil
	}
	if !b.word.parties.CompareAndSwap(0, uint32(parties)) {
		if is := b.word.parties.Load(); is != uint32(parties) {
			return mismatch(is, parties)
		}
	}
	point("barrier:agreed")
	b.entry.b.Store(uint64(generationOf(b.me))<<32 | 1)
	b.parties = uint32(parties)
	point("barrier:party")
	return nil
}

// Wait arrives, and waits until the phase is complete, or ctx ends; its error is then the
// context's, and the arrival is taken back, unless the phase was completed meanwhile. index
// is how many had arrived before: one in each phase, who completes it, gets parties - 1.
// ErrBroken: the phase is broken. What was done before Wait is seen by all behind it.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	err = b.run(func() (err error) {
		index, err = b.wait(ctx, false)
		return err
	})
	return index, b.fail("wait at", err)
}

// TryWait is Wait that does not wait: it arrives if that completes the phase. Else it is
// false, and nothing was done.
func (b *Barrier) TryWait() (complete bool, err error) {
	err = b.run(func() error {
		_, err := b.wait(context.Background(), true)
		return err
	})
	if err == errBlocked {
		return false, nil
	}
	return err == nil, b.fail("wait at", err)
}

// wait is Wait; try: only to complete a phase.
func (b *Barrier) wait(ctx context.Context, try bool) (index int, err error) {
	if b.wrong != nil {
		return 0, b.wrong
	}
	b.entry.a.Add(1)
	defer b.entry.a.Add(^uint64(0))
	point("barrier:inside")
	race.Release(b.key)
	noted, complete, err := b.arrive(try)
	if err == nil && !complete {
		err = b.sleepFor(ctx, noted)
	}
	if err != nil {
		return 0, err
	}
	race.Acquire(b.key)
	return int(arrivedIn(noted)), nil
}

// arrive counts one more, or completes the phase. noted is the state before.
func (b *Barrier) arrive(try bool) (noted uint64, complete bool, err error) {
	w := &b.word.state
	for {
		v := w.Load()
		n := arrivedIn(v)
		switch {
		case v&barrierBroken != 0:
			return v, false, ErrBroken
		case n >= b.parties:
			return v, false, ErrCorrupt
		case n+1 < b.parties && try:
			return v, false, errBlocked
		case n+1 < b.parties:
			if w.CompareAndSwap(v, v+oneArrived) {
				point("barrier:arrived")
				return v, false, nil
			}
		case w.CompareAndSwap(v, nextPhase(v)):
			point("barrier:complete")
			return v, true, b.wake(v)
		}
	}
}

// wake wakes all who sleep, if in state v anybody may have.
func (b *Barrier) wake(v uint64) error {
	if v&barrierSleeps == 0 {
		return nil
	}
	_, err := futex.Wake(b.phase, futex.All)
	point("barrier:woke")
	return err
}

// over reports whether the phase is complete, or why it will not be.
func (b *Barrier) over(v, noted uint64) (bool, error) {
	switch {
	case barrierPhaseOf(v) != barrierPhaseOf(noted):
		return true, nil
	case v&barrierBroken != 0:
		return false, ErrBroken
	case arrivedIn(v) == 0 || arrivedIn(v) >= b.parties: // this one has
		return false, ErrCorrupt
	}
	return false, nil
}

// sleepFor waits for the end of a phase that this goroutine has arrived in.
func (b *Barrier) sleepFor(ctx context.Context, noted uint64) error {
	w := &b.word.state
	for s := b.spin.Begin(); s.More(); {
		if complete, err := b.over(w.Load(), noted); complete || err != nil {
			s.Hit()
			return err
		}
	}
	b.o.Waiting(1)
	defer b.o.Waiting(-1)
	b.in.sleeps(&b.core, 1)
	defer b.in.sleeps(&b.core, -1)
	for {
		v := w.Load()
		if complete, err := b.over(v, noted); complete || err != nil {
			point("barrier:over")
			return err
		}
		if b.in.isClosed() {
			return b.withdraw(noted, ErrClosed)
		}
		if v&barrierSleeps == 0 {
			if !w.CompareAndSwap(v, v|barrierSleeps) {
				continue
			}
			v |= barrierSleeps
		}
		point("barrier:marked")
		if err := futex.Wait(ctx, b.phase, uint32(v), longest); err != nil {
			return b.withdraw(noted, err)
		}
		point("barrier:woken")
	}
}

// withdraw takes an arrival back, and returns why; nil if the phase was completed meanwhile.
func (b *Barrier) withdraw(noted uint64, why error) error {
	w := &b.word.state
	for {
		v := w.Load()
		if complete, err := b.over(v, noted); complete || err != nil {
			return err
		}
		if w.CompareAndSwap(v, v-oneArrived) {
			point("barrier:withdrawn")
			return why
		}
	}
}

// breakPhase breaks the phase of v, in which a party was seen that is dead, if it still is
// that phase.
func (w *BarrierWord) breakPhase(v uint64) error {
	phase := barrierPhaseOf(v)
	for barrierPhaseOf(v) == phase && v&barrierBroken == 0 {
		if w.state.CompareAndSwap(v, v&^barrierSleeps|barrierBroken) {
			point("barrier:broken")
			_, err := futex.Wake(lowHalf(&w.state), futex.All)
			return err
		}
		v = w.state.Load()
	}
	return nil
}

// recoverBarrier breaks the phase when a party's record is cleaned: who does that keeps
// others from seeing that it is dead.
func recoverBarrier(o *object.Object, at *place, slot int) error {
	e := entryAt(o.Part(slot), at.entry)
	w := wordAt[BarrierWord](o.Body(), at.offset)
	for e.b.Load() != 0 {
		v := w.state.Load()
		if v&barrierBroken == 0 {
			if err := w.breakPhase(v); err != nil {
				return err
			}
			continue // unless it was another phase by then
		}
		e.a.Store(0)
		e.b.Store(0)
		point("barrier:recovered")
	}
	return nil
}

// partyIn returns who is a party by a member's entry, and whether anybody is.
func (b *Barrier) partyIn(slot int) (who uint32, is bool) {
	v := b.entryOf(slot).b.Load()
	return owner(slot, uint32(v>>32)&(1<<slotShift-1)), v != 0
}

// Reset begins a new phase if the phase is broken, or corrupt. It takes out the records of
// dead parties, and waits, until ctx ends, for those of the living that were in the phase
// and have not been told yet. One that is in order is left alone.
func (b *Barrier) Reset(ctx context.Context) error {
	return b.fail("reset", b.run(func() error { return b.reset(ctx) }))
}

// shut, held, reopen, recall and look implement primitive.
func (b *Barrier) shut() {}

func (b *Barrier) held() bool { return false }

func (b *Barrier) reopen() {}

func (b *Barrier) recall() {
	if b.wrong == nil {
		_ = futex.Recall(b.phase) // if the memory is gone they find out themselves
	}
}

func (b *Barrier) look(dead asker) {
	v := b.word.state.Load()
	if v&barrierBroken != 0 || arrivedIn(v) >= b.parties {
		_, _ = futex.Wake(b.phase, futex.All) // the same
		return
	}
	for slot := range b.o.Highest() {
		if who, is := b.partyIn(slot); is && who != b.me && dead(who) {
			_ = b.word.breakPhase(v)
			return
		}
	}
}
