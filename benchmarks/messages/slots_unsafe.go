package main

import (
	"unsafe"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/words"
)

// bareSlots is what a round trip through two rings takes if nothing is done but what has to be: a
// message of 64 bytes and a word are written to a slot of two cache lines, which the other side
// looks at.
func bareSlots() work {
	return work{
		name: "slots", op: "64 bytes there and back, two bare rings of slots", n: 5_000, memory: 2 * slotsRing * slotsSize,
		parent: func(r *room) (side, error) { return newSlots(r, true) },
		child:  func(r *room) (side, error) { return newSlots(r, false) },
	}
}

const (
	slotsRing = 1024
	slotsSize = 128
	slotsAt   = 16
)

type slots struct {
	r       *room
	view    *shmkit.SliceView[byte]
	out, in []byte
	first   bool
	seq     uint64
}

func newSlots(r *room, first bool) (side, error) {
	v, err := shmkit.ViewSlice[byte](r.mem, 0, 2*slotsRing*slotsSize)
	if err != nil {
		return nil, err
	}
	s := &slots{r: r, view: v, first: first}
	s.out, s.in = v.Data()[:slotsRing*slotsSize], v.Data()[slotsRing*slotsSize:]
	if !first {
		s.out, s.in = s.in, s.out
	}
	return s, nil
}

func (s *slots) send(m *message) {
	at := &s.out[s.seq%slotsRing*slotsSize]
	words.PutMessage(at, &m.body[0], s.seq, uint64(len(m.body)), slotsAt, len(m.body)/8)
}

func (s *slots) receive(m *message) error {
	at := s.in[s.seq%slotsRing*slotsSize:]
	word := (*words.Uint64)(unsafe.Pointer(&at[0]))
	for looks := 1; word.Load() != s.seq; looks++ {
		if looks%(1<<24) == 0 && s.r.ctx.Err() != nil {
			return s.r.ctx.Err()
		}
	}
	words.CopyOut(&m.body[0], &at[slotsAt], len(m.body)/8)
	return nil
}

func (s *slots) run(n int, check bool) error {
	var m message
	for range n {
		s.seq++
		if s.first {
			m.set(s.seq, check)
			s.send(&m)
		}
		if err := s.receive(&m); err != nil {
			return err
		}
		if err := m.is(s.seq, check); err != nil {
			return err
		}
		if !s.first {
			s.send(&m)
		}
	}
	return nil
}

func (s *slots) close() error { return s.view.Close() }
