package queue

import (
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
)

// lodger is the core as a guest of pshared.
type lodger struct{ *core }

func (l lodger) Shut() { l.holds.Add(shutOff) }

func (l lodger) Held() bool { return l.holds.Load() > shutOff }

func (l lodger) Reopen() { l.holds.Add(-shutOff) }

func (l lodger) Recall() {
	_ = futex.Recall(&l.w.filled) // if the memory is gone they find out themselves
	_ = futex.Recall(&l.w.emptied)
}

func (l lodger) Look(dead func(who uint32) bool) {
	if l.deadOwner(dead) {
		_, _ = l.o.Sweep() // if it fails, the next tick tries again
		point("look:swept")
	}
	orphans := l.w.orphans.Load() != 0
	if orphans || l.w.ready.Load() != 0 {
		_, _ = futex.Wake(&l.w.filled, 1) // the same
	}
	if orphans || l.w.live.Load() < l.capacity {
		_, _ = futex.Wake(&l.w.emptied, 1)
	}
}

// recoverRecord says that cells may belong to the member that was in a slot and is dead. Whoever
// calls it need not be a member, and has no mutex.
func recoverRecord(o *object.Object, slot int) error {
	if len(o.Body()) < wordsSize || len(o.Part(slot)) < partSize {
		return ErrCorrupt
	}
	p := partAt(o.Part(slot))
	if p.count.Load() == 0 {
		return nil
	}
	// Whoever holds the byte of a slot looks alive in it, and so does the dead member until its
	// record is cleaned: a repair meanwhile must see that it is not.
	p.generation.Store(0)
	point("recover:marked")
	w := headerAt(o.Body())
	w.orphans.Store(1)
	point("recover:said")
	_, _ = futex.Wake(&w.filled, 1) // if it fails they find out at their tick
	_, _ = futex.Wake(&w.emptied, 1)
	return nil
}

// keeps reports whether a queue that nobody living has open has an item, or a dead letter.
func keeps(o *object.Object) bool {
	g, err := geometryIn(o)
	if err != nil {
		return false
	}
	c := &core{geometry: g, body: o.Body()}
	for i := range c.cells() {
		if v := c.cell(i).state.Load(); v != free && stateOf(v) != writing {
			return true
		}
	}
	return false
}
