package model

// When areas merge.
//
// The kernel keeps the list of areas short: what lies side by side and is alike in
// everything becomes one. Everything is the protection, the rights, the kind, the lock
// and the advice (traits), the same open file description, and offsets that run on.
// Private copies add a condition: two areas that have copies of different families stay
// apart.
//
// Areas of System V segments count their attachments by a function that the kernel
// calls when one goes away. Such an area is never made to vanish by a merge: its border
// may move, but it stays. So a segment split by mprotect stays split.

// alike reports whether b could continue a, if their families allow.
func alike(a, b *area) bool {
	return a.traits == b.traits && a.file == b.file && a.offset+a.pages() == b.offset
}

// sameFamily reports whether the private copies of both can be kept together.
func sameFamily(a, b *area) bool {
	return a.family == 0 || b.family == 0 || a.family == b.family
}

// permanent areas cannot vanish in a merge.
func permanent(a *area) bool { return a.segment() != nil }

// insert enters a new area into a vacant range, as part of a neighbour if it fits, and
// returns what holds the range now.
func (s *space) insert(a *area) *area {
	prev, next := s.prev(a.start), s.next(a.end)
	left := prev != nil && alike(prev, a) && sameFamily(prev, a)
	right := next != nil && alike(a, next) && sameFamily(a, next)
	if left && right && (!sameFamily(prev, next) || permanent(next)) {
		right = false
	}
	switch {
	case left && right:
		prev.end, prev.family = next.end, max(prev.family, a.family, next.family)
		s.drop(next)
		return prev
	case left:
		prev.end, prev.family = a.end, max(prev.family, a.family)
		return prev
	case right:
		next.start, next.offset, next.family = a.start, a.offset, max(next.family, a.family)
		return next
	}
	s.add(a)
	return a
}

// change gives the pages from start up to end of area a new traits: mprotect, mlock and
// madvise end here. The part that changes joins a neighbour it now resembles, or is cut
// out.
func (s *space) change(a *area, start, end int64, t traits) {
	part := *a
	part.start, part.end, part.offset, part.traits = start, end, a.index(start), t

	var prev, next *area
	if start == a.start {
		prev = s.prev(start)
	}
	if end == a.end {
		next = s.next(end)
	}
	left := prev != nil && alike(prev, &part) && sameFamily(prev, a)
	right := next != nil && alike(&part, next) && sameFamily(a, next) && (!left || sameFamily(prev, next))
	whole := start == a.start && end == a.end
	if whole && permanent(a) {
		left, right = false, false
	}
	if left && right && permanent(next) {
		right = false
	}
	switch {
	case left && right:
		prev.end, prev.family = next.end, max(prev.family, a.family, next.family)
		s.drop(a)
		s.drop(next)
	case left:
		prev.end, prev.family = end, max(prev.family, a.family)
		s.cutFront(a, end)
	case right:
		next.start, next.offset, next.family = start, part.offset, max(next.family, a.family)
		s.cutBack(a, start)
	default:
		s.split(start)
		s.split(end)
		s.find(start).traits = t
	}
}

// cutFront takes the pages before at from an area, which may leave nothing of it.
func (s *space) cutFront(a *area, at int64) {
	if a.end == at {
		s.drop(a)
		return
	}
	a.start, a.offset = at, a.index(at)
}

// cutBack takes the pages from at on.
func (s *space) cutBack(a *area, at int64) {
	if a.start == at {
		s.drop(a)
		return
	}
	a.end = at
}

// adopt gives an area a family before its first private copy. It takes that of a
// neighbour that differs from it in protection only and so may merge with it one day.
func (s *space) adopt(a *area) {
	if a.family != 0 {
		return
	}
	related := func(left, right *area) bool {
		if left == nil || right == nil {
			return false
		}
		l, r := *left, *right
		l.prot, r.prot = 0, 0
		return alike(&l, &r)
	}
	next, prev := s.next(a.end), s.prev(a.start)
	switch {
	case related(a, next) && next.family != 0:
		a.family = next.family
	case related(prev, a) && prev.family != 0:
		a.family = prev.family
	default:
		s.families++
		a.family = s.families
	}
}
