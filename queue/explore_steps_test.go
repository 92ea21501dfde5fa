package queue

// wake returns what waking one who sleeps at the word of consumers, or of producers, can lead to.
func (w xWorld) wake(consumers bool) (to []xWorld) {
	for i := range w.m {
		if m := &w.m[i]; m.at == xAsleep && m.consumer == consumers {
			n := w
			n.m[i].at, n.m[i].then, n.m[i].slept = xLock, xLook, true
			to = append(to, n)
		}
	}
	if to == nil {
		to = append(to, w)
	}
	return to
}

// wakeBoth is one of each.
func (w xWorld) wakeBoth() (to []xWorld) {
	for _, n := range w.wake(true) {
		to = append(to, n.wake(false)...)
	}
	return to
}

func (w *xWorld) bit(consumers bool) *bool {
	if consumers {
		return &w.filled
	}
	return &w.emptied
}

func (e *xExplorer) ring(w *xWorld, m *xMember, consumers bool) {
	bit := w.bit(consumers)
	if !*bit {
		return
	}
	*bit = false
	m.due |= map[bool]wakes{true: wakeFilled, false: wakeEmptied}[consumers]
	for i := range w.m {
		if w.m[i].consumer == consumers {
			w.m[i].same = false
		}
	}
}

// rebuild makes lists and counts anew.
func (w *xWorld) rebuild() {
	w.free, w.ready, w.letters, w.live, w.buried = [xCells]bool{}, xOrder{}, xOrder{}, 0, 0
	for i, k := range w.cells {
		switch k.state {
		case free:
			w.free[i] = true
		case dead:
			w.buried++
			w.letters.insert(w, int8(i))
		default:
			w.live++
			if k.state == ready {
				w.ready.insert(w, int8(i))
			}
		}
	}
	for w.buried > xLetters {
		i := w.letters[0] - 1
		w.letters.remove()
		w.gone(i)
		w.free[i] = true
		w.buried--
	}
}

// list puts a cell into the list of its state.
func (w *xWorld) list(i int8) {
	if w.cells[i].state == dead {
		w.letters.insert(w, i)
		return
	}
	w.ready.insert(w, i)
}

// gone frees a cell, whose item is done, or dropped.
func (w *xWorld) gone(i int8) {
	if it := w.cells[i].item; it > 0 {
		w.done[it-1] = true
	}
	w.cells[i] = xCell{}
}

