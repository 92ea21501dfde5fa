package pshared

import (
	"context"
	"fmt"
	"time"
)

// How long Reset pauses before it looks again whether all have been told.
const (
	firstPause = time.Millisecond
	lastPause  = tick
)

func (b *Barrier) reset(ctx context.Context) error {
	if b.wrong != nil {
		return b.wrong
	}
	w := &b.word.state
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if _, err := b.o.Sweep(); err != nil {
			return err
		}
		point("barrier:swept")
		v := w.Load()
		switch {
		case v&barrierBroken == 0 && arrivedIn(v) < b.parties:
			return nil
		case v&barrierBroken == 0: // so that who waits is told
			if err := b.word.breakPhase(v); err != nil {
				return err
			}
			v = w.Load()
		}
		if v&barrierBroken != 0 && b.quiet() && w.CompareAndSwap(v, nextPhase(v)) {
			point("barrier:reset")
			return nil
		}
		if b.in.isClosed() {
			return ErrClosed
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// quiet reports whether no living member has anybody inside.
func (b *Barrier) quiet() bool {
	for slot := range b.o.Highest() {
		if b.entryOf(slot).a.Load() == 0 {
			continue
		}
		if who, is := b.partyIn(slot); is && (who == b.me || !b.dead(who)) {
			return false
		}
	}
	return true
}

// seeBarrier tells of a barrier; its parties hold it.
func seeBarrier(s *sight, w *WordInfo) {
	v := s.u64(0)
	low, arrived, parties := uint32(v), arrivedIn(v), s.u32(8)
	switch {
	case parties == 0:
		w.State = "not opened yet"
	case low&barrierBroken != 0:
		w.State = "broken"
	case arrived >= parties:
		w.State = Corrupt
	default:
		w.State = fmt.Sprintf("%d of %d arrived", arrived, parties)
	}
	w.Waiters = low&barrierSleeps != 0
	for n := range s.i.Members {
		if a, b := s.part(n); b != 0 {
			w.Holders = append(w.Holders, Holder{Member: n, Mode: "party", Count: int(uint32(a))})
		}
	}
}
