package main

import (
	"errors"

	"github.com/shmkit/shmkit/topic"
)

// block is a message of 4 MiB.
type block struct {
	body [large]byte
}

// topicLoans are messages of 4 MiB there and back, in place: not touched but for the first word, and
// written and read. Both sides look for the next one all the time, as those of copy do.
func topicLoans() []work {
	one := func(name, op, base string, touch bool, n int, asked float64) work {
		return work{
			name: name, op: op, base: base, n: n, asked: asked,
			parent: func(r *room) (side, error) { return openLoans(r, true, touch) },
			child:  func(r *room) (side, error) { return openLoans(r, false, touch) },
		}
	}
	return []work{
		one("topic-loan", "4 MiB there and back, by loan, not touched", "topic", false, 5_000, 1.2),
		one("topic-touched", "4 MiB written, handed over, read out, answered", "copy", true, 4, 1.03),
	}
}

type loans struct {
	r       *room
	first   bool
	touch   bool
	out     *topic.Publisher[block]
	in      *topic.Subscriber[block]
	private []byte
	want    []byte
	seq     uint64
}

func openLoans(r *room, first, touch bool) (side, error) {
	o := topic.Options{Publishers: 1, Subscribers: 4, Depth: 16}
	if touch { // few chunks stay in the caches, as the one of copy does
		o = topic.Options{Publishers: 1, Subscribers: 1, Depth: 2, Held: 1, Loans: 1}
	}
	p, s, err := ends[block](r, first, o)
	if err != nil {
		return nil, err
	}
	l := &loans{r: r, first: first, touch: touch, out: p, in: s, private: make([]byte, large), want: make([]byte, large)}
	fill(l.private, 0)
	fill(l.want, 0)
	return l, nil
}

// wholly is of how many messages of a run all bytes are looked at, if any: they are large.
const wholly = 20

// send sends message number seq; the answer to one that is touched is not.
func (l *loans) send(touch, check bool) error {
	loan, err := l.out.Loan(l.r.ctx)
	if err != nil {
		return err
	}
	body := loan.Data().body[:]
	if touch {
		content(l.private, l.seq, check)
		copy(body, l.private)
	} else {
		content(body, l.seq, check)
	}
	return loan.Publish()
}

func (l *loans) receive(touch, check bool) error {
	m, err := l.next()
	if err != nil {
		return err
	}
	body := m.Data().body[:]
	if touch {
		copy(l.private, body)
		body = l.private
	}
	err = isContent(body, l.seq, check, l.want)
	if e := m.Release(); err == nil {
		err = e
	}
	return err
}

// next receives the next message. One that is touched takes longer than Receive looks before it
// goes to sleep.
func (l *loans) next() (m topic.Message[block], err error) {
	if !l.touch {
		return l.in.Receive(l.r.ctx)
	}
	for looks := 1; ; looks++ {
		if m, err = l.in.TryReceive(); err != topic.ErrEmpty {
			return m, err
		}
		if looks%1000 == 0 && l.r.ctx.Err() != nil {
			return m, l.r.ctx.Err()
		}
	}
}

func (l *loans) run(n int, check bool) error {
	for i := range n {
		l.seq++
		check := check && i < wholly
		if l.first {
			if err := l.send(l.touch, check); err != nil {
				return err
			}
		}
		if err := l.receive(l.touch && !l.first, check && (!l.touch || !l.first)); err != nil {
			return err
		}
		if !l.first {
			if err := l.send(false, check && !l.touch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loans) close() error { return errors.Join(l.in.Close(), l.out.Close()) }
