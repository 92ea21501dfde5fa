package topic

func (e *xLane) of(w *xLaneWorld, v int8) *xLaneSlot { return &w.slot[(v/2)%e.ring] }

// lowest is the lower of m and the cursors of all that are reliable. That they are read one by one
// is explored in xJoin.
func (e *xLane) lowest(w *xLaneWorld, m int8) int8 {
	if e.without == xLaneNoCursors {
		return m
	}
	if !e.alone {
		m = min(m, w.s[0].cursor)
	}
	for _, j := range w.j {
		if j.binds {
			m = min(m, j.cursor)
		}
	}
	return m
}

// publish returns what the publisher can do next.
func (e *xLane) publish(n xLaneWorld) (to []xLaneWorld) {
	p := &n.p
	goes := func(at xLaneStep) []xLaneWorld { p.at = at; return append(to, n) }
	v := p.tail + 2 + 2*p.j // the message that is written
	s := e.of(&n, v)
	switch p.at {
	case xLaneAdopt:
		p.tail = n.tail
		return goes(xLaneForward)
	case xLaneForward:
		if s.word == v+1 && e.without != xLaneNoForward {
			p.tail = v
			return append(to, n)
		}
		if e.without != xLaneNoStore {
			n.tail = p.tail
		}
		return goes(xLaneReclaimedRead)
	case xLaneReclaimedRead:
		p.reclaimed = n.reclaimed
		return goes(xLaneErasedRead)
	case xLaneErasedRead:
		p.erased = n.erased
		return goes(xLaneCursors)
	case xLaneCursors:
		p.bound = e.lowest(&n, p.reclaimed)
		if e.without == xLaneErasedBack && p.erased > p.bound {
			p.erased, n.erased = p.bound, p.bound
		}
		if e.without == xLaneNoClear {
			return goes(xLaneIdle)
		}
		return goes(xLaneCheck)
	case xLaneCheck: // message p.tail - 2 × p.slot
		if old := p.tail - 2*p.slot; old < 2 || e.of(&n, old).word != old+1 || old < p.erased {
			return goes(xLaneClear)
		}
	case xLaneClear:
		next := p.tail - 2*p.slot + 2*e.ring
		e.of(&n, next).word = next
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
			if p.j = min(1, p.k-1); e.without == xLaneBatchOrder {
				p.j = 0
			}
			switch {
			case p.behind > 0 && e.without == xLaneLeft:
				p.behind = 0
			case p.behind > 0:
				return goes(xLaneForget)
			}
			if e.without == xLaneEraseLate || e.without == xLaneEraseHalf {
				return goes(xLaneA)
			}
			return goes(xLaneErase)
		}
		p.joins = n.joins
		return goes(xLaneReclaim)
	case xLaneReclaim: // a look at cursors
		if p.again {
			p.m, p.again = e.lowest(&n, p.m), false
			p.bound, p.m, p.joins = max(p.bound, p.m), 0, 0
			return goes(xLaneRoom)
		}
		if p.m = e.lowest(&n, p.tail+2-2*e.history); p.m <= p.bound {
			p.m, p.joins = 0, 0
			return goes(xLaneRoom)
		}
		return goes(xLaneReclaimed)
	case xLaneReclaimed:
		if p.m > p.reclaimed || e.without == xLaneReclaimBack {
			n.reclaimed, p.reclaimed = p.m, p.m
		}
		return goes(xLaneJoins)
	case xLaneJoins:
		if n.joins != p.joins {
			p.again = true
			return goes(xLaneReclaim)
		}
		p.bound, p.m, p.joins = p.m, 0, 0
		return goes(xLaneRoom)
	case xLaneForget: // what a batch has left that failed
		left := p.tail + 2 + 2*p.behind
		e.of(&n, left).word = left
		p.behind--
		return goes(xLaneRoom)
	case xLaneErase:
		e.erase(&n)
		switch e.without {
		case xLaneEraseLate:
			return goes(xLaneDone)
		case xLaneEraseHalf:
			return goes(xLaneB)
		case xLaneDoneFirst:
			return goes(xLaneDone)
		}
		return goes(xLaneA)
	case xLaneA:
		if n.fails < e.fails && p.k > 1 { // what was to be sent cannot be read
			q := n
			q.fails++
			q.p.behind, q.p.at = p.k-1, xLaneIdle
			q.p.j, q.p.k, q.p.first = 0, 0, 0
			to = append(to, q)
		}
		s.a = p.first + p.j
		if e.without == xLaneEraseHalf {
			return goes(xLaneErase)
		}
		return goes(xLaneB)
	case xLaneB:
		s.b = p.first + p.j
		switch e.without {
		case xLaneEraseLate:
			return goes(xLaneErase)
		case xLaneDoneFirst:
			return e.written(n)
		}
		return goes(xLaneDone)
	case xLaneDone:
		s.word = v + 1
		e.whole(&n, v)
		if e.without == xLaneDoneFirst {
			return goes(xLaneA)
		}
		return e.written(n)
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
	p.slot = 0
	return goes(xLaneIdle)
}

