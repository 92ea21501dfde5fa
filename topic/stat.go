package topic

import "github.com/shmkit/shmkit"

// Stat is what is in a topic, and how it was made.
type Stat struct {
	MaxMessage  int // bytes
	InSlots     bool
	Timestamps  bool
	BestEffort  bool
	Depth       int // messages that a reliable subscriber can be behind
	History     int // messages of each publisher that are kept
	Held, Loans int // views of a subscriber, loans of a publisher

	// Ring is how many messages of a publisher there are in memory: Depth and History. Chunks is how
	// much memory for messages a publisher has, in chunks of ChunkSize bytes: one for each of Ring,
	// Held + 1 for each subscriber there can be, Loans, and some more; none if messages stand in their
	// slots, of SlotSize bytes.
	Ring, Chunks        int
	ChunkSize, SlotSize int

	Publishers, MaxPublishers   int // that are alive, and that there can be
	Subscribers, MaxSubscribers int
	Lanes                       []Lane
	Seats                       []Seat

	// Size is that of the file that all write to, and MessagesSize that of the file that messages are
	// in, bytes; all of it is reserved.
	Size, MessagesSize int64
}

// Lane is the place of a publisher, living or gone.
type Lane struct {
	Publisher uint32 // the id of the last one
	Alive     bool
	Member    int    // the slot of its handle in the table of members, -1 if it is in there no more
	Sent      uint64 // messages that were ever published in this place
	Free      uint64 // messages that could be published without waiting
}

// Seat is the place of a subscriber.
type Seat struct {
	Alive  bool
	Member int // the slot of its handle in the table of members, -1 if it is in there no more
	// Reliable: publishers wait for it.
	Reliable bool
	Behind   uint64 // messages that it has not read, of all publishers together
	Held     int    // views of messages that do not stand in their slots
}

// Stat tells what is in the topic. It looks at one word after the other, while others go on.
func (n *node) Stat() (s Stat, err error) {
	m, err := n.messages(false)
	if err == nil {
		if fault := shmkit.Guard(func() {
			s = n.stat(m, func(owner uint32) (int, bool) {
				return int(owner >> slotShift), !n.dead(owner)
			})
		}); fault != nil {
			err = fault
		}
	}
	s.Size, s.MessagesSize = int64(n.o.Mapping().Len()), n.o.AnnexSize()
	return s, n.fail("stat", err)
}

type whose func(owner uint32) (member int, alive bool)

// stat is Stat, but for the sizes of the files. It needs nothing of n but the geometry and the body. m is
// nil if messages may not be read. who tells the member slot of an owner, who is not 0, and whether it is alive.
func (n *node) stat(m *messages, who whose) Stat {
	g := &n.geometry
	s := Stat{MaxMessage: g.room, InSlots: g.inline, Timestamps: g.times, BestEffort: g.bestEffort, Depth: g.ring - g.history, History: g.history,
		Held: g.held, Loans: g.loans, Ring: g.ring, Chunks: g.chunks, SlotSize: g.slotSize, MaxPublishers: g.lanes, MaxSubscribers: g.seats}
	if !g.inline {
		s.ChunkSize = g.chunkSize
	}
	if m != nil {
		n.statLanes(&s, m, who)
	}
	n.statSeats(&s, m, who)
	return s
}

func (n *node) statLanes(s *Stat, m *messages, who whose) {
	used := m.h.used.Load()
	for i := range n.lanes {
		h := m.lane(i)
		if used&(1<<i) == 0 {
			continue
		}
		owner, tail := h.owner.Load(), h.tail.Load()&^1
		l := Lane{Publisher: h.publisher.Load(), Member: -1, Sent: tail >> 1}
		if owner != 0 {
			l.Member, l.Alive = who(owner)
		}
		bound := n.lowest(i, tail+2-2*uint64(n.history))
		if erased := h.erased.Load() &^ 1; int64(erased-bound) > 0 { // in a young lane there is no history to keep
			bound = erased
		}
		l.Free = uint64(min(max(int64(bound+2*uint64(n.ring)-tail-2)/2, 0), int64(n.ring)))
		s.Lanes = append(s.Lanes, l)
		if l.Alive {
			s.Publishers++
		}
	}
}

func (n *node) statSeats(s *Stat, m *messages, who whose) {
	for i := range n.highest() {
		h := n.seat(i)
		owner := h.owner.Load()
		if owner == 0 {
			continue
		}
		t := Seat{Reliable: h.mode.Load()&reliable != 0}
		t.Member, t.Alive = who(owner)
		for l := range n.lanes {
			if m == nil {
				break
			}
			if behind := int64(m.lane(l).tail.Load()&^1 + 2 - n.cursors(i)[l].Load()); behind > 0 {
				t.Behind += uint64(behind) / 2
			}
		}
		for k := range n.geometry.held {
			if n.hazardsOf(i)[k].Load() != 0 {
				t.Held++
			}
		}
		s.Seats = append(s.Seats, t)
		if t.Alive {
			s.Subscribers++
		}
	}
}
