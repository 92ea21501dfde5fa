package topic

func (e *xLane) of(w *xLaneWorld, v int8) *xLaneSlot { return &w.slot[(v/2)%e.ring] }

// publish returns what the publisher can do next.
func (e *xLane) publish(n xLaneWorld) (to []xLaneWorld) {
	p := &n.p
	goes := func(at xLaneStep) []xLaneWorld { p.at = at; return append(to, n) }
	adopted := func() []xLaneWorld { p.slot, p.m = 0, 0; return goes(xLaneIdle) }
	v := p.tail + 2 + 2*p.j // the message that is written
	s := e.of(&n, v)
	switch p.at {
	case xLaneAdopt:
		p.tail = n.tail
		if e.without == xLaneNoForward {
			return goes(xLaneCheck)
		}
		return goes(xLaneForward)
	case xLaneForward:
		if s.word == v+1 {
			p.tail = v
			if e.without == xLaneNoStore {
				return goes(xLaneForward)
			}
			return goes(xLaneForwardStore)
		}
		if e.without == xLaneNoClear {
			return goes(xLaneBound)
		}
		return goes(xLaneCheck)
	case xLaneForwardStore:
		n.tail = p.tail
		return goes(xLaneForward)
	case xLaneCheck: // message p.tail - 2 × p.slot
		if old := p.tail - 2*p.slot; old < 2 || e.of(&n, old).word != old+1 {
			return goes(xLaneClear)
		}
	case xLaneClear:
		next := p.tail - 2*p.slot + 2*e.ring
		e.of(&n, next).word = next
	case xLaneBound:
		p.bound = n.reclaimed
		return goes(xLaneBoundCursor)
	case xLaneBoundCursor:
		p.bound = min(p.bound, n.s[0].cursor)
		return adopted()
	case xLaneIdle:
		if n.items == e.items {
			return goes(xLaneEnd)
		}
		for _, k := range e.batches {
			if n.items+k > e.items {
				continue
			}
			q := n
			q.p.k, q.p.first = k, n.items+1
			q.items += k
			q.p.at = xLaneRoom
			to = append(to, q)
		}
		return to
	case xLaneRoom:
		if p.tail+2*p.k-2*e.ring < p.bound {
			p.j = min(1, p.k-1)
			if e.without == xLaneBatchOrder {
				p.j = 0
			}
			if e.without == xLaneNoWord {
				return goes(xLaneA)
			}
			return goes(xLaneWord)
		}
		return goes(xLaneReclaim)
	case xLaneReclaim:
		p.m = p.tail + 2 - 2*e.history
		if e.without != xLaneNoCursors {
			p.m = min(p.m, n.s[0].cursor)
		}
		if p.m <= p.bound {
			p.m = 0
			return goes(xLaneRoom)
		}
		return goes(xLaneReclaimed)
	case xLaneReclaimed:
		n.reclaimed, p.bound, p.m = p.m, p.m, 0
		return goes(xLaneRoom)
	case xLaneWord:
		s.word = v
		if e.without == xLaneDoneFirst {
			s.word = v + 1
			e.whole(&n, v)
		}
		return goes(xLaneA)
	case xLaneA:
		s.a = p.first + p.j
		return goes(xLaneB)
	case xLaneB:
		s.b = p.first + p.j
		return goes(xLaneDone)
	case xLaneDone:
		if s.word = v + 1; e.without != xLaneDoneFirst {
			e.whole(&n, v)
		}
		last := p.j == 0
		if p.j++; p.j == p.k {
			p.j = 0
		}
		if e.without == xLaneBatchOrder {
			last = p.j == 0
		}
		if !last {
			if e.without == xLaneNoWord {
				return goes(xLaneA)
			}
			return goes(xLaneWord)
		}
		return goes(xLaneTail)
	case xLaneTail:
		p.tail += 2 * p.k
		if e.without != xLaneNoTail {
			n.tail = p.tail
		}
		p.j, p.k, p.first = 0, 0, 0
		return goes(xLaneIdle)
	default:
		return to
	}
	// The next slot to check.
	if p.slot++; p.slot < e.ring {
		return goes(xLaneCheck)
	}
	return goes(xLaneBound)
}

// whole notes what is published when the word of v says that it is there.
func (e *xLane) whole(w *xLaneWorld, v int8) {
	if v != w.p.tail+2 {
		return // in a batch, and not the first
	}
	for j := range w.p.k {
		n := v/2 + j
		if w.published[n] != 0 {
			e.Fail("message %d is published once more", n)
		}
		w.published[n] = w.p.first + j
	}
}

// take returns what a subscriber can do next.
func (e *xLane) take(n xLaneWorld, i int) (to []xLaneWorld) {
	u := &n.s[i]
	reliable := i == 0
	goes := func(at xLaneStep) []xLaneWorld { u.at = at; return append(to, n) }
	s := e.of(&n, u.cursor)
	if u.at != xLaneLook {
		s = e.of(&n, u.v)
	}
	over := func() []xLaneWorld {
		if reliable {
			e.Fail("a reliable subscriber lost message %d", u.cursor/2)
		}
		*u = xLaneSubscriber{cursor: u.cursor}
		return goes(xLaneSkip)
	}
	switch u.at {
	case xLaneLook:
		switch {
		case s.word == u.cursor+1:
			u.v = u.cursor
			if e.without == xLaneCursorFirst {
				u.cursor += 2
			}
			return goes(xLaneReadA)
		case s.word > u.cursor:
			return over()
		}
		return to
	case xLaneReadA:
		u.a = s.a
		return goes(xLaneReadB)
	case xLaneReadB:
		u.b = s.b
		if reliable || e.without == xLaneNoAgain {
			return e.taken(n, i)
		}
		return goes(xLaneAgain)
	case xLaneAgain:
		if s.word != u.v+1 {
			return over()
		}
		return e.taken(n, i)
	case xLaneCursor:
		*u = xLaneSubscriber{cursor: u.v + 2}
		return goes(xLaneLook)
	case xLaneSkip:
		far := n.tail + 2
		switch e.without {
		case xLaneSkipFar:
			far = s.word &^ 1
		case xLaneSkipShort:
			far = n.tail
		}
		for c := u.cursor + 2; c <= far; c += 2 {
			if n.published[c/2-1] == 0 {
				e.Fail("message %d counts as missed", c/2-1)
			}
			q := n
			q.s[i] = xLaneSubscriber{at: xLaneLook, cursor: c}
			to = append(to, q)
		}
		if to == nil {
			return goes(xLaneLook)
		}
	}
	return to
}

// last checks that the last messages up to the tail are there.
func (e *xLane) last(w *xLaneWorld) {
	for v := max(2, w.tail+2-2*e.history); v <= w.tail; v += 2 {
		if e.of(w, v).word != v+1 {
			e.Fail("message %d of the history is not there, tail %d", v/2, w.tail/2)
		}
	}
}

// taken checks what a subscriber has.
func (e *xLane) taken(n xLaneWorld, i int) []xLaneWorld {
	u := &n.s[i]
	if is := n.published[u.v/2]; u.a != u.b || is == 0 || u.a != is {
		e.Fail("subscriber %d takes %d and %d for message %d, which is %d", i, u.a, u.b, u.v/2, is)
	}
	u.at, u.a, u.b = xLaneCursor, 0, 0
	return []xLaneWorld{n}
}
