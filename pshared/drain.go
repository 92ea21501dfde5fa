package pshared

import (
	"context"
	"time"
)

// A blocker is what a writer waits for the end of: readers that are inside, or those that
// wait for the end of a phase.
type blocker struct {
	waiting bool
	phase   uint32
}

func (k blocker) in(e *entry) bool {
	if k.waiting {
		return marksIn(e.b.Load(), k.phase) != 0
	}
	return activeIn(e.a.Load()) != 0
}

// anybody reports whether somebody is inside, or waits for the end of a phase; the dead count.
func (rw *RWMutex) anybody(phase uint32) bool {
	for slot := range rw.o.Highest() {
		e := rw.entryOf(slot)
		if a := e.a.Load(); activeIn(a) != 0 || generationIn(a) != 0 && marksIn(e.b.Load(), phase) != 0 {
			return true
		}
	}
	return false
}

// blocked reports whether a living member is in the way; if not thorough, a dead one counts as
// living. One that is found dead is never asked about again.
func (rw *RWMutex) blocked(inTheWay blocker, thorough bool) bool {
	for slot := range rw.o.Highest() {
		e := rw.entryOf(slot)
		a := e.a.Load()
		if generationIn(a) == 0 || !inTheWay.in(e) {
			continue
		}
		if !thorough || !rw.o.Dead(slot, generationIn(a)) {
			return true
		}
		e.a.CompareAndSwap(a, 0)
		point("wlock:buried")
	}
	return false
}

// patience is how long a writer waits for readers that wait: who is stopped must not keep
// out all writers without holding the lock.
const patience = tick

// drain waits until nobody who lives is in the way.
func (rw *RWMutex) drain(ctx context.Context, inTheWay blocker) error {
	for s := rw.drains.Begin(); s.More(); {
		if !rw.blocked(inTheWay, false) {
			s.Hit()
			return nil
		}
	}
	rw.o.Waiting(1)
	defer rw.o.Waiting(-1)
	rw.in.sleeps(&rw.core, 1)
	defer rw.in.sleeps(&rw.core, -1)
	begin := time.Now()
	return rw.word.bell.wait(ctx, func(thorough bool) (bool, error) {
		if rw.in.isClosed() {
			return false, ErrClosed
		}
		if inTheWay.waiting && time.Since(begin) >= patience {
			return true, nil
		}
		return !rw.blocked(inTheWay, thorough), nil
	})
}
