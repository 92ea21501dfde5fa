package topic

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A lane whose messages are in chunks, as few as the page allows. The publisher takes chunks as
// loans, as many as it may, and publishes one, or all as a batch. Subscribers take views, and
// release them in any order, or copies; they may be killed, and another one come to their
// seat. What must hold:
//
//   - what is in a chunk under a view stays as it was published, also of a publisher that died;
//   - a copy is what was published;
//   - a publisher that takes a chunk gets one, with C = R + S × H + L + B, and not with one less.
//
// What xLane shows is one step here: a publisher's look at its own slots.

const (
	xPoolRing    = 2 // at most, and so on
	xPoolSeats   = 2
	xPoolHazards = 2
	xPoolChunks  = 6
	xPoolItems   = 6
)

type xPoolWorld struct {
	word, chunk     [xPoolRing]int8 // chunk: + 1
	tail, reclaimed int8
	content         [xPoolChunks]int8 // the item, -1 half of it
	p               xPoolPublisher
	s               [xPoolSeats]xPoolSubscriber
	kills, items    int8
	published       [xPoolItems + 2]int8 // known to the explorer alone, by number
}

type xPoolPublisher struct {
	at            xPoolStep
	tail, bound   int8
	m             int8
	free, retired uint8
	named         uint8
	in            [xPoolRing]int8 // chunk + 1 of each slot
	loan          [2]int8         // chunk + 1
	i, j, k       int8
}

type xPoolSubscriber struct {
	at       xPoolStep
	dead     bool
	reliable bool
	copies   bool
	cursor   int8               // in its seat
	hazard   [xPoolHazards]int8 // in its seat: chunk + 1
	view, of [xPoolHazards]int8 // the v of those that it holds, and the chunk + 1
	v, c, h  int8               // what it takes
}

type xPoolStep uint8

const (
	xPoolAdopt xPoolStep = iota
	xPoolClear
	xPoolBound
	xPoolIdle
	xPoolTake
	xPoolScan
	xPoolHalf
	xPoolItem
	xPoolRoom
	xPoolReclaim
	xPoolReclaimed
	xPoolWord
	xPoolChunk
	xPoolDone
	xPoolTail
	xPoolEnd

	xPoolLook
	xPoolRead
	xPoolCopy
	xPoolHazard
	xPoolAgain
	xPoolCursor
	xPoolSkip
	xPoolJoin
)

const (
	xPoolNoScan       = "freeing chunks without a look at hazards"
	xPoolNoHazard     = "a view without a hazard"
	xPoolNoAgain      = "a view without a second look"
	xPoolNoCopyAgain  = "a copy without a second look"
	xPoolCursorFirst  = "the cursor before the hazard"
	xPoolEarly        = "retiring a chunk before the word says so"
	xPoolAdoptFree    = "adopting what is in no slot as free"
	xPoolAdoptAll     = "adopting what is in slots as retired"
	xPoolAdoptNone    = "adopting nothing as retired"
	xPoolAdoptNoClear = "adopting without clearing"
	xPoolNoRetire     = "overwriting without retiring"
	xPoolNoRelease    = "skipping without taking the hazard back"
	xPoolNoJoinClear  = "joining without hazards of 0"
)

