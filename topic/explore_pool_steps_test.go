package topic

func (e *xPool) slot(v int8) int8 { return (v / 2) % e.ring }

func (e *xPool) publish(n xPoolWorld) (to []xPoolWorld) {
	p := &n.p
	goes := func(at xPoolStep) []xPoolWorld { p.at = at; return append(to, n) }
	v := p.tail + 2 + 2*p.j
	s := e.slot(v)
	switch p.at {
	case xPoolAdopt:
		for p.tail = n.tail; n.word[e.slot(p.tail+2)] == p.tail+3; {
			p.tail += 2
		}
		n.tail = p.tail
		return goes(xPoolErasedRead)
	case xPoolErasedRead:
		p.erased = n.erased
		return goes(xPoolClear)
	case xPoolClear:
		var in uint8
		for old := p.tail; old > p.tail-2*e.ring; old -= 2 {
			k := (old + 2*e.ring) / 2 % e.ring
			if old >= 2 && n.word[k] == old+1 && old >= p.erased || e.without == xPoolAdoptNoClear && n.word[k]%2 == 1 {
				p.in[k] = n.chunk[k]
				if in&(1<<(p.in[k]-1)) != 0 && e.without == "" {
					e.Fail("a chunk is in two slots")
				}
				in |= 1 << (n.chunk[k] - 1)
			} else if n.word[k] != old+2*e.ring {
				n.word[k] = old + 2*e.ring
				return goes(xPoolClear)
			}
		}
		p.retired = (1<<e.chunks - 1) &^ in
		switch e.without {
		case xPoolAdoptFree:
			p.free, p.retired = p.retired, 0
		case xPoolAdoptAll:
			p.retired = 1<<e.chunks - 1
			p.in = [xPoolRing]int8{}
		case xPoolAdoptNone:
			if p.tail > 0 {
				p.retired = 0
			}
		}
		return goes(xPoolBound)
	case xPoolBound:
		p.bound = n.reclaimed
		for _, s := range n.s {
			if s.reliable && !s.dead {
				p.bound = min(p.bound, s.cursor)
			}
		}
		return goes(xPoolIdle)
	case xPoolIdle:
		loans := int8(0)
		for _, l := range p.loan {
			if l != 0 {
				loans++
			}
		}
		switch {
		case loans < e.loans && n.items < e.items:
			return goes(xPoolTake)
		case loans == 0:
			return goes(xPoolEnd)
		}
		if p.k = 1; e.batch {
			p.j, p.k = loans-1, loans
		}
		return goes(xPoolRoom)
	case xPoolTake:
		if e.without == xPoolEarly && p.in[s] != 0 && v-2*e.ring < p.bound { // and not erased
			p.retired |= 1 << (p.in[s] - 1)
			p.in[s] = 0
		}
		if p.free == 0 && p.retired == 0 {
			e.Fail("no chunk")
			return to
		}
		if p.free == 0 {
			if e.without == xPoolNoScan {
				p.free, p.retired = p.retired, 0
				return goes(xPoolTake)
			}
			p.i = 0
			return goes(xPoolScan)
		}
		for c := range e.chunks {
			if p.free&(1<<c) == 0 {
				continue
			}
			p.free &^= 1 << c
			if p.i = 0; p.loan[0] != 0 {
				p.i = 1
			}
			p.loan[p.i] = c + 1
			break
		}
		n.items++
		return goes(xPoolHalf)
	case xPoolScan: // one hazard
		if h := n.s[p.i/e.hazards].hazard[p.i%e.hazards]; h != 0 {
			p.named |= 1 << (h - 1)
		}
		if p.i++; p.i < e.seats*e.hazards {
			return goes(xPoolScan)
		}
		p.free, p.retired = p.retired&^p.named, p.retired&p.named
		p.i, p.named = 0, 0
		if p.free == 0 {
			e.Fail("no chunk")
			return to
		}
		return goes(xPoolTake)
	case xPoolHalf:
		n.content[p.loan[p.i]-1] = -1
		return goes(xPoolItem)
	case xPoolItem:
		n.content[p.loan[p.i]-1] = n.items
		p.i = 0
		return goes(xPoolIdle)
	case xPoolRoom:
		if v-2*e.ring < p.bound {
			if e.without == xPoolNoErase || e.without == xPoolEraseLate {
				return goes(xPoolChunk)
			}
			return goes(xPoolErase)
		}
		p.m = p.tail + 2
		p.i = 0
		return goes(xPoolReclaim)
	case xPoolReclaim:
		if u := n.s[p.i]; u.reliable && !u.dead { // the dead are evicted
			p.m = min(p.m, u.cursor)
		}
		if p.i++; p.i < e.seats {
			return goes(xPoolReclaim)
		}
		if p.i = 0; p.m <= p.bound {
			p.m = 0
			return goes(xPoolRoom)
		}
		return goes(xPoolReclaimed)
	case xPoolReclaimed:
		n.reclaimed, p.bound, p.m = max(n.reclaimed, p.m), p.m, 0
		return goes(xPoolRoom)
	case xPoolErase: // up to the last of the batch, and further if there is a stride
		if least := v - 2*e.ring + 2; least > p.erased {
			p.erased = max(least, min(p.erased+e.stride, p.bound))
			n.erased = p.erased
		}
		if e.without == xPoolEraseLate {
			return goes(xPoolDone)
		}
		return goes(xPoolChunk)
	case xPoolChunk:
		// Of two loans that are published one by one, the last is first.
		k := p.j
		if !e.batch && p.loan[1] != 0 {
			k = 1
		}
		if c := p.in[s]; c != 0 && e.without != xPoolNoRetire {
			p.retired |= 1 << (c - 1)
		}
		n.chunk[s], p.in[s], p.loan[k] = p.loan[k], p.loan[k], 0
		if e.without == xPoolEraseLate {
			return goes(xPoolErase)
		}
		return goes(xPoolDone)
	case xPoolDone:
		n.word[s] = v + 1
		if p.j == 0 {
			for k := range p.k {
				n.published[v/2+k] = n.content[n.chunk[e.slot(v+2*k)]-1]
			}
		}
		if p.j > 0 {
			p.j = 0
			return goes(xPoolChunk)
		}
		return goes(xPoolTail)
	case xPoolTail:
		p.tail, p.k = p.tail+2*p.k, 0
		n.tail = p.tail
		return goes(xPoolIdle)
	}
	return to
}

