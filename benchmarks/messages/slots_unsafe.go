package main

import (
	"unsafe"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/words"
)

// bareSlots is what a round trip through two rings takes if nothing is done but what has to be: a
// message and a word are written to a slot of one or two cache lines, which the other side looks at.
func bareSlots() []work {
	return []work{
		slotsOf[message]("slots", "64 bytes there and back, two bare rings of slots", 128),
		slotsOf[short]("slots-48", "48 bytes there and back, two bare rings of slots", 64),
	}
}

func slotsOf[T any, P payload[T]](name, op string, size int) work {
	return work{
		name: name, op: op, n: 5_000, memory: 2 * slotsRing * int64(size),
		parent: func(r *room) (side, error) { return newSlots[T, P](r, size, true) },
		child:  func(r *room) (side, error) { return newSlots[T, P](r, size, false) },
	}
}

const (
	slotsRing = 1024
	slotsAt   = 16
)

type slots[T any, P payload[T]] struct {
	r       *room
	view    *shmkit.SliceView[byte]
	out, in []byte
	size    uint64
	first   bool
	seq     uint64
}

func newSlots[T any, P payload[T]](r *room, size int, first bool) (side, error) {
	v, err := shmkit.ViewSlice[byte](r.mem, 0, 2*slotsRing*size)
	if err != nil {
		return nil, err
	}
	s := &slots[T, P]{r: r, view: v, size: uint64(size), first: first}
	s.out, s.in = v.Data()[:slotsRing*size], v.Data()[slotsRing*size:]
	if !first {
		s.out, s.in = s.in, s.out
	}
	return s, nil
}

func (s *slots[T, P]) send(m *T) {
	at := &s.out[s.seq%slotsRing*s.size]
	words.PutMessage(at, (*byte)(unsafe.Pointer(m)), s.seq, uint64(unsafe.Sizeof(*m)), slotsAt, int(unsafe.Sizeof(*m))/8)
}

func (s *slots[T, P]) receive(m *T) error {
	at := s.in[s.seq%slotsRing*s.size:]
	word := (*words.Uint64)(unsafe.Pointer(&at[0]))
	for looks := 1; word.Load() != s.seq; looks++ {
		if looks%(1<<24) == 0 && s.r.ctx.Err() != nil {
			return s.r.ctx.Err()
		}
	}
	words.CopyOut((*byte)(unsafe.Pointer(m)), &at[slotsAt], int(unsafe.Sizeof(*m))/8)
	return nil
}

func (s *slots[T, P]) run(n int, check bool) error {
	var m T
	for range n {
		s.seq++
		if s.first {
			P(&m).set(s.seq, check)
			s.send(&m)
		}
		if err := s.receive(&m); err != nil {
			return err
		}
		if err := P(&m).is(s.seq, check); err != nil {
			return err
		}
		if !s.first {
			s.send(&m)
		}
	}
	return nil
}

func (s *slots[T, P]) close() error { return s.view.Close() }