// step returns what member i can do next.
func (e *xExplorer) step(w xWorld, i int8) (to []xWorld) {
	n := w
	m := &n.m[i]
	k := &n.cells[m.cell]
	// What a member that is at its end was about to do is of no interest.
	defer func() {
		for k := range to {
			if d := &to[k].m[i]; d.at == xEnd {
				*d = xMember{at: xEnd, consumer: d.consumer, dead: d.dead}
			}
		}
	}()
	go_ := func(at xStep) []xWorld { m.at = at; return append(to, n) }
	unlock := func(then xStep) []xWorld { m.then = then; return go_(xUnlock) }
	lock := func(then xStep) []xWorld { m.then = then; return go_(xLock) }
	switch m.at {
	case xLock:
		if m.slept && m.consumer && m.then == xLook { // it may give up
			q := w
			q.m[i].at = xEnd
			if e.without == xQuitMute {
				to = append(to, q)
			} else {
				q.filled = true
				to = append(to, q.wake(true)...)
			}
		}
		if n.mu != 0 {
			return to
		}
		n.mu = i + 1
		switch {
		case !n.told && !n.orphans:
			return go_(m.then)
		case e.without == xNoRepair:
			n.told, n.orphans = false, false
			return go_(m.then)
		}
		return go_(xRepairBegin)
	case xRepairBegin:
		if e.without != xOrphansLate {
			n.orphans = false
		}
		if e.without != xNoCountRepair {
			m.count++
		}
		return go_(xRepairCell)
	case xRepairCell:
		for c := range n.cells { // one cell a step
			k := &n.cells[c]
			if k.owner == 0 || !n.m[k.owner-1].dead {
				continue
			}
			if o := n.m[k.owner-1]; o.taken && (!o.said || e.without == xNoMark) {
				continue
			}
			k.owner = 0
			switch {
			case k.state == writing:
				*k = xCell{}
			case k.deliveries >= xDeliveries:
				k.state = dead
			default:
				k.state = ready
			}
			return append(to, n)
		}
		return go_(xRepairLists)
	case xRepairLists:
		n.rebuild()
		return go_(xRepairEnd)
	case xRepairEnd:
		n.told = false
		if e.without != xNoCountRepair {
			m.count--
		}
		if e.without == xOrphansLate {
			n.orphans = false
		}
		e.ring(&n, m, true) // to be quick: the tick would do
		e.ring(&n, m, false)
		return go_(m.then)
	case xLook:
		if m.consumer && n.ready[0] == 0 || !m.consumer && n.live >= xCapacity {
			return go_(xMark)
		}
		if e.without != xCountLate {
			m.count++
		}
		return go_(xTake)
	case xTake:
		if !m.consumer {
			for c, isFree := range n.free {
				if isFree {
					m.cell = int8(c)
				}
			}
			if n.cells[m.cell].state != free {
				e.Fail("no free cell, and %d are live", n.live)
			}
			n.cells[m.cell] = xCell{state: writing, owner: i + 1}
			return go_(xOff)
		}
		m.cell = n.ready[0] - 1
		k = &n.cells[m.cell]
		for _, o := range n.cells {
			if k.state != ready || o.state == ready && o.sequence < k.sequence {
				e.Fail("popped a cell in state %d, sequence %d, of %v", k.state, k.sequence, n.cells)
			}
		}
		k.state, k.owner = claimed, i+1
		k.deliveries++
		if k.item == 0 {
			e.Fail("half an item was popped")
			return to
		}
		if n.claims[k.item-1]++; n.claims[k.item-1] != k.deliveries {
			e.Fail("an item says it was delivered %d times, and was %d", k.deliveries, n.claims[k.item-1])
		}
		return go_(xOff)
	case xOff:
		if e.without == xCountLate {
			m.count++
		}
		more := false
		if m.consumer {
			n.ready.remove()
			more = n.ready[0] != 0
		} else {
			n.free[m.cell] = false
			n.live++
			more = n.live < xCapacity
		}
		if m.slept && e.without != xNoBitAgain {
			*n.bit(m.consumer) = true
		}
		if m.slept && more {
			e.ring(&n, m, m.consumer)
		}
		m.slept = false
		if m.consumer {
			return unlock(xWork)
		}
		return unlock(xWrite)
	case xMark:
		if e.without != xNoBit {
			*n.bit(m.consumer) = true
		}
		m.same = true
		return unlock(xSleep)
	case xUnlock:
		n.mu = 0
		if m.due != 0 {
			return go_(xWake)
		}
		return go_(m.then)
	case xWake:
		due := m.due
		m.due, m.at = 0, m.then
		switch due {
		case wakeFilled:
			return append(to, n.wake(true)...)
		case wakeEmptied:
			return append(to, n.wake(false)...)
		}
		return append(to, n.wakeBoth()...)
	case xSleep:
		if !m.same && e.without != xNoSame {
			m.slept = true
			return lock(xLook)
		}
		m.same = false
		return go_(xAsleep)
	case xAsleep:
		if m.consumer && w.quiet() || !m.consumer && !w.consumed() {
			return go_(xEnd)
		}
		return to
	case xWrite:
		if e.without != xUnlockReady {
			n.items++
			k.item = n.items
		}
		return lock(xNumber)
	case xNumber:
		if e.without != xReadyFirst {
			n.sequence++
			k.sequence = n.sequence
		}
		return go_(xReady)
	case xReady:
		k.state, k.owner = ready, 0
		if k.item > 0 {
			if !n.pushed[k.item-1] {
				n.numbers[k.item-1] = k.sequence
			}
			n.pushed[k.item-1] = true
		}
		return go_(xList)
	case xList:
		if e.without == xCountEarly {
			m.count--
		}
		if e.without == xReadyFirst && !m.consumer || e.without == xToTheEnd && m.consumer {
			n.sequence++
			k.sequence = n.sequence
		}
		if e.without == xCountEarly {
			return go_(xSettle)
		}
		n.list(m.cell)
		return go_(xSettle)
	case xSettle:
		if e.without == xCountEarly {
			n.list(m.cell)
		} else {
			m.count--
		}
		switch {
		case k.state == dead:
			if e.without != xNoRingBury {
				e.ring(&n, m, false)
			}
		case m.consumer && e.without != xNoRingRetry || !m.consumer && e.without != xNoRingPush:
			e.ring(&n, m, true)
		}
		return unlock(xNext)
	case xWork:
		if k.state != claimed || k.owner != i+1 {
			e.Fail("an item that somebody has is in state %d, of %d", k.state, k.owner)
		}
		to = lock(xFree)
		return lock(xRetry)
	case xFree:
		n.gone(m.cell)
		if e.without == xCountEarly {
			m.count--
		}
		return go_(xFreeList)
	case xFreeList:
		n.free[m.cell] = true
		n.live--
		return go_(xFreeEnd)
	case xFreeEnd:
		if e.without != xCountEarly {
			m.count--
		}
		if e.without != xNoRingDone {
			e.ring(&n, m, false)
		}
		return unlock(xNext)
	case xRetry:
		if k.deliveries >= xDeliveries {
			return go_(xDrop)
		}
		if e.without == xForget {
			k.deliveries = 0
		}
		k.state, k.owner = ready, 0
		return go_(xList)
	case xDrop:
		if n.buried >= xLetters && e.without != xNoDrop {
			c := n.letters[0] - 1
			n.letters.remove()
			n.gone(c)
			n.free[c] = true
			n.buried--
		}
		return go_(xBury)
	case xBury:
		k.state, k.owner = dead, 0
		n.live--
		n.buried++
		return go_(xList)
	case xNext:
		m.cell = 0
		if m.consumer { // or it leaves
			to = lock(xLook)
			return go_(xEnd)
		}
		if m.left--; m.left > 0 {
			return lock(xLook)
		}
		return go_(xEnd)
	}
	return to
}

