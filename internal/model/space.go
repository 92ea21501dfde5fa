package model

import (
	"slices"
	"strings"
)

// ArenaPages is how many pages of address space scripts play with. The page on either
// side of them is taken for good.
const ArenaPages = 16

// A space is the address space of a process: areas in ascending order that do not
// overlap, and the page table behind them.
type space struct {
	owner    *Process
	areas    []*area
	table    map[int64]*entry // by page
	families int              // how many were given out
	ghosts   int64            // pages that count as locked and are not; see abandon
}

// find returns the area that holds the page, nil if none does.
func (s *space) find(page int64) *area {
	for _, a := range s.areas {
		if a.start <= page && page < a.end {
			return a
		}
	}
	return nil
}

// overlapping returns the areas that have pages in the range.
func (s *space) overlapping(start, end int64) []*area {
	var found []*area
	for _, a := range s.areas {
		if a.start < end && start < a.end {
			found = append(found, a)
		}
	}
	return found
}

// vacant reports whether nothing is mapped in the range, and the range is in the arena.
func (s *space) vacant(start, end int64) bool {
	return start >= 0 && end <= ArenaPages && len(s.overlapping(start, end)) == 0
}

// prev and next return the neighbours that touch the range.
func (s *space) prev(start int64) *area { return s.find(start - 1) }

func (s *space) next(end int64) *area { return s.find(end) }

// split cuts the area that holds page at in two, so that one begins there. Both halves
// are as the whole was; a segment gains an attachment.
func (s *space) split(at int64) {
	a := s.find(at)
	if a == nil || a.start == at {
		return
	}
	right := *a
	right.start, right.offset = at, a.index(at)
	a.end = at
	s.add(&right)
}

// add enters an area as it is. A segment notes who attached last.
func (s *space) add(a *area) {
	i, _ := slices.BinarySearchFunc(s.areas, a.start, func(b *area, start int64) int { return int(b.start - start) })
	s.areas = slices.Insert(s.areas, i, a)
	s.note(a)
}

// drop takes an area out and leaves the page table alone.
func (s *space) drop(a *area) {
	s.areas = slices.DeleteFunc(s.areas, func(b *area) bool { return a == b })
}

// note remembers the process as the last one that attached to or detached from the
// segment that the area shows.
func (s *space) note(a *area) {
	if seg := a.segment(); seg != nil {
		seg.last = s.owner.Name
	}
}

// remove is munmap: it cuts areas at both ends of the range and drops what lies
// between, with the pages.
func (s *space) remove(start, end int64) {
	s.split(start)
	s.split(end)
	for _, a := range s.overlapping(start, end) {
		s.note(a)
		s.drop(a)
	}
	for page := start; page < end; page++ {
		delete(s.table, page)
	}
}

// locked counts the pages of all areas that are locked, whether or not they are in
// memory: VmLck of /proc/self/status.
func (s *space) locked() int64 {
	n := s.ghosts
	for _, a := range s.areas {
		if a.lock != unlocked {
			n += a.pages()
		}
	}
	return n
}

// Maps lists the areas of a process like /proc/self/maps.
func (w *World) Maps(process string) string {
	var lines []string
	for _, p := range w.procs {
		if p.Name != process {
			continue
		}
		for _, a := range p.space.areas {
			lines = append(lines, a.String())
		}
	}
	return strings.Join(lines, "; ")
}
