package pshared

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
)

// A member's entry for a condition: how many of its goroutines wait, and how many of those
// are to wake up; its generation, and how many of its broadcasts are going on.
//
//	a  waiting(32) signals(31) sleeps(1)
//	b  generation(32) broadcasts(32)
const (
	condSleeps = 1 << 0 // the first of them may sleep
	oneSignal  = 1 << 1
	oneWaiting = 1 << 32
)

func waitingIn(a uint64) uint32 { return uint32(a >> 32) }

func signalsIn(a uint64) uint32 { return uint32(a) / oneSignal }

// A condRoom is all who can wait for a condition, for who need not be one of them.
type condRoom struct {
	object *object.Object
	place  *place
	word   *CondWord
}

func roomOf(o *object.Object, at *place) condRoom {
	return condRoom{o, at, wordAt[CondWord](o.Body(), at.offset)}
}

func (r *condRoom) entryIn(slot int) *entry { return entryAt(r.object.Part(slot), r.place.entry) }

// who returns whose entry it is in a slot.
func (r *condRoom) who(slot int) uint32 {
	return owner(slot, uint32(r.entryIn(slot).b.Load()>>32)&(1<<slotShift-1))
}

// owes reports whether a member would leave something undone if it died now.
func (r *condRoom) owes(slot int) bool {
	e := r.entryIn(slot)
	return signalsIn(e.a.Load()) > 0 || uint32(e.b.Load()) > 0
}

// give gives a signal to a member that has somebody waiting without one; not to the one in
// slot except.
func (r *condRoom) give(except int) error {
	n := r.object.Highest()
	begin := int(r.word.turn.Load() % uint32(max(n, 1)))
	for i := range n {
		slot := (begin + i) % n
		if slot == except {
			continue
		}
		if given, err := r.giveTo(slot); given || err != nil {
			r.word.turn.Store(uint32(slot) + 1)
			return err
		}
	}
	return nil
}

// giveTo gives a signal to a member, false if nobody there waits without one, or it is dead.
func (r *condRoom) giveTo(slot int) (given bool, err error) {
	e := r.entryIn(slot)
	for {
		a := e.a.Load()
		if signalsIn(a) >= waitingIn(a) {
			return false, nil
		}
		if !e.a.CompareAndSwap(a, (a+oneSignal)&^condSleeps) {
			continue
		}
		point("cond:given")
		if a&condSleeps == 0 {
			return true, nil
		}
		woken, err := futex.Wake(lowHalf(&e.a), 1)
		point("cond:woke")
		who := r.who(slot)
		return err != nil || woken > 0 || !r.object.Dead(slotOf(who), generationOf(who)), err
	}
}

// giveAll gives signals to all who wait, but for those in slot except.
func (r *condRoom) giveAll(except int) error {
	for slot := range r.object.Highest() {
		if slot == except {
			continue
		}
		e := r.entryIn(slot)
		for {
			a := e.a.Load()
			if signalsIn(a) >= waitingIn(a) {
				break
			}
			all := min(waitingIn(a), 1<<31-1)
			if !e.a.CompareAndSwap(a, a>>32<<32|uint64(all)*oneSignal) {
				continue
			}
			point("cond:all given")
			if a&condSleeps != 0 {
				if _, err := futex.Wake(lowHalf(&e.a), 1); err != nil {
					return err
				}
				point("cond:all woken")
			}
			break
		}
	}
	return nil
}

// few is how many signals of a dead member are given away one by one. More are not worth
// the care, or were never given to it.
const few = 16

// recoverCond gives to others what a dead member was to do.
func recoverCond(o *object.Object, at *place, slot int) error {
	r := roomOf(o, at)
	e := r.entryIn(slot)
	a := e.a.Load()
	for !e.a.CompareAndSwap(a, uint64(signalsIn(a))<<32|uint64(uint32(a))) {
		a = e.a.Load()
	}
	point("cond:closed") // it is given no more
	switch n := signalsIn(a); {
	case n > few || uint32(e.b.Load()) > 0:
		if err := r.giveAll(slot); err != nil {
			return err
		}
	default:
		for range n {
			if err := r.give(slot); err != nil {
				return err
			}
		}
	}
	point("cond:inherited")
	e.a.Store(0)
	e.b.Store(0)
	return nil
}

// seeCond tells of a condition.
func seeCond(s *sight, w *WordInfo) {
	n := 0
	for i, m := range s.i.Members {
		if a, _ := s.part(i); m.Alive {
			n += int(waitingIn(a))
		}
	}
	w.State, w.Waiters = fmt.Sprintf("%d waiting", n), n > 0
}
