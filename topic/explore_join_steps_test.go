package topic

func (e *xJoin) isDead(w *xJoinWorld, id int8) bool {
	if id < xJoinFirst {
		return id != w.p.id
	}
	return w.s[id-xJoinFirst].dead
}

// ring is one step: bit 0 is cleared and the word counted up.
func (w *xJoinWorld) ring() bool {
	if !w.room {
		return false
	}
	w.room, w.p.same = false, false
	return true
}

func (w *xJoinWorld) wake() {
	if w.p.at == xJoinAsleep {
		w.p.at, w.p.bit, w.p.same = xJoinRoom, false, false
	}
}

func (e *xJoin) publish(n xJoinWorld) (to []xJoinWorld) {
	p := &n.p
	goes := func(at xJoinStep) []xJoinWorld { p.at = at; return append(to, n) }
	scanned := func() []xJoinWorld {
		if p.i = 0; e.without != xJoinHighestOnce {
			p.high = 0
		}
		switch p.look {
		case 0:
			p.bound, p.m = p.m, 0
			return goes(xJoinIdle)
		case 1:
			if p.m <= p.bound {
				p.m, p.joins, p.look = 0, 0, 0
				return goes(xJoinFull)
			}
			if p.look = 0; e.without == xJoinLookFirst || e.without == xJoinNoReclaimed {
				return goes(xJoinJoins)
			}
			if e.without == xJoinNoteLate {
				return goes(xJoinLate)
			}
			return goes(xJoinReclaimed)
		}
		p.bound, p.m, p.joins, p.look = max(p.bound, p.m), 0, 0, 0
		return goes(xJoinFull)
	}
	scan := func(look int8) []xJoinWorld {
		p.look, p.i, p.holds = look, 0, 0
		switch {
		case look < 2 || e.without != xJoinHighestOnce:
			return goes(xJoinHigh)
		case p.high == 0:
			return scanned()
		}
		return goes(xJoinMode)
	}
	v := p.tail + 2
	overwrites := v - 2*xJoinSlots
	s := v / 2 % xJoinSlots
	switch p.at {
	case xJoinAdopt:
		for p.tail = n.tail; n.word[(p.tail/2+1)%xJoinSlots] == p.tail+3; {
			p.tail += 2
		}
		n.tail = p.tail
		return goes(xJoinReclaimedRead)
	case xJoinReclaimedRead:
		p.m, p.said = n.reclaimed, n.reclaimed
		if e.without == xJoinAdoptTrust {
			p.bound, p.m = p.m, 0
			return goes(xJoinIdle)
		}
		return scan(0)
	case xJoinHigh:
		if p.high = n.highest; p.high == 0 {
			return scanned()
		}
		return goes(xJoinMode)
	case xJoinMode:
		p.mode = n.seat[p.i].mode
		return goes(xJoinCursor)
	case xJoinCursor:
		if c := n.seat[p.i].cursor; p.mode == 1 {
			p.m = min(p.m, c)
			if c <= overwrites {
				p.holds |= 1 << p.i
			}
		}
		p.mode = 0
		if p.i++; p.i < p.high {
			return goes(xJoinMode)
		}
		return scanned()
	case xJoinIdle:
		p.holds = 0
		if p.tail/2 == e.items {
			return goes(xJoinEnd)
		}
		if !p.left { // another one comes
			q := n
			q.p = xJoinPublisher{at: xJoinAdopt, id: p.id, left: true}
			to = append(to, q)
		}
		return goes(xJoinRoom)
	case xJoinRoom:
		if overwrites < p.bound {
			p.bit, p.same = false, false
			return goes(xJoinErase)
		}
		return goes(xJoinReclaim)
	case xJoinReclaim:
		if e.without != xJoinNoteLate {
			p.joins = n.joins
		}
		p.m = p.tail + 2 - 2*e.history
		if e.without == xJoinNoHistory {
			p.m = p.tail + 2
		}
		return scan(1)
	case xJoinLate:
		p.joins = n.joins
		return goes(xJoinReclaimed)
	case xJoinReclaimed:
		if p.m > p.said {
			n.reclaimed, p.said = p.m, p.m
		}
		if e.without == xJoinLookFirst {
			p.bound, p.m, p.joins = p.m, 0, 0
			return goes(xJoinFull)
		}
		return goes(xJoinJoins)
	case xJoinJoins:
		if n.joins != p.joins && e.without != xJoinNoJoinsLook {
			return scan(2)
		}
		if e.without == xJoinLookFirst {
			return goes(xJoinReclaimed)
		}
		p.bound, p.m, p.joins = p.m, 0, 0
		return goes(xJoinFull)
	case xJoinFull: // or there is room
		if overwrites < p.bound {
			p.holds, p.bit, p.same, p.evicted = 0, false, false, false
			return goes(xJoinErase)
		}
		for ; p.i < e.seats; p.i++ {
			if p.holds&(1<<p.i) == 0 || e.without == xJoinNoEvict {
				continue
			}
			p.holds &^= 1 << p.i
			if o := n.seat[p.i].owner; o != 0 && e.isDead(&n, o) {
				p.mode = o // as it was seen
				return goes(xJoinEvict)
			}
			return goes(xJoinFull)
		}
		p.i, p.holds = 0, 0
		if p.evicted {
			p.evicted = false
			return goes(xJoinReclaim)
		}
		if !p.bit {
			return goes(xJoinBit)
		}
		return goes(xJoinSleep)
	case xJoinEvict:
		o := &n.seat[p.i].owner
		switch {
		case e.without == xJoinEvictSwapped && *o == p.mode:
			*o = 0
		case e.without == xJoinEvictPlain:
		case *o != p.mode:
			p.mode = 0
			return goes(xJoinFull)
		default:
			*o = p.id
		}
		p.mode = 0
		return goes(xJoinEvictMode)
	case xJoinEvictMode:
		n.seat[p.i].mode = 0
		return goes(xJoinEvictOwner)
	case xJoinEvictOwner:
		if n.seat[p.i].owner != p.id && e.without != xJoinEvictPlain && e.without != xJoinEvictSwapped {
			e.Fail("somebody took a seat that was being evicted")
		}
		if e.without != xJoinEvictSwapped {
			n.seat[p.i].owner = 0
		}
		p.evicted = true
		return goes(xJoinFull)
	case xJoinBit:
		p.bit = true
		if e.without != xJoinNoBit {
			n.room = true
		}
		p.same = true
		if e.without == xJoinNoLook {
			return goes(xJoinSleep)
		}
		return goes(xJoinReclaim)
	case xJoinSleep:
		if p.same || e.without == xJoinNoSame {
			p.same = true
			return goes(xJoinAsleep)
		}
		p.bit = false
		return goes(xJoinRoom)
	case xJoinErase: // the slot may be torn from here on, with its old word
		n.erased = max(n.erased, overwrites+2)
		return goes(xJoinDone)
	case xJoinDone:
		n.word[s] = v + 1
		return goes(xJoinTail)
	case xJoinTail:
		n.tail, p.tail = v, v
		return goes(xJoinIdle)
	}
	return to
}