// erase says that the slots of the batch may be overwritten.
func (e *xLane) erase(n *xLaneWorld) {
	p := &n.p
	last := p.tail + 2*p.k
	if e.without == xLaneEraseFirst {
		last = p.tail + 2
	}
	if old := last - 2*e.ring; old < p.erased || e.without == xLaneNoErase {
		return
	}
	to := p.erased + e.stride
	if e.without != xLaneEraseBeyond {
		to = min(to, p.bound)
	}
	least := last - 2*e.ring + 2
	if e.without == xLaneEraseShort {
		least -= 2
	}
	p.erased = max(to, least)
	n.erased = p.erased
}

// written goes on with the next message of a batch.
func (e *xLane) written(n xLaneWorld) []xLaneWorld {
	p := &n.p
	last := p.j == 0
	if p.j++; p.j == p.k {
		p.j = 0
	}
	if e.without == xLaneBatchOrder {
		last = p.j == 0
	}
	switch {
	case last:
		p.at = xLaneTail
	case e.without == xLaneDoneFirst:
		p.at = xLaneDone
	default:
		p.at = xLaneA
	}
	return []xLaneWorld{n}
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
	v := u.cursor + 2*u.n
	s := e.of(&n, v)
	over := func() []xLaneWorld {
		if reliable {
			e.Fail("a reliable subscriber lost message %d", u.cursor/2)
		}
		*u = xLaneSubscriber{cursor: u.cursor, m: u.m}
		if e.without != xLaneSkipEarly {
			u.m = 0
		}
		return goes(xLaneSkip)
	}
	switch u.at {
	case xLaneLook:
		if e.without == xLaneSkipEarly && !reliable {
			// It has read a tail, and now reads the word.
			if u.m == 0 {
				u.m = n.tail + 2
				return append(to, n)
			}
		}
		switch {
		case s.word == v+1:
			if e.without == xLaneCursorFirst && reliable {
				u.cursor += 2
				u.n = -1
			}
			if e.without == xLaneAgainFirst && !reliable {
				return goes(xLaneAgain)
			}
			return goes(xLaneReadA)
		case s.word > v:
			return over()
		}
		if u.m != 0 {
			u.m = 0
			return append(to, n)
		}
		return to
	case xLaneReadA:
		u.a[max(0, u.n)] = s.a
		return goes(xLaneReadB)
	case xLaneReadB:
		u.b[max(0, u.n)] = s.b
		if u.n < 0 { // the cursor is ahead
			q := n
			q.s[i].cursor -= 2
			q.s[i].n = 1
			e.right(&q, i)
			*u = xLaneSubscriber{at: xLaneLook, cursor: u.cursor}
			return append(to, n)
		}
		if u.n++; u.n < e.several {
			return goes(xLaneNext)
		}
		return e.copied(n, i)
	case xLaneNext: // is there one more to copy
		if s.word == v+1 {
			return goes(xLaneReadA)
		}
		return e.copied(n, i)
	case xLaneAgain:
		if e.without == xLaneAgainFirst {
			if n.erased > u.cursor {
				return over()
			}
			return goes(xLaneReadA)
		}
		first := u.cursor
		if e.without == xLaneSeveralLast {
			first += 2 * (u.n - 1)
		}
		if n.erased > first {
			return over()
		}
		e.right(&n, i)
		return goes(xLaneCursor)
	case xLaneCursor:
		*u = xLaneSubscriber{cursor: u.cursor + 2*u.n}
		return goes(xLaneLook)
	case xLaneSkip:
		if u.m == 0 {
			u.m = n.tail + 2
		}
		if e.without == xLaneSkipShort {
			u.m = n.tail
		}
		return goes(xLaneSkipTo)
	case xLaneSkipTo:
		for far := int8(0); far <= e.far; far += 2 {
			c := n.erased + far
			if c <= u.cursor {
				c = u.cursor + 2
			}
			if e.without != xLaneSkipFar {
				c = min(c, u.m)
			}
			if c <= u.cursor {
				e.Fail("there is no way to go from message %d", u.cursor/2)
				return to
			}
			for v := u.cursor; v < c; v += 2 {
				if n.published[v/2] == 0 {
					e.Fail("message %d counts as missed", v/2)
				}
			}
			q := n
			q.s[i] = xLaneSubscriber{at: xLaneLook, cursor: c}
			to = append(to, q)
		}
	}
	return to
}

