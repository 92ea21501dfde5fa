package topic

// showWord is when others see what a publisher has stored, showCursor what a subscriber has.
func (w *xBellWorld) showWord(l int8) {
	w.word[l] += w.p[l].held
	w.p[l].held = 0
}

func (w *xBellWorld) showCursor(i int8) {
	s := &w.s[i]
	w.cursor[i][s.heldAt] += s.held
	s.held, s.heldAt = 0, 0
}

// ownWord and ownCursor are how who stores them sees them.
func (w *xBellWorld) ownWord(l int8) int8 { return w.word[l] + w.p[l].held }

func (w *xBellWorld) ownCursor(i, l int8) int8 {
	if s := &w.s[i]; s.heldAt == l {
		return w.cursor[i][l] + s.held
	}
	return w.cursor[i][l]
}

// ring is what ringing a word leads to: it is read, and then compared and changed.
func (e *xBell) ring(word *int8, seen int8) (done bool) {
	if *word != seen && e.without != xBellPlain {
		return false
	}
	*word = seen&^1 + 2
	if e.without == xBellNoCount {
		*word = seen &^ 1
	}
	return true
}

func (e *xBell) publish(n xBellWorld, l int8) (to []xBellWorld) {
	p := &n.p[l]
	goes := func(at xBellStep) []xBellWorld { p.at = at; return append(to, n) }
	switch p.at {
	case xBellIdle:
		*p = xBellPublisher{held: p.held}
		if n.ownWord(l) == e.items[l] {
			return goes(xBellEnd)
		}
		return goes(xBellRoom)
	case xBellRoom: // one cursor
		if n.mode[p.i] == 1 && n.cursor[p.i][l] < n.ownWord(l) {
			if n.s[p.i].dead {
				n.mode[p.i] = 0 // evicted
				return append(to, n)
			}
			if p.i = 0; p.once {
				return goes(xBellSleep)
			}
			return goes(xBellMark)
		}
		if p.i++; p.i < e.seats {
			return append(to, n)
		}
		*p = xBellPublisher{held: p.held}
		if e.without == xBellRingFirst {
			return goes(xBellRing)
		}
		return goes(xBellWord)
	case xBellMark:
		n.showWord(l)
		if e.without != xBellNoBit {
			n.room[l] |= 1
		}
		if p.note, p.once = n.room[l], true; e.without == xBellNoOnce {
			return goes(xBellSleep)
		}
		return goes(xBellRoom)
	case xBellSleep:
		if n.room[l] == p.note || e.without == xBellNoSame {
			p.note, p.once = 0, false
			return goes(xBellAsleep)
		}
		return goes(xBellIdle)
	case xBellWord:
		n.showWord(l) // the one before, in their order
		p.held = 1
		if e.without == xBellNoRing || e.without == xBellRingFirst {
			return goes(xBellIdle)
		}
		return goes(xBellFence)
	case xBellFence:
		if e.without != xBellNoFence {
			n.showWord(l)
		}
		return goes(xBellRing)
	case xBellRing:
		p.then = xBellIdle
		if e.without == xBellRingFirst {
			p.then = xBellWord
		}
		if p.note = n.bell; p.note&1 != 0 {
			return goes(xBellCompare)
		}
		p.note = 0
		return goes(p.then)
	case xBellCompare:
		n.showWord(l)
		if !e.ring(&n.bell, p.note) {
			return goes(xBellRing)
		}
		p.note = 0
		return goes(xBellWake)
	case xBellWake:
		goes(p.then)
		for i := range n.s {
			if n.s[i].at != xBellAsleep {
				continue
			}
			if e.without == xBellWakeOne {
				q := n
				q.s[i].at = xBellLook
				to = append(to, q)
				continue
			}
			n.s[i].at = xBellLook
		}
		if to == nil {
			return append(to, n)
		}
	}
	return to
}

