package topic

import (
	"math/bits"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
)

// ownLooks is how often who waits looks, a microsecond or two, before it lets others of this process have
// the seat: what comes at once need not wait for it to get the seat again.
const ownLooks = 64

// spinUntil is run, looking for a while if there is no message.
func (s *seat) spinUntil(f func() error) (err error) {
	locked := true
	s.mu.Lock()
	fault := shmkit.Guard(func() {
		before := s.streak
		if err = s.try(f); err == ErrEmpty {
			s.heels.outcome(before)
			err = s.spinFor(f, &locked)
		}
		if locked {
			locked = false
			s.unlock()
		}
	})
	if fault != nil {
		err = fault
	}
	if locked {
		s.mu.Unlock()
	}
	return err
}

// try is f, if the subscriber is open. mu is held.
func (s *seat) try(f func() error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	return f()
}

// spinFor looks for a message for a while, and has f take it. mu is held, and stays so as long as locked is.
func (s *seat) spinFor(f func() error, locked *bool) (err error) {
	p := s.spin.Begin()
	if s.heels.close() {
		if !p.MoreAfter(pausesOnHeels) {
			return ErrEmpty
		}
		if err = f(); err != ErrEmpty {
			p.Hit()
			return err
		}
	}
	for looks := 0; looks < ownLooks && p.More(); {
		looks += s.stare(&p, ownLooks-looks)
		if err = f(); err != ErrEmpty {
			s.heels.came(looks)
			p.Hit()
			return err
		}
	}
	*locked = false
	s.unlock()
	for p.More() {
		s.stare(&p, ownLooks)
		if !s.seen() {
			continue
		}
		s.mu.Lock()
		*locked = true
		if err = s.try(f); err != ErrEmpty {
			p.Hit()
			return err
		}
		*locked = false
		s.unlock()
	}
	return ErrEmpty
}

// stare looks at the slot of the next message, up to many times, and returns how often it did: until there
// may be something. Where several lanes are in use, or none, it is for others to look.
func (s *seat) stare(p *futex.Spin, many int) (looks int) {
	used := s.m.h.used.Load()
	l := bits.TrailingZeros64(used)
	if used == 0 || used&(used-1) != 0 || l >= len(s.next) {
		return 1
	}
	v := s.next[l].Load()
	looks, _ = p.Await(&slotAt(s.slot(l, v)).word, v, many)
	return looks + 1
}

// heels finds out whether a subscriber is on the heels of a publisher: it reads as fast as the other writes, waits a
// little for each message, and looks at its slot while it is written, which costs both a cache line that goes to and fro.
// Then it should let several messages come before it looks again. Two who answer each other look the same, but for what
// comes of it: there is one message all the same, and late. It is tried less and less often then.
type heels struct {
	quick  int  // messages in a row that came after a few looks
	enough int  // so many are tried with
	tried  bool // it has let some time pass before it looked
}

const (
	atOnce        = 9 // looks
	leastHeels    = 8 // messages
	mostHeels     = 1 << 14
	pausesOnHeels = 16
)

// came says that a message came after so many looks.
func (h *heels) came(looks int) {
	if h.quick++; looks > atOnce {
		h.quick = 0
	}
}

// close reports whether to let some time pass.
func (h *heels) close() bool {
	h.tried = h.quick >= max(h.enough, leastHeels)
	return h.tried
}

// outcome says how many messages were there, one behind the other, before there was none.
func (h *heels) outcome(streak int) {
	switch {
	case !h.tried:
	case streak > 1:
		h.enough = leastHeels
	default:
		h.quick, h.enough = 0, min(2*max(h.enough, leastHeels), mostHeels)
	}
	h.tried = false
}
