package topic

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// seat is a subscriber.
type seat struct {
	n        *node // immutable, like the next nine
	m        *messages
	bell     *words32 // where it sleeps; to take its address anew is to look at memory that may be gone
	index    int
	h        *seatHeader
	shown    []words64 // its cursors, for publishers
	hazards  []words64
	rings    [][]byte
	rooms    []*words32 // where the lanes' publishers sleep
	keys     []race.Key // of the lanes
	reliable bool
	closed   atomic.Bool

	// next is the v that it reads next in each lane; written with mu held, read by anybody of
	// this process.
	next []words64

	mu      sync.Mutex
	turn    int      // the lane to look at first; protected by mu, like the next four
	skipped []uint64 // of each lane: missed, and not yet told
	serial  uint64   // the last view's
	spoilt  bool     // there is an ErrCorrupt to be told
	moved   uint64   // a bit for each lane whose cursor it has moved, and not rung
	heels   heels    // whether it is on those of a publisher
	streak  int      // messages in a row that were there when it looked
	missed  atomic.Uint64

	// views are the serials of the views, 0 of those that are not held. A serial is written with mu
	// held, taken away by whoever releases it.
	views  []words64
	copies []byte // what they show, if messages stand in their slots

	channels channels

	spin futex.Spinner
	watched
}

// newSeat claims a seat.
func (n *node) newSeat(wantReliable bool, history int) (s *seat, err error) {
	if err := n.use(); err != nil {
		return nil, n.fail("subscribe to", err)
	}
	m, err := n.messages(false)
	if err == nil {
		if fault := shmkit.Guard(func() { s, err = n.claimSeat(m, wantReliable && !n.bestEffort, history) }); fault != nil {
			err = fault
		}
	}
	if err != nil {
		_ = n.leave() // what counts is why there is no subscriber
		return nil, n.fail("subscribe to", err)
	}
	return s, nil
}

func (n *node) claimSeat(m *messages, wantReliable bool, history int) (*seat, error) {
	for _, dead := range []bool{false, true} {
		for i := range n.seats {
			h := n.seat(i)
			if of, ok := n.unowned(&h.owner, dead); ok && n.claim(&h.owner, of) {
				point("seat:claimed")
				return n.sit(m, i, wantReliable, history), nil
			}
		}
	}
	return nil, ErrSubscribers
}

// clearSeat makes a seat that this member owns one that holds up nobody. whose says whose cursors stay
// in it, shifted as in mode.
func (n *node) clearSeat(i int, whose uint32) {
	n.seat(i).mode.Store(whose)
	point("seat:mute")
	for k := range n.hazardsOf(i) {
		n.hazardsOf(i)[k].Store(0)
	}
	point("seat:clear")
}

// sit joins in a seat that was claimed.
func (n *node) sit(m *messages, i int, wantReliable bool, history int) *seat {
	n.clearSeat(i, 0)
	n.wakeAll() // its last owner may have held them up
	s := &seat{spin: futex.Spinner{Longest: spinning}, n: n, m: m, bell: &n.w.bell, index: i, h: n.seat(i), shown: n.cursors(i), hazards: n.hazardsOf(i), reliable: wantReliable,
		next: make([]words64, n.lanes), skipped: make([]uint64, n.lanes), views: make([]words64, n.geometry.held)}
	if n.inline {
		s.copies = alignedBytes(n.geometry.held * roundUp(n.geometry.room, 64))
	}
	for l := range n.lanes {
		s.rings, s.rooms, s.keys = append(s.rings, m.ringOf(l)), append(s.rooms, n.roomBell(l)), append(s.keys, n.key(l))
		c := m.lane(l).tail.Load()&^1 + 2 - 2*uint64(history)
		s.next[l].Store(c)
		s.shown[l].Store(c)
	}
	point("seat:cursors")
	for v := n.w.highest.Load(); v < uint32(i)+1 && !n.w.highest.CompareAndSwap(v, uint32(i)+1); {
		v = n.w.highest.Load()
	}
	s.h.mode.Store(s.mode())
	point("seat:mode")
	n.w.joins.Add(1)
	point("seat:joined")
	for l := range n.lanes {
		if r := m.lane(l).reclaimed.Load() &^ 1; int64(s.next[l].Load()-r) < 0 {
			s.next[l].Store(r)
			s.shown[l].Store(r)
			if wantReliable { // the lower one may have sent a publisher to sleep
				n.wake(n.roomBell(l))
			}
		}
	}
	point("seat:moved up")
	return s
}

// slot returns the bytes of the slot of v in a lane.
func (s *seat) slot(lane int, v uint64) []byte { return s.m.slotIn(s.rings[lane], v) }

// seen reports whether there may be a message.
func (s *seat) seen() bool {
	for used := s.m.h.used.Load(); used != 0; used &= used - 1 {
		l := bits.TrailingZeros64(used)
		if l >= len(s.next) {
			return false
		}
		v := s.next[l].Load()
		w := slotAt(s.slot(l, v)).word.Load()
		if w == v|1 || int64(w&^1-v) > 0 && int64(s.end(l)-v) > 0 {
			return true
		}
	}
	return false
}

// end returns the v behind the last message of a lane that is known to be there.
func (s *seat) end(l int) uint64 { return s.m.lane(l).tail.Load()&^1 + 2 }