func (e *xJoin) subscribe(n xJoinWorld, i int8) (to []xJoinWorld) {
	u := &n.s[i]
	id := xJoinFirst + i
	goes := func(at xJoinStep) []xJoinWorld { u.at = at; return append(to, n) }
	seat := &n.seat[u.seat]
	mode := int8(1)
	if e.effort && i == e.members-1 {
		mode = 0
	}
	if u.at > xJoinClaim && u.at != xJoinEnd && seat.owner != id && !u.ends {
		e.Fail("subscriber %d has lost its seat", i)
	}
	switch u.at {
	case xJoinSeen:
		for k := range e.seats {
			if o := n.seat[k].owner; o == 0 || e.isDead(&n, o) {
				q := n
				q.s[i].seat, q.s[i].seen, q.s[i].at = k, o, xJoinClaim
				to = append(to, q)
			}
		}
		return to
	case xJoinClaim:
		if seat.owner != u.seen && e.without != xJoinClaimPlain {
			u.seat, u.seen = 0, 0
			return goes(xJoinSeen)
		}
		seat.owner, u.seen = id, 0
		return goes(xJoinUnbind)
	case xJoinUnbind:
		seat.mode = 0
		if e.without == xJoinModeFirst {
			seat.mode = mode
		}
		return goes(xJoinTailRead)
	case xJoinTailRead:
		u.m = n.tail + 2 - 2*e.history
		if e.without == xJoinUpEarly {
			u.m = max(u.m, n.reclaimed)
		}
		return goes(xJoinStore)
	case xJoinStore:
		if seat.cursor, u.m = u.m, 0; e.without == xJoinNoHighest {
			return goes(xJoinBind)
		}
		return goes(xJoinRaise)
	case xJoinRaise:
		n.highest = max(n.highest, u.seat+1)
		return goes(xJoinBind)
	case xJoinBind:
		seat.mode = mode
		return goes(xJoinCount)
	case xJoinCount:
		if e.without != xJoinNoJoins {
			n.joins++
		}
		if e.without == xJoinNoUp || e.without == xJoinUpEarly {
			return goes(xJoinUpRing)
		}
		return goes(xJoinCompare)
	case xJoinCompare:
		if u.m = n.reclaimed; seat.cursor >= u.m {
			u.m = 0
			return e.joined(n, i)
		}
		return goes(xJoinUp)
	case xJoinUp:
		seat.cursor, u.m = u.m, 0
		if e.without == xJoinNoUpRing {
			return e.joined(n, i)
		}
		return goes(xJoinUpRing)
	case xJoinUpRing:
		if mode == 1 && n.ring() {
			return goes(xJoinWake)
		}
		return e.joined(n, i)
	case xJoinLook:
		q := n
		q.s[i].at = xJoinLeave
		to = append(to, q)
		switch word := n.word[seat.cursor/2%xJoinSlots]; {
		case seat.cursor < 2:
			e.Fail("subscriber %d reads from %d on", i, seat.cursor)
		case word > seat.cursor+1:
			if mode == 1 {
				e.Fail("a reliable subscriber lost message %d", seat.cursor/2)
				return to
			}
			seat.cursor = max(seat.cursor, n.tail) + 2 // xLane shows Skip
			return append(to, n)
		case word == seat.cursor+1:
			return goes(xJoinAgain)
		}
		return to
	case xJoinAgain:
		if n.erased <= seat.cursor {
			return goes(xJoinTake)
		}
		if mode == 1 { // which does not look, and must not have to
			e.Fail("a reliable subscriber finds message %d erased", seat.cursor/2)
			return to
		}
		seat.cursor = min(max(seat.cursor+2, n.erased), n.tail+2)
		return goes(xJoinLook)
	case xJoinTake:
		seat.cursor += 2
		if mode == 0 || e.without == xJoinNoRing {
			return goes(xJoinLook)
		}
		return goes(xJoinRing)
	case xJoinRing:
		if n.ring() {
			return goes(xJoinWake)
		}
		if u.ends {
			return e.gone(n, i)
		}
		return goes(xJoinLook)
	case xJoinWake:
		n.wake()
		if u.ends {
			return e.gone(n, i)
		}
		return goes(xJoinLook)
	case xJoinLeave:
		u.ends = true
		if e.without == xJoinLeaveSwapped {
			seat.owner = 0
		} else {
			seat.mode = 0
		}
		return goes(xJoinFree)
	case xJoinFree:
		if e.without == xJoinLeaveSwapped {
			seat.mode = 0
		} else {
			seat.owner = 0
		}
		if e.without == xJoinNoLeaveRing {
			return e.gone(n, i)
		}
		return goes(xJoinRing)
	}
	return to
}