// check checks that the history up to the tail is there, and what was promised to who has joined.
func (e *xLane) check(w *xLaneWorld) {
	for v := max(2, w.tail+2-2*e.history); v <= w.tail; v += 2 {
		if s := e.of(w, v); s.word != v+1 || v < w.erased || s.a != s.b {
			e.Fail("message %d of the history is not there, tail %d", v/2, w.tail/2)
		}
	}
	for _, j := range w.j[:e.joiners] {
		if j.at == xLaneJoined && j.cursor < w.erased {
			e.Fail("who has joined loses message %d", j.cursor/2)
		}
	}
}

// copied is what comes when messages have been copied. Who is reliable does not look at erased.
func (e *xLane) copied(n xLaneWorld, i int) []xLaneWorld {
	if n.s[i].at = xLaneAgain; i == 0 || e.without == xLaneNoAgain || e.without == xLaneAgainFirst {
		e.right(&n, i)
		n.s[i].at = xLaneCursor
	}
	return []xLaneWorld{n}
}

// right checks what a subscriber has copied, and forgets it.
func (e *xLane) right(n *xLaneWorld, i int) {
	u := &n.s[i]
	for k := range u.n {
		v := u.cursor + 2*k
		if is := n.published[v/2]; u.a[k] != u.b[k] || is == 0 || u.a[k] != is {
			e.Fail("subscriber %d takes %d and %d for message %d, which is %d", i, u.a[k], u.b[k], v/2, is)
		}
	}
	u.a, u.b = [2]int8{}, [2]int8{}
}

// join returns what somebody who joins can do next.
func (e *xLane) join(n xLaneWorld, i int) []xLaneWorld {
	j := &n.j[i]
	switch j.at {
	case xLaneOut:
		j.cursor, j.at = n.tail+2-2*e.history, xLaneBind
	case xLaneBind:
		j.binds, j.at = true, xLaneCount
	case xLaneCount:
		n.joins++
		j.at = xLaneUp
	case xLaneUp:
		j.cursor, j.at = max(j.cursor, n.reclaimed), xLaneJoined
	case xLaneJoined:
		*j = xLaneJoiner{at: xLaneGone}
	default:
		return nil
	}
	return []xLaneWorld{n}
}
