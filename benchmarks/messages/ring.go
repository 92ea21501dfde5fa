package main

import (
	"fmt"
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit"
)

// ringFan is the least that it takes to send to many: a ring that the sender writes and never
// looks at who reads. It shows how well the number of receivers is kept out of what is measured:
// its ratios would be 1.
func ringFan() fan {
	return fan{
		name: "ring", op: "64 bytes to a bare ring", memory: ringSlots * 128, receivers: []int{1, 8, 64},
		sender:   func(r *room) (fanSender, error) { return newRing(r) },
		receiver: func(r *room) (fanReceiver, error) { return newRing(r) },
	}
}

const ringSlots = 2 * burst

type ringSlot struct {
	_       structs.HostLayout
	seq     atomic.Uint64
	message message
	_       [56]byte
}

type ring struct {
	*shmkit.SliceView[ringSlot]
}

func newRing(r *room) (*ring, error) {
	v, err := shmkit.ViewSlice[ringSlot](r.mem, 4096, ringSlots)
	return &ring{v}, err
}

func (r *ring) send(from uint64, n int, check bool) error {
	slots := r.Data()
	for seq := from; seq < from+uint64(n); seq++ {
		s := &slots[seq%ringSlots]
		var m message
		m.set(seq, check)
		s.message = m
		s.seq.Store(seq)
	}
	return nil
}

func (r *ring) take(from uint64, n int, check bool) error {
	slots := r.Data()
	for seq := from; seq < from+uint64(n); seq++ {
		s := &slots[seq%ringSlots]
		if got := s.seq.Load(); got != seq {
			return fmt.Errorf("message %d is in the place of %d", got, seq)
		}
		if err := s.message.is(seq, check); err != nil {
			return err
		}
	}
	return nil
}

func (r *ring) close() error { return r.Close() }
