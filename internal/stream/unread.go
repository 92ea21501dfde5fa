package stream

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
)

// What became of the lines that a writer appended; docs/abi/stream.md, "Lines that nobody
// read".

// openLines are those of which a writer does not know yet whether somebody has read
// them, in the order of their positions.
type openLines []lineRun

// lineRun is lines that were appended in one turn. Each begins where the one before it
// ends.
type lineRun struct {
	start uint64
	ends  []uint32 // from start
}

// first is the position of the first one, of which there is one.
func (l openLines) first() uint64 { return l[0].start }

// audience is what was read, and what is going to be.
type audience struct {
	read []span // in order, and apart from each other
	from uint64 // there are readers for everything from here on
}

type span struct{ from, to uint64 }

// settle finds out which open lines somebody has read, and which nobody ever will:
// these it counts. The others stay open.
func (w *Writer) settle(ctx context.Context, open *openLines) (unread int64, err error) {
	if len(*open) == 0 {
		return 0, nil
	}
	if err := w.lock(ctx); err != nil {
		return 0, w.fail(err)
	}
	point("settle:locked")
	var a audience
	err = w.guarded(func() (err error) {
		a, err = w.audience()
		return err
	})
	if err := several(err, w.unlock()); err != nil {
		return 0, w.fail(err)
	}
	*open, unread = a.judge(*open)
	return unread, nil
}

// settleIfNeeded is settle before it is too late: before open lines become many, and
// before readers that come and go in the slots of others make it forget what those read.
func (w *Writer) settleIfNeeded(ctx context.Context, open *openLines) (int64, error) {
	readers, err := w.Readers()
	if err != nil {
		return 0, err
	}
	first, came := open.first(), false
	err = w.guarded(func() error {
		for i := range min(w.h.highest.Load(), MaxReaders) {
			came = came || w.slots[i].start.Load() > first
		}
		return nil
	})
	if err != nil || readers > 0 && !came && w.tail-first <= 2*w.capacity {
		return 0, err
	}
	return w.settle(ctx, open)
}

// settleLast is settle for a writer that is about to leave. If it does not get lock, it
// will not get it to leave either, and says so then.
func (w *Writer) settleLast(open *openLines) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), leavePatience)
	defer cancel()
	n, err := w.settle(ctx, open)
	if errors.Is(err, context.DeadlineExceeded) {
		return n, nil
	}
	return n, err
}

// audience looks at all slots. Under lock.
func (w *Writer) audience() (audience, error) {
	alive, err := w.living()
	if err != nil {
		return audience{}, err
	}
	a := audience{from: math.MaxUint64}
	all := []span{{w.h.since.Load(), w.h.passed.Load()}}
	for i := range w.slots {
		start, cursor := w.slots[i].start.Load(), w.slots[i].cursor.Load()
		if alive[i] {
			a.from = min(a.from, start)
		}
		all = append(all, span{start, cursor})
	}
	all = slices.DeleteFunc(all, func(s span) bool { return s.to <= s.from })
	slices.SortFunc(all, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	for _, s := range all {
		if n := len(a.read); n > 0 && s.from <= a.read[n-1].to {
			a.read[n-1].to = max(a.read[n-1].to, s.to)
			continue
		}
		a.read = append(a.read, s)
	}
	return a, nil
}

// judge returns the lines that are still open, and how many nobody will read.
func (a *audience) judge(open openLines) (still openLines, unread int64) {
	next := a.read
	for _, r := range open {
		from := r.start
		for n, end := range r.ends {
			to := r.start + uint64(end)
			for len(next) > 0 && next[0].to < to {
				next = next[1:]
			}
			switch {
			case len(next) > 0 && next[0].from <= from: // read
			case from < a.from:
				unread++
			default:
				rest := lineRun{start: from, ends: r.ends[n:]}
				for i := range rest.ends {
					rest.ends[i] -= uint32(from - r.start)
				}
				still = append(still, rest)
			}
			if len(still) > 0 && still[len(still)-1].start == from {
				break // the rest of this turn comes behind it
			}
			from = to
		}
	}
	return still, unread
}