// quiet: consumers have nothing to expect.
func (w xWorld) quiet() bool {
	for _, m := range w.m {
		if !m.dead && !m.consumer && m.at != xEnd {
			return false
		}
	}
	for _, k := range w.cells {
		if k.state != free && k.state != dead {
			return false
		}
	}
	return true
}

// consumed: some consumer is left.
func (w xWorld) consumed() bool {
	for _, m := range w.m {
		if m.consumer && !m.dead && m.at != xEnd {
			return true
		}
	}
	return false
}

// check says what is wrong with a state.
func (e *xExplorer) check(w *xWorld) {
	var live, buried int8
	var in [xItems]int8
	for _, k := range w.cells {
		switch k.state {
		case free:
			continue
		case dead:
			buried++
		default:
			live++
		}
		if k.item > 0 && k.state != writing {
			in[k.item-1]++
		}
		if k.state != writing && k.item == 0 {
			e.Fail("half an item")
		} else if k.state == ready && k.sequence != w.numbers[k.item-1] {
			e.Fail("an item has another place than it had")
		}
	}
	if live > xCapacity || buried > xLetters && w.mu == 0 && !w.told {
		e.Fail("%d items and %d dead letters", live, buried)
	}
	for i := range in {
		want := int8(0)
		if w.pushed[i] && !w.done[i] {
			want = 1
		}
		if in[i] != want {
			e.Fail("item %d is in %d cells, not %d", i, in[i], want)
		}
	}
}

func (e *xExplorer) steps(w xWorld) (to []xWorld) {
	e.check(&w)
	asleep, alive := false, false
	for i := range int8(xMembers) {
		m := &w.m[i]
		if m.dead {
			continue
		}
		alive = alive || m.at != xEnd
		asleep = asleep || m.at == xAsleep
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills && m.at != xEnd {
			n := w
			n.kills++
			n.m[i] = xMember{at: xEnd, dead: true, count: m.count, consumer: m.consumer}
			if w.mu == i+1 {
				n.mu, n.told = 0, true
			}
			to = append(to, n)
		}
	}
	if !alive || !e.tick {
		return to
	}
	// Whoever joins, finds nothing, or looks at its tick cleans the records of the dead.
	for i, m := range w.m {
		if !m.dead || m.cleaned {
			continue
		}
		if m.count == 0 {
			n := w
			n.m[i].cleaned, n.m[i].said = true, false
			to = append(to, n)
			continue
		}
		n := w
		switch {
		case !m.taken:
			n.m[i].taken = true
			to = append(to, n)
			continue
		case m.said:
			n.m[i].cleaned, n.m[i].said, n.m[i].taken, n.m[i].count = true, false, false, 0
			to = append(to, n)
		default:
			n.m[i].said = true
			n.orphans = e.without != xNoOrphans
			to = append(to, n.wakeBoth()...)
		}
		n = w // it dies, and another begins anew
		n.m[i].taken, n.m[i].said = false, e.without != xNoMark && m.said
		to = append(to, n)
	}
	if asleep && (w.ready[0] != 0 || w.orphans) {
		to = append(to, w.wake(true)...)
	}
	if asleep && (w.live < xCapacity || w.orphans) {
		to = append(to, w.wake(false)...)
	}
	return to
}

// ended: everybody has got to the end, or would if it were sent away.
func (w xWorld) ended() bool {
	for _, m := range w.m {
		if m.at != xEnd {
			return false
		}
	}
	return true
}

// explore explores with so many producers; the others are consumers.
func explore(without string, tick bool, kills int8, producers int) (fault string, states int) {
	e := &xExplorer{without: without, tick: tick, kills: kills}
	e.Next = func(w xWorld) ([]xWorld, bool) { return e.steps(w), w.ended() }
	var w xWorld
	w.rebuild()
	for i := range w.m {
		w.m[i] = xMember{at: xLock, then: xLook, consumer: i >= producers}
		if i < producers {
			w.m[i].left = 1
		}
	}
	if producers == 1 {
		w.m[0].left = 2
	}
	return e.Run(w)
}
