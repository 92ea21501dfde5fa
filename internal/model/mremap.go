package model

import "syscall"

// mremap makes mappings longer, shorter, or moves them. Moving copies no memory: the
// entries of the page table go to the new place, so private copies come along.

// A remap is one call of mremap, in pages.
type remap struct {
	p                  *Process
	from, len, new, to int64
	mayMove, fixed     bool
	dontUnmap          bool
}

func (p *Process) mremap(op Op) Outcome {
	r := &remap{
		p: p, from: pageOf(op.Addr), len: pagesOf(op.Len), new: pagesOf(op.New), to: pageOf(op.To),
		mayMove: op.Flags.Has("maymove"), fixed: op.Flags.Has("fixed"), dontUnmap: op.Flags.Has("dontunmap"),
	}
	switch {
	case op.Flags.Has("unknown"):
		return refuse(syscall.EINVAL, "mremap refuses flags that it does not know.")
	case inPage(op.Addr) != 0:
		return refuse(syscall.EINVAL, "The old address is not a multiple of the page size.")
	case r.new == 0:
		return refuse(syscall.EINVAL, "The new length is 0. To unmap is munmap.")
	}
	if r.fixed || r.dontUnmap {
		switch {
		case inPage(op.To) != 0:
			return refuse(syscall.EINVAL, "The new address is not a multiple of the page size.")
		case !r.mayMove:
			return refuse(syscall.EINVAL, "MREMAP_FIXED and MREMAP_DONTUNMAP need MREMAP_MAYMOVE.")
		case r.dontUnmap && r.len != r.new:
			return refuse(syscall.EINVAL, "MREMAP_DONTUNMAP cannot change the length.")
		case r.from < r.to+r.new && r.to < r.from+r.len:
			return refuse(syscall.EINVAL, "The new range overlaps the old one.")
		}
	}
	switch {
	case r.fixed && r.len == r.new:
		return r.moveAll()
	case r.fixed || r.dontUnmap:
		return r.moveOne()
	}
	return r.resize()
}

// prepare checks the area that the old range begins in.
func (r *remap) prepare() (*area, Outcome) {
	a := r.p.space.find(r.from)
	if a == nil {
		return nil, refuse(syscall.EFAULT, "Nothing is mapped at the old address.")
	}
	if stays := !r.fixed && !r.dontUnmap && r.new <= r.len; stays {
		return a, goOn // nothing new is mapped, and a cut may go through several areas
	}
	if r.len == 0 && !a.shown {
		return nil, refuse(syscall.EINVAL, "An old length of 0 asks for a second mapping of the same memory. Private memory is in one place only.")
	}
	if min(r.len, r.new) > a.end-r.from {
		return nil, refuse(syscall.EFAULT, "The old range reaches beyond the area that it begins in.")
	}
	if r.new > r.len && a.lock != unlocked && !r.p.lockFits(r.new-r.len) {
		return nil, refuse(syscall.EAGAIN, "The mapping is locked, and the additional pages would exceed the limit.")
	}
	return a, goOn
}

// resize is mremap without a new address.
func (r *remap) resize() Outcome {
	a, why := r.prepare()
	if why.Failed() {
		return why
	}
	s := &r.p.space
	switch {
	case r.new == r.len:
		return done("The length is the one it had.")
	case r.new < r.len:
		s.remove(r.from+r.new, r.from+r.len)
		return done("The end was cut off.")
	}
	end, more := r.from+r.len, r.new-r.len
	if end == a.end && s.vacant(end, end+more) {
		populate := a.lock == locked
		s.extend(a, more)
		if populate {
			r.p.populate(end, end+more)
		}
		return done("There was room behind the mapping, so it grew in place.")
	}
	if !r.mayMove {
		return refuse(syscall.ENOMEM, "There is no room behind the mapping, and without MREMAP_MAYMOVE it has to stay.")
	}
	r.moveAway(a)
	return done("The mapping moved to where there was room. Scripts do not follow it: it is unmapped.").with("elsewhere")
}

// extend makes an area longer, up to its neighbour or into one with it.
func (s *space) extend(a *area, more int64) {
	tail := &area{start: a.end, end: a.end + more, traits: a.traits, file: a.file, offset: a.offset + a.pages(), family: a.family}
	next := s.next(tail.end)
	right := next != nil && alike(tail, next) && sameFamily(a, next) && !permanent(next)
	a.end = tail.end
	if right {
		a.end, a.family = next.end, max(a.family, next.family)
		s.drop(next)
	}
}