func (e *xBell) subscribe(n xBellWorld, i int8) (to []xBellWorld) {
	u := &n.s[i]
	reliable := i >= e.effort
	goes := func(at xBellStep) []xBellWorld { u.at = at; return append(to, n) }
	looks := func() []xBellWorld {
		*u = xBellSubscriber{held: u.held, heldAt: u.heldAt}
		return goes(xBellLook)
	}
	switch u.at {
	case xBellLook: // at one lane
		if e.leaves && !u.once && u.i == 0 && i == e.seats-1 {
			q := n
			if q.s[i].at = xBellLeave; e.without == xBellLeaveFirst {
				q.s[i].at = xBellLeaveRing
			}
			to = append(to, q)
		}
		if n.ownCursor(i, u.i) < n.word[u.i] {
			u.note, u.once = 0, false
			u.then = xBellLook
			if e.without == xBellRoomFirst && reliable {
				u.then = xBellCursor
				return goes(xBellRing)
			}
			return goes(xBellCursor)
		}
		if u.i++; u.i < e.lanes {
			return append(to, n)
		}
		if u.i = 0; u.once {
			return goes(xBellSleep)
		}
		return goes(xBellMark)
	case xBellMark:
		n.showCursor(i)
		if e.without != xBellNoBit {
			n.bell |= 1
		}
		if u.note, u.once = n.bell, true; e.without == xBellNoOnce {
			return goes(xBellSleep)
		}
		return goes(xBellLook)
	case xBellSleep:
		if n.bell == u.note || e.without == xBellNoSame {
			*u = xBellSubscriber{}
			return goes(xBellAsleep)
		}
		return looks()
	case xBellCursor:
		if !reliable {
			n.cursor[i][u.i] = n.word[u.i]
			return looks()
		}
		n.showCursor(i)
		u.held, u.heldAt = 1, u.i
		if e.without == xBellRoomNoRing || e.without == xBellRoomFirst {
			return looks()
		}
		return goes(xBellFence)
	case xBellFence:
		if e.without != xBellRoomNoFence {
			n.showCursor(i)
		}
		return goes(xBellRing)
	case xBellRing:
		if u.seen = n.room[u.i]; u.seen&1 != 0 {
			return goes(xBellCompare)
		}
		u.seen = 0
		return goes(u.then)
	case xBellCompare:
		n.showCursor(i)
		if !e.ring(&n.room[u.i], u.seen) {
			return goes(xBellRing)
		}
		u.seen = 0
		return goes(xBellWake)
	case xBellWake:
		if p := &n.p[u.i]; p.at == xBellAsleep {
			p.at = xBellIdle
		}
		if u.then == xBellLook {
			return looks()
		}
		return goes(u.then)
	case xBellLeave:
		n.showCursor(i)
		n.mode[i] = 0
		if e.without == xBellLeaveNoRing || e.without == xBellLeaveFirst || !reliable {
			*u = xBellSubscriber{}
			return goes(xBellEnd)
		}
		u.i, u.then = 0, xBellLeaveRing
		return goes(xBellRing)
	case xBellLeaveRing: // the next lane
		if e.without == xBellLeaveFirst && u.then != xBellLeaveRing {
			u.i, u.then = 0, xBellLeaveRing
			return goes(xBellRing)
		}
		if u.i++; u.i < e.lanes && e.without != xBellLeaveOne {
			return goes(xBellRing)
		}
		*u = xBellSubscriber{}
		if e.without == xBellLeaveFirst {
			return goes(xBellLeave)
		}
		return goes(xBellEnd)
	}
	return to
}

// behind reports whether there are messages for a subscriber.
func (e *xBell) behind(w *xBellWorld, i int8) bool {
	for l := range e.lanes {
		if w.cursor[i][l] < w.word[l] {
			return true
		}
	}
	return false
}

// full reports whether somebody who lives holds up a lane.
func (e *xBell) full(w *xBellWorld, l int8) bool {
	for i := range e.seats {
		if w.mode[i] == 1 && !w.s[i].dead && w.cursor[i][l] < w.word[l] {
			return true
		}
	}
	return false
}
