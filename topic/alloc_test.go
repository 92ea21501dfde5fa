package topic_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/topic"
)

// Nothing is allocated for a message.
func TestMessagesAllocateNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	both(t, allocations[note, *note], allocations[frame, *frame])
	t.Run("bytes in slots", func(t *testing.T) { byteAllocations(t, 100) })
	t.Run("bytes in chunks", func(t *testing.T) { byteAllocations(t, 10_000) })
	if n := testing.AllocsPerRun(10, func() { sink = fmt.Sprint(&sink) }); n == 0 {
		t.Error("allocations are not counted")
	}
}

var sink string

// An allocRow is something to be done again and again.
type allocRow struct {
	name string
	do   func() error
}

func allocateNothing(t *testing.T, rows []allocRow) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			must(t, row.do()) // the first time is another matter
			if n := testing.AllocsPerRun(200, func() { must(t, row.do()) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func allocations[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 16, Timestamps: true})
	p, s := w.publisher(), w.subscriber(topic.SubscriberOptions{})
	c, cancel := context.WithCancel(context.Background())
	defer cancel()
	var m T
	batch := make([]T, 4)
	views := make([]topic.Message[T], 4)
	read := func(err error) error {
		_, e := s.TryRead(&m)
		return errors.Join(err, e)
	}
	view := func(v topic.Message[T], err error) error {
		if err != nil {
			return err
		}
		v.Data()
		return v.Release()
	}
	some := func(n int, err error) error {
		if err == nil && n != len(batch) {
			err = fmt.Errorf("%d of %d", n, len(batch))
		}
		return err
	}
	release := func(n int, err error) error {
		for i := range n {
			err = errors.Join(err, views[i].Release())
		}
		return some(n, err)
	}
	sendBatch := func() error { return some(p.SendBatch(c, batch)) }
	loan := func(l topic.Loan[T], err error) error {
		if err != nil {
			return err
		}
		l.Data()
		return l.Publish()
	}
	allocateNothing(t, []allocRow{
		{"Send, TryRead", func() error { return read(p.Send(c, &m)) }},
		{"TrySend, Read", func() error { e := p.TrySend(&m); _, err := s.Read(c, &m); return errors.Join(e, err) }},
		{"SendBatch, ReadBatch", func() error { return errors.Join(sendBatch(), some(s.ReadBatch(c, batch))) }},
		{"TrySendBatch, TryReadBatch", func() error { return errors.Join(some(p.TrySendBatch(batch)), some(s.TryReadBatch(batch))) }},
		{"SendBatch, ReceiveBatch", func() error { return errors.Join(sendBatch(), release(s.ReceiveBatch(c, views))) }},
		{"SendBatch, TryReceiveBatch", func() error { return errors.Join(sendBatch(), release(s.TryReceiveBatch(views))) }},
		{"Loan, Publish", func() error { return read(loan(p.Loan(c))) }},
		{"TryLoan, Publish", func() error { return read(loan(p.TryLoan())) }},
		{"Loan, Drop", func() error {
			l, err := p.Loan(c)
			return errors.Join(err, l.Drop())
		}},
		{"Send, Receive, Release", func() error { return errors.Join(p.Send(c, &m), view(s.Receive(c))) }},
		{"Send, TryReceive, Release", func() error { return errors.Join(p.Send(c, &m), view(s.TryReceive())) }},
		{"TryRead of nothing", func() error {
			if _, err := s.TryRead(&m); err != topic.ErrEmpty {
				return errors.New("there is something")
			}
			return nil
		}},
		{"TrySend of too many", func() error {
			for p.TrySend(&m) == nil {
			}
			for {
				if _, err := s.TryRead(&m); err != nil {
					return nil
				}
			}
		}},
	})
	t.Run("Messages", func(t *testing.T) {
		n := 0
		runs := testing.AllocsPerRun(1, func() { // of the loop, and not of its messages
			must(t, p.Send(c, &m))
			for v, err := range s.Messages(c) {
				must(t, view(v, err))
				if n++; n%500 == 0 {
					break
				}
				must(t, p.Send(c, &m))
			}
		})
		if runs > 20 {
			t.Errorf("%v allocations for 500 messages", runs)
		}
	})
	// A channel is read at another's pace.
	t.Run("Channel", func(t *testing.T) {
		lazy := w.subscriber(topic.SubscriberOptions{History: -1})
		ch := lazy.Channel(c, 4)
		both := func() {
			must(t, read(p.Send(c, &m)))
			must(t, view(<-ch.C, nil))
		}
		for range 100 {
			both()
		}
		if n := testing.AllocsPerRun(200, both); n != 0 {
			t.Errorf("%v allocations", n)
		}
		cancel()
		for range ch.C {
		}
	})
}

func byteAllocations(t *testing.T, most int) {
	w := newWorld[note, *note](t, topic.Options{}) // for its directory
	b, err := topic.CreateBytes("bytes", &topic.Options{Dir: w.dir, MaxMessage: most, Depth: 16})
	must(t, err)
	defer mustClose(t, b)
	p, err := b.Publisher()
	must(t, err)
	defer mustClose(t, p)
	s, err := b.Subscriber(nil)
	must(t, err)
	defer mustClose(t, s)
	c, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, into := make([]byte, most/2), make([]byte, most)
	batch := [][]byte{m, m[:1], m[:0], m[:20]}
	views := make([]topic.BytesMessage, 4)
	read := func(err error) error {
		_, _, e := s.Read(c, into)
		return errors.Join(err, e)
	}
	allocateNothing(t, []allocRow{
		{"Send, Read", func() error { return read(p.Send(c, m)) }},
		{"TrySend, TryRead", func() error { e := p.TrySend(m); _, _, err := s.TryRead(into); return errors.Join(e, err) }},
		{"Send, Receive, Release", func() error {
			e := p.Send(c, m)
			v, err := s.Receive(c)
			v.Data()
			return errors.Join(e, err, v.Release())
		}},
		{"SendBatch, ReceiveBatch", func() error {
			_, e := p.SendBatch(c, batch)
			n, err := s.ReceiveBatch(c, views)
			for i := range n {
				err = errors.Join(err, views[i].Release())
			}
			return errors.Join(e, err)
		}},
		{"Loan, Publish", func() error {
			l, err := p.Loan(c)
			l.Data()
			return read(errors.Join(err, l.Publish(most)))
		}},
		{"Loan, Drop", func() error {
			l, err := p.Loan(c)
			return errors.Join(err, l.Drop())
		}},
	})
}
