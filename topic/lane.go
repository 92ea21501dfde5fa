package topic

import (
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// lane is a publisher: the one writer of a lane.
type lane struct {
	n      *node // immutable, like the next six
	m      *messages
	index  int
	h      *laneHeader
	ring   []byte
	bell   *words32 // where it sleeps for room
	id     uint32   // of the publisher
	key    race.Key
	closed atomic.Bool
	looked atomic.Int64 // when it last looked for the dead, in nanoseconds

	mu    sync.Mutex
	tail  uint64 // v of the last message; protected by mu, like all that follows
	bound uint64 // nobody that counts wants messages with a lower v
	// reclaimed is what the lane says: no reliable subscriber that joins gets messages with a lower v.
	// The bound is not above it, but may be below for a while.
	reclaimed uint64
	// erased is what the lane says: messages with a lower v may be overwritten at any moment.
	erased uint64
	// behind is how many words a batch may have left behind the next message.
	behind int
	news   bool // it has published, and not rung
	pool   pool
	loans  loans

	spin futex.Spinner
	watched
}

// newLane claims a lane and adopts it.
func (n *node) newLane() (l *lane, err error) {
	if err := n.use(); err != nil {
		return nil, n.fail("publish to", err)
	}
	m, err := n.messages(true)
	if err == nil {
		if fault := shmkit.Guard(func() { l, err = n.claimLane(m) }); fault != nil {
			err = fault
		}
	}
	if err != nil {
		_ = n.leave() // what counts is why there is no publisher
		return nil, n.fail("publish to", err)
	}
	return l, nil
}

func (n *node) claimLane(m *messages) (*lane, error) {
	for _, wanted := range []struct{ dead, used bool }{{false, false}, {false, true}, {true, true}} {
		for i := range n.lanes {
			h := m.lane(i)
			of, ok := n.unowned(&h.owner, wanted.dead)
			if !ok || !wanted.used && h.tail.Load() != 0 || !n.claim(&h.owner, of) {
				continue
			}
			point("lane:claimed")
			l := &lane{spin: futex.Spinner{Longest: spinning}, n: n, m: m, index: i, h: h, ring: m.ringOf(i), bell: n.roomBell(i), key: n.key(i)}
			l.adopt()
			point("lane:adopted")
			l.id = m.h.ids.Add(1)
			h.publisher.Store(l.id)
			m.h.used.Or(1 << i)
			point("lane:used")
			return l, nil
		}
	}
	return nil, ErrPublishers
}

// slot returns the bytes of the slot of v.
func (l *lane) slot(v uint64) []byte { return l.m.slotIn(l.ring, v) }

// slotIn returns the bytes of the slot of v in a ring.
func (m *messages) slotIn(ring []byte, v uint64) []byte {
	size := m.slotSize
	at := int(v>>1&uint64(m.ring-1)) * size
	return ring[at : at+size : at+size]
}

// adopt makes the lane right, whatever its last publisher was doing when it died, and finds out
// what is in it.
func (l *lane) adopt() {
	n, h := l.n, l.h
	tail := h.tail.Load() &^ 1
	for range n.ring {
		if next := tail + 2; slotAt(l.slot(next)).word.Load() != next|1 {
			break
		}
		tail += 2
	}
	h.tail.Store(tail)
	point("adopt:tail")
	l.tail = tail
	// Neither goes back, but for what no publisher says. The bound may be below erased: whoever joins has
	// a lower cursor until it has looked at reclaimed.
	l.reclaimed = notAbove(&h.reclaimed, tail+2)
	l.erased = notAbove(&h.erased, l.reclaimed)
	l.bound = n.lowest(l.index, l.reclaimed)
	l.pool.init(&n.geometry)
	for i := range uint64(n.ring) {
		v := tail - 2*i // the message of the last R that belongs there
		s := slotAt(l.slot(v))
		if s.word.Load() == v|1 && int64(v-l.erased) >= 0 && l.pool.keep(v, s.chunk.Load()) {
			continue
		}
		s.word.Store(v + 2*uint64(n.ring))
		point("adopt:cleared")
	}
	l.pool.rest()
}

// notAbove returns the v in a word, which is set to most if it is above that.
func notAbove(w *words64, most uint64) uint64 {
	v := w.Load() &^ 1
	if int64(v-most) > 0 {
		v = most
		w.Store(v)
	}
	return v
}

// lowest returns the lower of m and the cursors of all reliable seats.
func (n *node) lowest(lane int, m uint64) uint64 {
	for i := range n.highest() {
		if n.seat(i).mode.Load()&reliable == 0 {
			continue
		}
		if c := n.cursors(i)[lane].Load() &^ 1; int64(c-m) < 0 {
			m = c
		}
	}
	return m
}

// room returns how many messages may be published now, at most want; mu is held.
func (l *lane) room(want int) int {
	if got := l.roomNow(); got >= want {
		return want
	}
	l.reclaim()
	return max(min(l.roomNow(), want), 0)
}

func (l *lane) roomNow() int {
	next := l.tail + 2
	return int(int64(l.bound+2*uint64(l.n.ring)-next)/2) - l.loans.out
}

// reclaim moves the bound on, as far as those who have not read allow. mu is held.
func (l *lane) reclaim() {
	n := l.n
	joins := n.w.joins.Load()
	m := n.lowest(l.index, l.tail+2-2*uint64(n.history))
	if int64(m-l.bound) <= 0 {
		return
	}
	point("reclaim:looked")
	if int64(m-l.reclaimed) > 0 {
		l.h.reclaimed.Store(m)
		l.reclaimed = m
		point("reclaim:said")
	}
	if n.w.joins.Load() != joins {
		m = n.lowest(l.index, m)
		point("reclaim:again")
	}
	if int64(m-l.bound) > 0 {
		l.bound = m
	}
}

// wake has those who sleep for a bell woken, if there may be any.
func (n *node) wake(bell *words32) {
	v := bell.Load()
	for v&somebodySleeps != 0 {
		if bell.CompareAndSwap(v, v+1) { // the bit goes, the count goes up
			point("ring:rung")
			_, _ = futex.Wake(bell, futex.All) // if the memory is gone they find out themselves
			point("ring:woken")
			return
		}
		v = bell.Load()
	}
}

// mustErase reports whether there is something to do for erase.
func (l *lane) mustErase(v uint64) bool {
	return int64(v-2*uint64(l.n.ring)-l.erased) >= 0 || l.behind > 0
}

// erase says that what is in the slots up to that of v may be overwritten at any moment, and in
// several behind it, so that it need not be said each time. There is room for v.
func (l *lane) erase(v uint64) {
	for ; l.behind > 0; l.behind-- { // what was to be sent, and could not be read
		v := l.tail + 2 + 2*uint64(l.behind)
		slotAt(l.slot(v)).word.Store(v)
	}
	ring := 2 * uint64(l.n.ring)
	if !l.mustErase(v) {
		return
	}
	to := l.erased + stride(l.n.ring)
	if int64(to-l.bound) > 0 {
		to = l.bound
	}
	if least := v - ring + 2; int64(to-least) < 0 {
		to = least
	}
	l.h.erased.Store(to)
	l.erased = to
	point("erase:said")
}

// what is length and publisher, as they stand in a slot.
func (l *lane) what(length int) uint64 { return uint64(l.id)<<publisherShift | uint64(length) }

// stride is by how much erased goes on: an eighth of the ring, or a quarter of a small one.
func stride(ring int) uint64 {
	if ring <= 64 {
		return 2 * uint64(max(ring/4, 1))
	}
	return 2 * uint64(ring/8)
}

// describe writes what is known of the message besides: all of a slot but its word and the message.
func (l *lane) describe(s *slot, length int) {
	words.Release64(&s.what, l.what(length))
	if l.n.times {
		words.Release64(&s.time, uint64(futex.Now()))
	}
}

// writeSlot writes a message that stands in its slot, but not what describes it.
func (l *lane) writeSlot(b []byte, message []byte) {
	to := b[l.n.messageOffset:]
	// Who waits for the message looks at the first cache line again and again: it comes last, and at
	// once.
	if first := 64 - l.n.messageOffset; len(message) > first {
		copyIn(to[first:], message[first:])
		point("publish:half written")
		message = message[:first]
	}
	copyIn(to, message)
	point("publish:written")
}

// writeChunk has the slot of v name a chunk, and retires the chunk that it named.
func (l *lane) writeChunk(b []byte, v uint64, chunk uint32) {
	words.Release32(&slotAt(b).chunk, chunk)
	l.pool.replace(v, chunk)
	point("publish:named")
}

// commit makes a message of v, and of those behind it that were written before it.
func (l *lane) commit(b []byte, v uint64, last uint64) {
	race.Release(l.key)
	words.Release64(&slotAt(b).word, v|1)
	l.committed(last)
}

// committed says that there are messages up to last.
func (l *lane) committed(last uint64) {
	point("publish:there")
	words.Release64(&l.h.tail, last)
	l.tail = last
	point("publish:tail")
	l.news = true
	ahead := l.slot(last + 2*aheadOfWriting)
	words.PrefetchWrite(&ahead[0], len(ahead))
	l.fetchNext()
}

// unlock gives the lane back, and rings if there is a message since it was taken. The word of the message
// was stored without a fence: that others see it before the bell is looked at is by the instruction that
// unlocks (TestUnlockingIsAFence). It may fault when mu is free.
func (l *lane) unlock() {
	news := l.news
	l.news = false
	l.mu.Unlock()
	if news && l.n.w.bell.Load()&somebodySleeps != 0 {
		l.n.wake(&l.n.w.bell)
	}
}

// aheadOfWriting is so many messages ahead that a publisher has cache lines fetched.
const aheadOfWriting = 4

// point is called between the steps; tests kill there.
func point(name string) {
	if pointed != nil {
		pointed(name)
	}
}

var pointed func(name string)