type xPool struct {
	testenv.Search[xPoolWorld]
	without                      string
	ring, hazards, loans, chunks int8
	seats                        int8
	items, kills                 int8
	batch                        bool
}

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
		return goes(xPoolClear)
	case xPoolClear:
		var in uint8
		for old := p.tail; old > p.tail-2*e.ring; old -= 2 {
			k := (old + 2*e.ring) / 2 % e.ring
			if old >= 2 && n.word[k] == old+1 || e.without == xPoolAdoptNoClear && n.word[k]%2 == 1 {
				p.in[k] = n.chunk[k]
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
		if e.without == xPoolEarly && p.in[s] != 0 && v-2*e.ring < p.bound {
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
			return goes(xPoolWord)
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
		n.reclaimed, p.bound, p.m = p.m, p.m, 0
		return goes(xPoolRoom)
	case xPoolWord:
		n.word[s] = v
		if c := p.in[s]; c != 0 && e.without != xPoolNoRetire {
			p.retired |= 1 << (c - 1)
		}
		p.in[s] = 0
		return goes(xPoolChunk)
	case xPoolChunk:
		// Of two loans that are published one by one, the last is first.
		k := p.j
		if !e.batch && p.loan[1] != 0 {
			k = 1
		}
		n.chunk[s], p.in[s], p.loan[k] = p.loan[k], p.loan[k], 0
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
			return goes(xPoolWord)
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
		u.v, u.c, u.copies = 0, 0, false
		return goes(xPoolSkip)
	}
	holds := func() []xPoolWorld {
		u.view[u.h], u.of[u.h] = u.v, u.c
		u.at, u.v, u.c, u.h, u.copies = xPoolLook, 0, 0, 0, false
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
		if !u.reliable {
			q := n
			q.s[i].copies, q.s[i].at = true, xPoolRead
			to = append(to, q)
		}
		for h := range e.hazards {
			if u.view[h] == 0 {
				u.h = h
				return goes(xPoolRead)
			}
		}
		return to
	case xPoolRead:
		u.c = n.chunk[e.slot(u.v)]
		switch {
		case u.copies:
			return goes(xPoolCopy)
		case e.without == xPoolCursorFirst:
			u.cursor = u.v + 2
		}
		return goes(xPoolHazard)
	case xPoolCopy:
		u.c = n.content[u.c-1]
		return goes(xPoolAgain)
	case xPoolHazard:
		if e.without != xPoolNoHazard {
			u.hazard[u.h] = u.c
		}
		return goes(xPoolAgain)
	case xPoolAgain:
		switch {
		case u.copies && e.without == xPoolNoCopyAgain, !u.copies && e.without == xPoolNoAgain:
		case n.word[e.slot(u.v)] != u.v+1:
			if !u.copies && e.without != xPoolNoRelease {
				u.hazard[u.h] = 0
			}
			u.h = 0
			return over()
		}
		if u.copies && u.c != n.published[u.v/2] {
			e.Fail("a copy of message %d is of %d, not of %d", u.v/2, u.c, n.published[u.v/2])
		}
		return goes(xPoolCursor)
	case xPoolCursor:
		if n.published[u.v/2] == 0 {
			e.Fail("message %d was not published", u.v/2)
		}
		u.cursor = u.v + 2
		if u.copies {
			u.copies, u.v, u.c = false, 0, 0
			return goes(xPoolLook)
		}
		return holds()
	case xPoolSkip:
		for c := u.cursor + 2; c <= n.tail+2; c += 2 {
			q := n
			q.s[i].cursor, q.s[i].at = c, xPoolLook
			to = append(to, q)
		}
	case xPoolJoin:
		for h := range u.hazard {
			if u.hazard[h] != 0 && e.without != xPoolNoJoinClear {
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

func (e *xPool) next(w xPoolWorld) (to []xPoolWorld, ended bool) {
	e.check(&w)
	ended = w.p.at == xPoolEnd
	for i := range e.seats {
		s := &w.s[i]
		if s.dead {
			if !s.reliable && w.p.at != xPoolEnd { // somebody else comes
				n := w
				n.s[i] = xPoolSubscriber{at: xPoolJoin, hazard: s.hazard}
				to = append(to, n)
			}
			continue
		}
		ended = ended && s.at == xPoolLook && s.view == [xPoolHazards]int8{} && w.published[s.cursor/2] == 0
		to = append(to, e.take(w, i)...)
		if w.kills < e.kills && w.p.at != xPoolEnd {
			n := w
			n.kills++
			n.s[i] = xPoolSubscriber{dead: true, hazard: s.hazard, reliable: s.reliable}
			to = append(to, n)
		}
	}
	to = append(to, e.publish(w)...)
	if w.kills < e.kills && w.p.at != xPoolEnd {
		n := w
		n.kills++
		n.p = xPoolPublisher{at: xPoolAdopt}
		to = append(to, n)
	}
	return to, ended
}

// xPoolCase has so many of best effort, then reliable subscribers, and less chunks than there must be.
func xPoolCase(name string, long bool, ring, effort, reliable, hazards, loans, less, items, kills int8, batch bool) xCase {
	return xCase{name, long, func(without string) (string, int) {
		e := &xPool{without: without, ring: ring, seats: effort + reliable, hazards: hazards, loans: loans, items: items, kills: kills, batch: batch}
		e.chunks = ring + e.seats*hazards + loans - less
		e.Next = e.next
		w := xPoolWorld{reclaimed: 2}
		for i := range e.seats {
			w.s[i] = xPoolSubscriber{at: xPoolLook, cursor: 2, reliable: i >= effort}
		}
		return e.Run(w)
	}}
}

var xPoolCases = []xCase{
	xPoolCase("a slot, one of each", false, 1, 1, 1, 1, 1, 0, 5, 0, false),
	xPoolCase("a slot, best effort, two views, a kill", false, 1, 1, 0, 2, 1, 0, 5, 1, false),
	xPoolCase("a slot, reliable, two views, a kill", false, 1, 0, 1, 2, 1, 0, 5, 1, false),
	xPoolCase("two slots, best effort, two loans, two kills", false, 2, 1, 0, 1, 2, 0, 5, 2, false),
	xPoolCase("two slots, best effort, batches, two kills", false, 2, 1, 0, 1, 2, 0, 6, 2, true),
	xPoolCase("a slot, one of each, two kills", true, 1, 1, 1, 1, 1, 0, 5, 2, false),
}

func TestChunksAreRightInEveryOrder(t *testing.T) { xRight(t, xPoolCases) }

func TestEveryStepOfChunksIsNeeded(t *testing.T) {
	xNeeded(t, xPoolCases, xPoolNoScan, xPoolNoHazard, xPoolNoAgain, xPoolNoCopyAgain, xPoolCursorFirst, xPoolEarly,
		xPoolAdoptFree, xPoolAdoptAll, xPoolAdoptNone, xPoolAdoptNoClear, xPoolNoRetire, xPoolNoRelease, xPoolNoJoinClear)
}

func TestThereAreNoMoreChunksThanNeeded(t *testing.T) {
	for _, c := range []xCase{
		xPoolCase("a slot, one of each", false, 1, 1, 1, 1, 1, 1, 5, 0, false),
		xPoolCase("a slot, best effort, two views", false, 1, 1, 0, 2, 1, 1, 5, 0, false),
		xPoolCase("a slot, reliable, two views", false, 1, 0, 1, 2, 1, 1, 5, 0, false),
		xPoolCase("two slots, two loans", false, 2, 1, 0, 1, 2, 1, 6, 0, false),
	} {
		if fault, _ := c.run(""); fault != "no chunk" {
			t.Errorf("%s, and a chunk less: %q", c.name, fault)
		}
	}
}
