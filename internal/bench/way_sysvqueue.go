package bench

import (
	"errors"
	"syscall"

	"github.com/shmkit/shmkit/sysv"
)

// sysvQueueWay is one System V message queue, with a type of message for each direction.
func sysvQueueWay() way {
	return way{
		name: "sysv queue", about: "a System V message queue, msgsnd(2) and msgrcv(2)",
		most: func() (int, error) {
			l, err := sysv.ReadQueueLimits()
			return min(l.MaxMessage, l.QueueBytes), err
		},
		prepare: func(p *props) error {
			q, err := sysv.CreateQueue(sysv.Private, 0o600)
			if err != nil {
				return err
			}
			p.keep("msg", q.ID())
			return nil
		},
		open: openSysvQueue,
	}
}

type sysvQueue struct {
	r       *room
	q       *sysv.MessageQueue
	in, out int64 // types
	from    sysv.Selector
	buf     []byte
}

func openSysvQueue(r *room) (end, error) {
	q, err := sysv.OpenQueueID(r.ids[0])
	if err != nil {
		return nil, err
	}
	there, back := int64(1), int64(2)
	s := &sysvQueue{r: r, q: q, in: there, out: back, buf: make([]byte, r.Size)}
	if r.first {
		s.in, s.out = back, there
	}
	s.from = sysv.Type(s.in)
	return s, nil
}

func (s *sysvQueue) send(seq uint64) error {
	s.r.pay.put(s.buf, seq)
	if s.r.Wait == Block {
		return s.q.Send(s.r.ctx, s.out, s.buf)
	}
	for {
		if err := s.q.TrySend(s.out, s.buf); !errors.Is(err, syscall.EAGAIN) {
			return err
		}
	}
}

func (s *sysvQueue) receive(seq uint64) error {
	n, err := s.next()
	if err != nil {
		return err
	}
	return s.r.pay.get(s.buf[:n], seq)
}

func (s *sysvQueue) next() (n int, err error) {
	if s.r.Wait == Block {
		_, n, err = s.q.Receive(s.r.ctx, s.from, s.buf)
		return n, err
	}
	for {
		if _, n, err = s.q.TryReceive(s.from, s.buf); !errors.Is(err, syscall.ENOMSG) {
			return n, err
		}
	}
}

func (s *sysvQueue) memory() int64 {
	info, err := s.q.Stat()
	if err != nil {
		return -1
	}
	return int64(info.Capacity)
}

func (s *sysvQueue) close() error { return nil }