func (e *xPool) take(n xPoolWorld, i int8) (to []xPoolWorld) {
	u := &n.s[i]
	goes := func(at xPoolStep) []xPoolWorld { u.at = at; return append(to, n) }
	over := func() []xPoolWorld {
		if u.reliable {
			e.Fail("a reliable subscriber lost message %d", u.v/2)
		}
		u.v, u.c, u.copies, u.is = 0, 0, false, 0
		return goes(xPoolSkip)
	}
	got := func() []xPoolWorld {
		if !u.copies {
			return goes(xPoolCursor)
		}
		if e.without == xPoolFreeFirst {
			u.hazard[u.h] = 0
		}
		return goes(xPoolCopy)
	}
	holds := func() []xPoolWorld {
		u.view[u.h], u.of[u.h] = u.v, u.c
		u.at, u.v, u.c, u.h = xPoolLook, 0, 0, 0
		return append(to, n)
	}
	switch u.at {
	case xPoolLook:
		for h, v := range u.view {
			if v != 0 {
				q := n
				q.s[i].view[h], q.s[i].of[h], q.s[i].hazard[h] = 0, 0, 0
				to = append(to, q)
			}
		}
		word := n.word[e.slot(u.cursor)]
		if word > u.cursor+1 {
			u.v = u.cursor
			return over()
		}
		if word != u.cursor+1 {
			return to
		}
		u.v = u.cursor
		views := e.hazards
		if e.copies { // the last hazard is for copies
			views--
			q := n
			q.s[i].copies, q.s[i].h, q.s[i].at = true, views, xPoolRead
			to = append(to, q)
		}
		for h := range views {
			if u.view[h] == 0 {
				u.h = h
				return goes(xPoolRead)
			}
		}
		return to
	case xPoolRead:
		u.c = n.chunk[e.slot(u.v)]
		if e.without == xPoolCursorFirst {
			u.cursor = u.v + 2
		}
		if e.without == xPoolAgainFirst && !u.reliable {
			return goes(xPoolAgain)
		}
		return goes(xPoolHazard)
	case xPoolHazard:
		if e.without != xPoolNoHazard && (!u.copies || e.without != xPoolNoCopyHazard) {
			u.hazard[u.h] = u.c
		}
		if e.without == xPoolAgainFirst || u.reliable {
			return got()
		}
		return goes(xPoolAgain)
	case xPoolAgain:
		if n.erased > u.v && e.without != xPoolNoAgain {
			if e.without == xPoolAgainFirst {
				u.h = 0
				return over()
			}
			return goes(xPoolUnname)
		}
		if e.without == xPoolAgainFirst {
			return goes(xPoolHazard)
		}
		return got()
	case xPoolUnname: // it was erased
		u.hazard[u.h] = 0
		u.h = 0
		return over()
	case xPoolCopy:
		u.is = n.content[u.c-1]
		return goes(xPoolCopied)
	case xPoolCopied: // all of it
		if is := n.published[u.v/2]; u.is != n.content[u.c-1] || u.is != is {
			e.Fail("a copy of message %d is of %d and %d, not of %d", u.v/2, u.is, n.content[u.c-1], is)
		}
		u.hazard[u.h], u.is = 0, 0
		return goes(xPoolCursor)
	case xPoolCursor:
		if n.published[u.v/2] == 0 {
			e.Fail("message %d was not published", u.v/2)
		}
		u.cursor = u.v + 2
		if u.copies {
			u.copies, u.v, u.c, u.h = false, 0, 0, 0
			return goes(xPoolLook)
		}
		return holds()
	case xPoolSkip:
		// xLane shows in which order it looks at what.
		for c := max(u.cursor+2, n.erased); c <= n.tail+2; c += 2 {
			q := n
			q.s[i].cursor, q.s[i].at = c, xPoolLook
			to = append(to, q)
		}
	case xPoolJoin:
		for h := range u.hazard {
			if u.hazard[h] != 0 {
				u.hazard[h] = 0
				return goes(xPoolJoin)
			}
		}
		u.cursor = n.tail + 2
		return goes(xPoolLook)
	}
	return to
}

// check says what is wrong with a state.
func (e *xPool) check(w *xPoolWorld) {
	for i, s := range w.s[:e.seats] {
		for h, v := range s.view {
			if v == 0 {
				continue
			}
			if is := w.content[s.of[h]-1]; is != w.published[v/2] {
				e.Fail("what subscriber %d has a view of is %d, not message %d, which is %d", i, is, v/2, w.published[v/2])
			}
		}
	}
}