// moveAway is a move out of the arena, followed at once by unmapping: the old range is
// gone, unless there was none. If it was locked, the pages it would have grown by were
// brought in meanwhile, and those of an object are there to stay.
func (r *remap) moveAway(a *area) {
	r.p.space.note(a)
	if o := a.object(); o != nil && a.lock == locked && a.readable() {
		first := a.index(r.from)
		for i := first + r.len; i < min(first+r.new, o.end()); i++ {
			o.page(i)
		}
	}
	if r.len > 0 {
		r.p.space.remove(r.from, r.from+r.len)
	}
}

// moveOne moves a range of one area to a given address, and makes it longer or shorter
// on the way. What was there is unmapped first.
func (r *remap) moveOne() Outcome {
	a, why := r.prepare()
	if why.Failed() {
		return why
	}
	if r.dontUnmap && !r.fixed && !r.p.space.vacant(r.to, r.to+r.new) {
		r.moveAwayKeeping(a)
		return done("The memory moved to where there was room, and left the range mapped and empty.").with("elsewhere")
	}
	s := &r.p.space
	s.remove(r.to, r.to+r.new)
	if s.find(r.from) == nil {
		return refuse(syscall.EFAULT, "The old mapping was in the new range, and is gone.")
	}
	if r.new < r.len {
		s.remove(r.from+r.new, r.from+r.len)
	}
	r.move(s.find(r.from), min(r.len, r.new))
	return done("The mapping moved, with everything in it, over what was there.")
}

// moveAll moves a range without a change of length. It may hold several areas, and gaps
// behind the first, which are kept. Areas move one after the other: each
// unmaps only what it will cover.
func (r *remap) moveAll() Outcome {
	s := &r.p.space
	first := s.find(r.from)
	if first == nil {
		return refuse(syscall.EFAULT, "Nothing is mapped where the range to move begins.")
	}
	if r.len == 0 {
		return r.moveOne()
	}
	start, end, shift := r.from, r.from+r.len, r.to-r.from
	if first.segment() != nil && first.end < end {
		return refuse(syscall.EFAULT, "A System V attachment moves alone: the range reaches beyond it.")
	}
	for page := start; page < end; {
		a := s.find(page)
		if a == nil {
			page++
			continue
		}
		if page > start && a.segment() != nil {
			return refuse(syscall.EFAULT, "A System V attachment moves alone: areas before it have moved already.")
		}
		one := *r
		one.from, one.to = page, page+shift
		one.len = min(a.end, end) - page
		one.new = one.len
		if why := one.moveOne(); why.Failed() {
			return why
		}
		page += one.len
	}
	return done("The range moved, with everything in it, over what was there.")
}

// move takes n pages of area a, from r.from on, to r.to, where there are r.new pages
// then.
func (r *remap) move(a *area, n int64) {
	s := &r.p.space
	fresh := *a
	fresh.start, fresh.end, fresh.offset = r.to, r.to+r.new, a.index(r.from)
	if a.file == nil && a.family == 0 {
		fresh.offset = fresh.start
	}
	whole := a.start == r.from && a.end == r.from+n
	populate := r.new > r.len && a.lock == locked
	s.insert(&fresh)
	s.moveEntries(r.from, r.to, n)

	switch {
	case r.dontUnmap:
		s.abandon(s.find(r.from), whole)
	case r.len > 0:
		s.remove(r.from, r.from+n)
	}
	if populate {
		r.p.populate(r.to+r.len, r.to+r.new)
	}
}

// moveEntries moves n entries of the page table.
func (s *space) moveEntries(from, to, n int64) {
	for i := range n {
		if e := s.table[from+i]; e != nil {
			s.table[to+i] = e
			delete(s.table, from+i)
		}
	}
}

// abandon is what MREMAP_DONTUNMAP does with the old area: it stays, without pages,
// without a lock, and, if all of it moved, without a family. The kernel forgets to count
// the lock off, so that its pages count until the process ends.
func (s *space) abandon(a *area, whole bool) {
	if a.lock != unlocked {
		s.ghosts += a.pages()
	}
	a.lock = unlocked
	if whole {
		a.family = 0
	}
}

// moveAwayKeeping is MREMAP_DONTUNMAP without an address, or with one that is taken:
// without MREMAP_FIXED it is only a hint.
func (r *remap) moveAwayKeeping(a *area) {
	s := &r.p.space
	s.note(a)
	for page := r.from; page < r.from+r.len; page++ {
		delete(s.table, page)
	}
	s.abandon(a, a.start == r.from && a.end == r.from+r.len)
}
