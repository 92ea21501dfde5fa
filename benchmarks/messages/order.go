package main

import (
	"runtime"
	"slices"
	"time"
)

// An order is what both processes are told to do once.
type order string

const (
	orderSlice order = "slice" // to be timed
	orderCheck order = "check" // look at all that comes
	orderCount order = "count" // count allocations
)

// run is what both do for it. Slices are of a warm path: a moment ago the caches were somebody
// else's.
func (o order) run(w work, r *room, s side, parent bool) (ns float64, mallocs uint64, err error) {
	if !w.together {
		if err := r.meet(parent); err != nil {
			return 0, 0, err
		}
	}
	switch o {
	case orderCheck:
		return 0, 0, s.run(w.n, true)
	case orderCount:
		before := mallocsNow()
		err := s.run(w.n, false)
		return 0, mallocsNow() - before, err
	}
	if err := s.run(w.n/10+1, false); err != nil {
		return 0, 0, err
	}
	ns, err = w.timed(s, parent)
	return ns, 0, err
}

// timed runs a slice part by part and returns the median of what an operation took. With others
// on the machine one of the two processes is not running now and then: that is in a few parts.
func (w work) timed(s side, parent bool) (float64, error) {
	parts := w.cut()
	all := make([]float64, 0, mostParts)
	for range parts {
		begin := time.Now()
		if err := s.run(w.n/parts, false); err != nil {
			return 0, err
		}
		ns := float64(time.Since(begin).Nanoseconds()) / float64(w.n/parts)
		if t, ok := s.(timer); ok && parent {
			ns = t.took()
		}
		all = append(all, ns)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

const mostParts = 16

// cut is into how many parts a slice is cut.
func (w work) cut() int {
	if w.parts != 0 {
		return w.parts
	}
	return min(10, w.n)
}

// mallocsNow is how many objects this process has allocated.
func mallocsNow() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
