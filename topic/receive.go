package topic

import (
	"context"
	"io"
	"math/bits"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// Info is what is known of a message besides.
type Info struct {
	// Sequence is the message's number in the order of its publisher, from 1 on; a publisher that
	// comes in the place of one that has gone goes on with its numbers.
	Sequence uint64
	// Publisher is the id of its publisher, as of Publisher.ID.
	Publisher uint32
	// Missed is how many messages in front of it, of the same place, this subscriber has missed
	// since the one before.
	Missed uint64
	// Time is when it was published, by the clock of Now; 0 if the topic was made without
	// Timestamps.
	Time time.Duration
}

// Now returns the time of the clock that timestamps are of, CLOCK_MONOTONIC of
// clock_gettime(2): since some moment before the machine was started.
func Now() time.Duration { return time.Duration(futex.Now()) }

// A view is a message that a subscriber holds.
type view struct {
	s      *seat
	index  int
	serial uint64
	data   []byte
	Info
}

// run runs f as the one who has the seat: with faults as errors, and the subscriber open.
func (s *seat) run(f func() error) (err error) {
	locked := true
	s.mu.Lock()
	if fault := shmkit.Guard(func() {
		err = s.try(f)
		locked = false
		s.unlock()
	}); fault != nil {
		err = fault
	}
	if locked {
		s.mu.Unlock()
	}
	return err
}

// until is run, waiting for a message as long as there is none, if it is to wait.
func (s *seat) until(ctx context.Context, wait bool, f func() error) error {
	if !wait {
		return s.n.fail("receive from", s.run(f))
	}
	for {
		err := s.spinUntil(f)
		if err != ErrEmpty {
			return s.n.fail("receive from", err)
		}
		if err := s.await(ctx); err != nil {
			return s.n.fail("receive from", err)
		}
	}
}

// first returns the lane and the slot of a message, ErrEmpty if there is none. mu is held.
func (s *seat) first() (lane int, v uint64, b []byte, err error) {
	lane = s.find()
	if s.spoilt {
		s.spoilt = false
		return 0, 0, nil, ErrCorrupt
	}
	if lane < 0 {
		s.streak = 0
		return 0, 0, nil, ErrEmpty
	}
	v = s.next[lane].Load()
	if s.streak++; s.streak > aheadOfReading {
		ahead := s.slot(lane, v+2*aheadOfReading)
		words.Prefetch(&ahead[0], len(ahead))
	}
	point("receive:found")
	return lane, v, s.slot(lane, v), nil
}

// length returns how long a message is, and goes on behind it if it cannot be (ErrCorrupt): longer than
// there is room, or, of a type, shorter. mu is held.
func (s *seat) length(lane int, v uint64, b []byte, whole bool) (length int, err error) {
	length = int(uint32(slotAt(b).what.Load()))
	if length <= s.n.geometry.room && (!whole || length == s.n.geometry.room) {
		return length, nil
	}
	return 0, s.refuse(lane, v)
}

// refuse goes on behind a message that cannot be, or that was overwritten (errAgain).
func (s *seat) refuse(lane int, v uint64) error {
	if s.erased(lane, v) && s.skip(lane, v) {
		return errAgain
	}
	s.advance(lane, v+2)
	return ErrCorrupt
}

// info fills in what is known of message v. mu is held.
func (s *seat) info(i *Info, v uint64, b []byte) {
	h := slotAt(b)
	i.Sequence, i.Publisher, i.Time = v/2, uint32(h.what.Load()>>publisherShift), 0
	if s.n.times {
		i.Time = time.Duration(h.time.Load())
	}
}

// accept is called when a message has been got: it goes on behind it. mu is held.
func (s *seat) accept(i *Info, lane int, v uint64) {
	race.Acquire(s.keys[lane])
	i.Missed, s.skipped[lane] = s.skipped[lane], 0
	s.advance(lane, v+2)
}

// A try that was too slow is repeated; so often that only who is overtaken by a whole ring each time
// gives up, and is told that there is nothing.
const tries = 64

type again struct{}

func (again) Error() string { return "message was overwritten" }

var errAgain error = again{}

// copyNow receives a copy of a message. mu is held.
func (s *seat) copyNow(dst []byte, i *Info, whole bool) (n int, err error) {
	if s.copyAtOnce(dst, i) {
		return len(dst), nil
	}
	for range tries {
		lane, v, b, err := s.first()
		if err != nil {
			return 0, err
		}
		if n, err = s.copyFrom(dst, i, whole, lane, v, b); err != errAgain {
			return n, err
		}
	}
	return 0, ErrEmpty
}

// copyAtOnce is copyNow of what is usual: there is one lane, and in the slot of its next message one of just this
// length. It reports whether that was so. mu is held.
func (s *seat) copyAtOnce(dst []byte, i *Info) bool {
	used := s.m.h.used.Load()
	l := bits.TrailingZeros64(used)
	if used&(used-1) != 0 || l >= len(s.next) || s.spoilt || !s.n.inline || s.n.times {
		return false
	}
	v := s.next[l].Load()
	b := s.slot(l, v)
	h := slotAt(b)
	if h.word.Load() != v|1 {
		return false
	}
	what := h.what.Load()
	if uint32(what) != uint32(len(dst)) {
		return false
	}
	if !s.copySlot(dst, l, v, b) {
		return false
	}
	i.Sequence, i.Publisher, i.Time = v/2, uint32(what>>publisherShift), 0
	if s.streak++; s.streak > aheadOfReading {
		ahead := s.slot(l, v+2*aheadOfReading)
		words.Prefetch(&ahead[0], len(ahead))
	}
	s.accept(i, l, v)
	return true
}

// copySlot copies message v out of its slot, and reports whether it was there all the time.
func (s *seat) copySlot(dst []byte, lane int, v uint64, b []byte) bool {
	copyOut(dst, b[s.n.messageOffset:])
	point("receive:copied")
	return s.reliable || !s.erased(lane, v)
}

// copySeveral receives copies of several messages of one length, one behind the other, of one lane
// whose messages stand in their slots. It returns 0 where that needs more care. mu is held.
func (s *seat) copySeveral(dst []byte, size int) (n int) {
	if !s.n.inline {
		return 0
	}
	lane := s.find()
	if lane < 0 || s.spoilt || s.skipped[lane] != 0 {
		return 0
	}
	first := s.next[lane].Load()
	v := first
	for ; len(dst) >= size; v += 2 {
		b := s.slot(lane, v)
		h := slotAt(b)
		if h.word.Load() != v|1 || int(uint32(h.what.Load())) != size {
			break
		}
		ahead := s.slot(lane, v+2*aheadOfReading)
		words.Prefetch(&ahead[0], len(ahead))
		point("receive:several found")
		copyOut(dst[:size], b[s.n.messageOffset:])
		dst = dst[size:]
	}
	point("receive:several copied")
	if v == first || !s.reliable && s.erased(lane, first) {
		return 0
	}
	race.Acquire(s.keys[lane])
	s.advance(lane, v)
	n = int(v-first) / 2
	s.streak += n
	return n
}

// aheadOfReading is so many messages ahead that a subscriber has cache lines fetched.
const aheadOfReading = 6

// copyFrom copies message v, errAgain if it was overwritten meanwhile. mu is held.
func (s *seat) copyFrom(dst []byte, i *Info, whole bool, lane int, v uint64, b []byte) (n int, err error) {
	n, err = s.length(lane, v, b, whole)
	if err != nil {
		return 0, err
	}
	short := n > len(dst)
	dst = dst[:min(n, len(dst))]
	s.info(i, v, b)
	if s.n.inline {
		if !s.copySlot(dst, lane, v, b) {
			return 0, s.refuse(lane, v)
		}
	} else {
		k := s.n.geometry.held // which no view has
		data, err := s.protect(k, lane, v, b)
		if err != nil {
			return 0, err
		}
		copy(dst, data)
		point("receive:copied out")
		words.Release64(&s.hazards[k], 0)
	}
	if short {
		return n, io.ErrShortBuffer
	}
	s.accept(i, lane, v)
	return n, nil
}

// free returns a view that is not held, ErrTooMany if all are. mu is held.
func (s *seat) free() (k int, err error) {
	for k = range s.views {
		if s.views[k].Load() == 0 {
			return k, nil
		}
	}
	return 0, ErrTooMany
}

// protect has hazard k name the chunk of message v, and returns the chunk; errAgain if the message was
// overwritten meanwhile. mu is held.
func (s *seat) protect(k, lane int, v uint64, b []byte) (data []byte, err error) {
	chunks := s.n.chunks
	chunk := slotAt(b).chunk.Load()
	if int64(chunk) >= int64(chunks) {
		return nil, s.refuse(lane, v)
	}
	data = s.m.chunk(lane, chunk)
	words.Prefetch(&data[0], 64)
	name := uint64(lane)*uint64(chunks) + uint64(chunk) + 1
	if s.reliable { // what its cursor has not passed is not erased; the hazard is there before it does
		words.Release64(&s.hazards[k], name)
		point("receive:named")
		return data, nil
	}
	s.hazards[k].Store(name)
	point("receive:protected")
	if s.erased(lane, v) {
		s.hazards[k].Store(0)
		return nil, s.refuse(lane, v)
	}
	return data, nil
}

// viewNow receives a view of a message. mu is held.
func (s *seat) viewNow(m *view, whole bool) error {
	for range tries {
		lane, v, b, err := s.first()
		if err != nil {
			return err
		}
		if err = s.viewFrom(m, whole, lane, v, b); err != errAgain {
			return err
		}
	}
	return ErrEmpty
}

// viewFrom makes a view of message v, errAgain if it was overwritten meanwhile. mu is held.
func (s *seat) viewFrom(m *view, whole bool, lane int, v uint64, b []byte) error {
	k, err := s.free()
	if err != nil {
		return err
	}
	n, err := s.length(lane, v, b, whole)
	if err != nil {
		return err
	}
	s.info(&m.Info, v, b)
	if s.n.inline {
		at := k * roundUp(s.n.geometry.room, 64)
		m.data = s.copies[at : at+n : at+n]
		copyOut(m.data, b[s.n.messageOffset:])
		point("receive:viewed")
		if !s.reliable && s.erased(lane, v) {
			return s.refuse(lane, v)
		}
	} else {
		data, err := s.protect(k, lane, v, b)
		if err != nil {
			return err
		}
		m.data = data[:n:n]
	}
	s.serial++
	m.s, m.index, m.serial = s, k, s.serial
	words.Release64(&s.views[k], s.serial)
	s.accept(&m.Info, lane, v)
	point("receive:held")
	return nil
}

// Release gives the view back: what Data returned must not be used any more. Any goroutine may do
// it, in any order. ErrNotHeld: it was released already.
func (m *view) Release() error {
	s := m.s
	if s == nil {
		return &Error{Op: "release", Topic: "topic", Err: ErrNotHeld}
	}
	last := uint64(0)
	if !s.n.inline {
		last = releasing
	}
	if m.serial == 0 || !s.views[m.index].CompareAndSwap(m.serial, last) {
		return s.n.fail("release", ErrNotHeld)
	}
	if !s.n.inline {
		_ = shmkit.Guard(func() { words.Release64(&s.hazards[m.index], 0) }) // if the memory is gone, so is the hazard
		point("release:freed")
		s.views[m.index].Store(0) // and what follows is read after it
	}
	if s.channels.full.Load() > 0 {
		s.channels.release()
	}
	return nil
}

// releasing stands in place of a view's serial while its hazard is taken away.
const releasing = 1<<64 - 1

// several calls one for each of up to most messages, until there is none or something else is wrong,
// which only counts if it was the first. mu is held.
func (s *seat) several(n *int, most int, one func(i int) error) error {
	for *n = 0; *n < most; *n++ {
		if err := one(*n); err != nil && *n == 0 {
			return err
		} else if err != nil {
			s.spoilt = s.spoilt || err == ErrCorrupt // the next one is told
			return nil
		}
	}
	return nil
}