// joined: the subscriber has joined.
func (e *xJoin) joined(n xJoinWorld, i int8) []xJoinWorld {
	u := &n.s[i]
	if c := n.seat[u.seat].cursor; c > max(2, n.tail+2-2*e.history) {
		e.Fail("who joins begins at message %d, and the tail is %d", c/2, n.tail/2)
	}
	u.at = xJoinLook
	return []xJoinWorld{n}
}

// gone: it has left.
func (e *xJoin) gone(n xJoinWorld, i int8) []xJoinWorld {
	n.s[i] = xJoinSubscriber{at: xJoinEnd}
	return []xJoinWorld{n}
}

func (e *xJoin) check(w *xJoinWorld) {
	for v := max(2, w.tail+2-2*e.history); v <= w.tail; v += 2 {
		if w.word[v/2%xJoinSlots] != v+1 || v < w.erased {
			e.Fail("message %d of the history is not there, tail %d", v/2, w.tail/2)
		}
	}
}

// there reports whether a publisher would find room.
func (e *xJoin) there(w *xJoinWorld) bool {
	for _, s := range w.seat[:e.seats] {
		if s.mode == 1 && s.cursor <= w.p.tail+2-2*xJoinSlots {
			return s.owner != 0 && e.isDead(w, s.owner)
		}
	}
	return true
}
