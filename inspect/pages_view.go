package inspect

import (
	"context"
	"iter"
	"slices"
)

// A PageView is the pages of an object as one party has them: the object itself, or a process. Of a
// process that maps a part of the object twice there are two views.
//
// Only one goroutine at a time may use it.
type PageView struct {
	PID     int    // 0: the object itself
	Command string // of the process
	Ranges  []Range
	// Blind says what is not told of these pages and why, a sentence each. It may grow while they are looked
	// at: whether frames are told is known when one was seen.
	Blind []string
	// Err is why the view ends early: the process has ended meanwhile. What was not seen is PageUnknown.
	Err error

	walk func(ctx context.Context, from, to int64, emit func(PageRun) bool) error
}

// blind adds a reason, once.
func (v *PageView) blind(why string) {
	if !slices.Contains(v.Blind, why) {
		v.Blind = append(v.Blind, why)
	}
}

// Address returns where the process maps a page; ok is false if it does not.
func (v *PageView) Address(number int64) (addr uint64, ok bool) {
	offset := uint64(number) * pageBytes
	for _, r := range v.Ranges {
		if offset >= r.Offset && offset-r.Offset < r.Len() {
			return r.Start + offset - r.Offset, true
		}
	}
	return 0, false
}

// Runs ranges over the pages from number from to the one before to, every one once and in order. An error
// is the last thing it yields; it is the context's, or is in Err as well.
//
// It reads as it goes: no more than some thousands of pages are in memory, and what is empty is
// skipped, whatever its size.
func (v *PageView) Runs(ctx context.Context, from, to int64) iter.Seq2[PageRun, error] {
	return func(yield func(PageRun, error) bool) {
		var run PageRun // that may go on
		stopped := false
		next := from
		err := v.walk(ctx, from, to, func(r PageRun) bool {
			if err := ctx.Err(); err != nil {
				return false
			}
			next = r.End()
			switch {
			case run.Count == 0:
				run = r
			case run.follows(r):
				run.Count += r.Count
			default:
				stopped = !yield(run, nil)
				run = r
			}
			return !stopped
		})
		if err == nil {
			err = ctx.Err()
		} else if ctx.Err() == nil {
			v.Err = err
		}
		if stopped || run.Count > 0 && !yield(run, nil) {
			return
		}
		if err != nil && next < to && !yield(PageRun{next, to - next, Page{State: PageUnknown}}, nil) {
			return
		}
		if err != nil {
			yield(PageRun{}, err)
		}
	}
}

// At looks at one page.
func (v *PageView) At(number int64) (Page, error) {
	for r, err := range v.Runs(context.Background(), number, number+1) {
		return r.At(number), err
	}
	return Page{}, nil
}