// find returns a lane that has a message, -1 if none has. mu is held.
func (s *seat) find() (lane int) {
	for b := bits.RotateLeft64(s.m.h.used.Load(), -s.turn); b != 0; b &= b - 1 {
		l := (bits.TrailingZeros64(b) + s.turn) & 63
		if l < len(s.next) && s.ready(l) {
			s.turn = (l + 1) & 63
			return l
		}
	}
	return -1
}

// ready reports whether a lane has a message, and skips what was overwritten. mu is held.
func (s *seat) ready(l int) bool {
	v := s.next[l].Load()
	w := slotAt(s.slot(l, v)).word.Load()
	if w == v|1 {
		return true
	}
	if int64(w&^1-v) <= 0 || !s.skip(l, v) {
		return false
	}
	v = s.next[l].Load()
	return slotAt(s.slot(l, v)).word.Load() == v|1
}

// erased reports whether message v may be overwritten at any moment, or was.
func (s *seat) erased(l int, v uint64) bool {
	return int64(s.m.lane(l).erased.Load()&^1-v) > 0
}

// skip goes on behind message v, which was erased or is not in its slot any more, with one that is
// likely to stay for a while, and reports whether there was any way to go. mu is held.
func (s *seat) skip(l int, v uint64) bool {
	end := s.end(l)
	erased := s.m.lane(l).erased.Load() &^ 1
	to := erased + stride(s.n.ring)
	if int64(to-v) <= 0 { // who adopted the lane did not believe the slot
		to = v + 2
	}
	if int64(to-end) >= 0 {
		to = end
		if last := end - 2; int64(last-erased) >= 0 && int64(last-v) > 0 { // it is still there
			to = last
		}
	}
	if int64(to-v) <= 0 {
		return false
	}
	missed := (to - v) / 2
	s.skipped[l] += missed
	s.missed.Add(missed)
	s.spoilt = s.spoilt || s.reliable // it held the publisher up, who went on all the same
	s.advance(l, to)
	return true
}

// advance moves the cursor of a lane to v. mu is held.
func (s *seat) advance(l int, v uint64) {
	words.Release64(&s.next[l], v)
	words.Release64(&s.shown[l], v)
	if s.reliable {
		s.moved |= 1 << l
	}
	point("receive:advanced")
}

// unlock gives the seat back, and rings for publishers whose room it may have made. The cursors were stored
// without a fence: that others see them before the bells are looked at is by the instruction that unlocks
// (TestUnlockingIsAFence). It may fault when mu is free.
func (s *seat) unlock() {
	moved := s.moved
	s.moved = 0
	s.mu.Unlock()
	for ; moved != 0; moved &= moved - 1 {
		if bell := s.rooms[bits.TrailingZeros64(moved)]; bell.Load()&somebodySleeps != 0 {
			s.n.wake(bell)
		}
	}
}

// mend moves cursors back that a tail that lied had moved on. mu is held.
func (s *seat) mend() {
	for l := range s.next {
		if v, end := s.next[l].Load(), s.end(l); int64(v-end) > 2*int64(s.n.ring) {
			s.advance(l, end)
		}
	}
}

// mode is what the seat says while it is one.
func (s *seat) mode() uint32 {
	mode := s.n.me << modeShift
	if s.reliable {
		mode |= reliable
	}
	return mode
}

// close ends it, unless views are held. Who waits in it is sent away.
func (s *seat) close() error {
	s.channels.await()
	s.mu.Lock()
	if s.closed.Load() {
		s.mu.Unlock()
		return nil
	}
	if s.holds() {
		s.mu.Unlock()
		return s.n.fail("close", ErrHeld)
	}
	return s.part()
}

// holds reports whether views are held. mu is held.
func (s *seat) holds() bool {
	for i := range s.views {
		if s.views[i].Load() != 0 {
			return true
		}
	}
	return false
}

// closeIfDone is close if no publisher is alive and there is no message. It says that it is going
// before it looks: a publisher that it does not see yet sees that.
func (s *seat) closeIfDone() (closed bool, err error) {
	s.mu.Lock()
	if s.closed.Load() {
		s.mu.Unlock()
		return true, nil
	}
	if s.holds() {
		s.mu.Unlock()
		return false, s.n.fail("close", ErrHeld)
	}
	fault := shmkit.Guard(func() {
		s.h.mode.Store(s.mode() | going)
		point("done:going")
		// In this order: what a publisher that has left published is there.
		if closed = !s.published() && !s.seen(); !closed {
			point("done:looked")
			s.h.mode.Store(s.mode())
		}
	})
	if fault != nil || !closed {
		s.mu.Unlock()
		return false, s.n.fail("close", fault)
	}
	return true, s.part()
}

// published reports whether a publisher is alive.
func (s *seat) published() bool {
	for used := s.m.h.used.Load(); used != 0; used &= used - 1 {
		l := bits.TrailingZeros64(used)
		if l >= len(s.next) {
			return false
		}
		if _, none := s.n.unowned(&s.m.lane(l).owner, true); !none {
			return true
		}
	}
	return false
}

// part is close of who holds mu, which it gives back.
func (s *seat) part() error {
	s.closed.Store(true)
	_ = shmkit.Guard(func() { // if the memory is gone, so is the seat
		s.n.clearSeat(s.index, s.n.me<<modeShift)
		s.h.owner.Store(0)
		point("seat:left")
		s.n.wakeAll()
	})
	s.mu.Unlock()
	s.sendAway(s.bell)
	return s.n.fail("close", s.n.leave())
}
