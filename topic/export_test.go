package topic

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// SetPoint has f called between the steps.
func SetPoint(f func(name string)) { pointed = f }

// Unpointed has nobody called between the steps, until what it returns is called.
func Unpointed() func() {
	old := pointed
	pointed = nil
	return func() { pointed = old }
}

// LaneIndex returns the lane of a publisher.
func (p *publisher) LaneIndex() int { return p.l.index }

// Tail returns the sequence number of the last message in the publisher's lane.
func (p *publisher) Tail() uint64 {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	return p.l.tail / 2
}

// Audit counts the chunks of a publisher after a look at the hazards: each is free, retired, in the
// ring or loaned, once. It returns how many are retired, which hazards must be naming.
func (p *publisher) Audit() (retired int, err error) {
	l := p.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n.inline {
		return 0, nil
	}
	l.takeBack()
	seen := map[uint32]int{}
	for _, c := range l.pool.free {
		seen[c]++
	}
	for _, c := range l.pool.retired {
		seen[c]++
	}
	for _, c := range l.pool.inRing {
		if c != 0 {
			seen[c-1]++
		}
	}
	for _, e := range l.loans.each {
		if e.serial != 0 {
			seen[e.chunk]++
		}
	}
	for c := range uint32(l.n.chunks) {
		if seen[c] != 1 {
			return 0, fmt.Errorf("chunk %d is in %d places", c, seen[c])
		}
	}
	if len(seen) != l.n.chunks {
		return 0, fmt.Errorf("%d chunks of %d", len(seen), l.n.chunks)
	}
	return len(l.pool.retired), nil
}

// Hazards counts the hazards of a subscriber.
func (s *subscriber) Hazards() (n int) {
	for i := range s.s.hazards {
		if s.s.hazards[i].Load() != 0 {
			n++
		}
	}
	return n
}

// Raw returns all of the memory that subscribers and publishers write.
func (n *node) Raw() (body, messages []byte, err error) {
	m, err := n.messages(true)
	if err != nil {
		return nil, nil, err
	}
	return n.body, m.b, nil
}

// LaneAt returns where in the messages a lane begins, and SlotAt a slot of it.
func (n *node) LaneAt(lane int) int { return messagesSize + lane*n.laneSize() }

func (n *node) SlotAt(lane int, v uint64) int {
	return n.LaneAt(lane) + laneHeaderSize + int(v>>1&uint64(n.ring-1))*n.slotSize
}

// SeatAt returns where in the body a seat begins.
func (n *node) SeatAt(seat int) int { return n.seatsAt() + seat*n.seatSize() }

// Paths returns both files.
func (n *node) Paths() (body, messages string) { return n.o.Path(), n.o.AnnexPath() }

// Views returns how many views are held.
func (s *subscriber) Views() (n int) {
	for i := range s.s.views {
		if s.s.views[i].Load() != 0 {
			n++
		}
	}
	return n
}

// Full returns how many channels wait for a view to be released.
func (s *subscriber) Full() int { return int(s.s.channels.full.Load()) }

// Next returns the sequence number that the subscriber reads next in a lane.
func (s *subscriber) Next(lane int) uint64 { return s.s.next[lane].Load() / 2 }

// Blind has nobody look on behalf of those who sleep, until what it returns is called.
func Blind() func() {
	watch.blind.Store(true)
	return func() { watch.blind.Store(false) }
}

// A Sleepy is looked for as if somebody slept for it, until Wake.
type Sleepy struct {
	watched
	Held bool
	mu   sync.Mutex
	at   []time.Time // of each look
}

func (s *Sleepy) seen() bool { return false }
func (s *Sleepy) held() bool { return s.Held }
func (s *Sleepy) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
}

// Sleep has it be looked for.
func (s *Sleepy) Sleep() {
	s.asleep.Add(1)
	watch.add(s)
}

// Wake ends that.
func (s *Sleepy) Wake() { s.asleep.Add(-1) }

// Looks is when it was looked for.
func (s *Sleepy) Looks() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.at)
}
