package bench

import (
	"errors"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// segmentWay is the classic one: a System V segment with two rings, and semaphores that count what is in them.
func segmentWay() way {
	return way{
		name: "segment", about: "a System V segment, semop(2) for each message and each room for one",
		prepare: func(p *props) error {
			set, err := sysv.CreateSemaphores(sysv.Private, semaphores, 0o600)
			if err != nil {
				return err
			}
			p.keep("sem", set.ID())
			n := slotsOf(p.size)
			if err := set.SetValues([]int{n, 0, n, 0}); err != nil {
				return err
			}
			s, err := sysv.Create(sysv.Private, slotBytes(p.size), 0o600)
			if err != nil {
				return err
			}
			p.keep("shm", s.ID())
			return nil
		},
		open: openSegment,
	}
}

// The semaphores: room and messages, there and back.
const (
	roomThere = iota
	messagesThere
	roomBack
	messagesBack
	semaphores
)

type segment struct {
	r        *room
	set      *sysv.SemaphoreSet
	m        *shmkit.Mapping
	slots    slots
	takeRoom sysv.Op // to send
	put      sysv.Op
	take     sysv.Op // to receive
	giveRoom sysv.Op
}

func openSegment(r *room) (end, error) {
	set, err := sysv.OpenSemaphoresID(r.ids[0])
	if err != nil {
		return nil, err
	}
	s, err := sysv.OpenID(r.ids[1])
	if err != nil {
		return nil, err
	}
	m, err := s.Attach(nil)
	if err != nil {
		return nil, err
	}
	e := &segment{r: r, set: set, m: m}
	if e.slots, err = newSlots(m.Bytes(), r.Size); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if err := m.Prefault(0, int64(m.Len()), shmkit.Write); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	out, in := roomThere, roomBack
	if !r.first {
		out, in = in, out
	}
	e.takeRoom, e.put = sysv.Wait(out), sysv.Post(out+1)
	e.take, e.giveRoom = sysv.Wait(in+1), sysv.Post(in)
	return e, nil
}

func (e *segment) send(seq uint64) error {
	if err := e.wait(e.takeRoom); err != nil {
		return err
	}
	e.r.pay.put(e.slots.of(!e.r.first, seq), seq)
	return e.set.TryOp(e.put)
}

func (e *segment) receive(seq uint64) error {
	if err := e.wait(e.take); err != nil {
		return err
	}
	if err := e.r.pay.get(e.slots.of(e.r.first, seq), seq); err != nil {
		return err
	}
	return e.set.TryOp(e.giveRoom)
}

// wait takes one from a semaphore.
func (e *segment) wait(op sysv.Op) error {
	if e.r.Wait == Block {
		return e.set.Op(e.r.ctx, op)
	}
	for {
		if err := e.set.TryOp(op); !errors.Is(err, syscall.EAGAIN) {
			return err
		}
	}
}

func (e *segment) memory() int64 { return int64(e.m.Len()) }

func (e *segment) close() error { return e.m.Close() }
