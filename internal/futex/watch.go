package futex

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// A watch makes the end of a context wake the sleeper in a slot. Registering with a
// context costs allocations and, for contexts made by strangers, a goroutine. So a
// registration outlives the sleep: who sleeps again under the same context mostly
// comes to the same slot and finds it there. What was not used for a while is dropped
// by sweep.
type watch struct {
	done <-chan struct{} // of the context; nil if there is none
	stop func() bool
	used bool // since the last sweep
}

// on watches ctx, whose Done is not nil, for s.
func (w *watch) on(ctx context.Context, s *slot) {
	if done := ctx.Done(); w.done != done {
		w.off()
		w.done = done
		w.stop = context.AfterFunc(ctx, s.interrupt)
	}
	w.used = true
}

func (w *watch) off() {
	if w.done != nil {
		w.stop()
	}
	*w = watch{}
}

// interrupt wakes whoever sleeps in the slot to look at its context.
func (s *slot) interrupt() {
	s.stops.Add(1)
	_, _ = sys.FutexWakePrivate(&s.stops, 1) // a word of our own: it cannot fail
}

// sweepEvery is how often registrations that may be unused are looked at. One lasts
// twice that after its last use.
const sweepEvery = 200 * time.Millisecond

var sweepDue atomic.Bool

func sweepLater() {
	if !sweepDue.Load() && sweepDue.CompareAndSwap(false, true) {
		time.AfterFunc(sweepEvery, sweep)
	}
}

// sweep drops the registrations that were not used since the last sweep.
func sweep() {
	// First, so that a slot given back from here on makes the next sweep due.
	sweepDue.Store(false)
	kept := false
	for n := range slots {
		taken := slotsTaken.Load()
		for taken&(1<<n) == 0 && !tryTake(taken, n) {
			taken = slotsTaken.Load()
		}
		if taken&(1<<n) != 0 {
			continue // in use: giving it back makes a sweep due
		}
		s := &slots[n]
		if s.watch.used {
			s.watch.used = false
		} else {
			s.watch.off()
		}
		kept = kept || s.watch.done != nil
		slotsTaken.And(^(uint64(1) << n))
	}
	if kept {
		sweepLater()
	}
}
