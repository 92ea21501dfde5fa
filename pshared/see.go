package pshared

import (
	"encoding/binary"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
)

// A sight is one word as an outsider sees it. What cannot be read is 0, and failed says so.
type sight struct {
	i      *object.Info
	m      *shmkit.Mapping
	at     int64 // the word's place in the mapping
	entry  int
	failed bool
}

// u32 reads a word of the word.
func (s *sight) u32(offset int64) uint32 {
	v, err := s.m.Load32(s.at + offset)
	s.failed = s.failed || err != nil
	return v
}

// u64 reads a double word of the word.
func (s *sight) u64(offset int64) uint64 {
	v, err := s.m.Load64(s.at + offset)
	s.failed = s.failed || err != nil
	return v
}

// part returns member n's entry.
func (s *sight) part(n int) (a, b uint64) {
	p := s.i.Members[n].Part
	if from := s.entry * entrySize; s.entry >= 0 && len(p) >= from+entrySize {
		return binary.NativeEndian.Uint64(p[from:]), binary.NativeEndian.Uint64(p[from+8:])
	}
	return 0, 0
}

// member returns the index of the member that an owner names, -1 if its record is another's
// by now.
func (s *sight) member(who uint32) int {
	for n, m := range s.i.Members {
		if m.Slot == slotOf(who) && m.Generation == generationOf(who) {
			return n
		}
	}
	return -1
}

// see tells of all the words in an object.
func see(i *object.Info, m *shmkit.Mapping, body int64) (all []WordInfo, err error) {
	d := &description{kind: i.Kind, typeName: i.Type, words: i.Words, bodySize: i.BodySize, read: func(p []byte, offset int64) error {
		_, err := m.ReadAt(p, body+offset)
		return err
	}}
	places, err := d.places()
	for _, p := range places {
		t := wordTypeOf[p.kind]
		w := WordInfo{Path: p.path, Offset: p.offset, Kind: t.name}
		s := &sight{i: i, m: m, at: body + p.offset, entry: p.entry}
		if t.see(s, &w); s.failed {
			w.State = "" // the memory is gone
		}
		all = append(all, w)
	}
	return all, err
}

// seeMutex tells of a mutex.
func seeMutex(s *sight, w *WordInfo) { w.State, w.Holders, w.Waiters = s.mutex(0) }

// mutex makes sense of the MutexWord at an offset of the word.
func (s *sight) mutex(offset int64) (state string, holders []Holder, waiting bool) {
	v := s.u32(offset)
	waiting = v != notRecoverable && v&waiters != 0
	switch who := v & ownerMask; {
	case v == notRecoverable:
		return NotRecoverable, nil, waiting
	case who == 0 && v&inconsistent == 0:
		return Unlocked, nil, waiting
	case who == 0:
		return OwnerDead, nil, waiting
	case generationOf(who) == 0 || generationOf(who) > object.MaxGeneration || slotOf(who) >= s.i.Slots:
		return Corrupt, nil, waiting
	}
	n := s.member(v)
	switch {
	case n < 0:
		return OwnerDead, nil, waiting
	case !s.i.Members[n].Alive:
		state = OwnerDead
	case v&inconsistent != 0:
		state = Inconsistent
	default:
		state = Held
	}
	return state, []Holder{{Member: n, Count: 1}}, waiting
}

// seeRWMutex tells of a readers/writers lock.
func seeRWMutex(s *sight, w *WordInfo) {
	gate, bell := s.u32(8), s.u32(12)
	state, writers, waiting := s.mutex(0)
	w.Waiters = waiting || gate&readersSleep != 0 || bell&bellWaiters != 0
	if w.State = state; gate&gateClosed != 0 {
		for _, h := range writers {
			h.Mode = "write"
			w.Holders = append(w.Holders, h)
		}
	} else if state == Held || state == OwnerDead { // who waits for its turn, or died so
		w.State = Unlocked
	}
	for n, m := range s.i.Members {
		a, _ := s.part(n)
		if active := activeIn(a); active > 0 && uint32(a>>32) == m.Generation {
			w.Holders = append(w.Holders, Holder{Member: n, Mode: "read", Count: int(active)})
			if m.Alive && w.State == Unlocked {
				w.State = HeldForReading
			}
		}
	}
}
