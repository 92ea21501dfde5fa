package topic_test

import (
	"fmt"

	"github.com/shmkit/shmkit/topic"
)

// whole checks, when everybody else is gone or dead, that nothing is lost: there are as many
// subscribers and publishers as the topic was made for, and each publisher has all its chunks, all
// of its ring and all of its loans, while every view that there can be is held.
func (w *world[T, M]) whole() {
	w.t.Helper()
	stat, err := w.topic.Stat()
	must(w.t, err)
	var subscribers []*topic.Subscriber[T]
	for range stat.MaxSubscribers {
		s, err := w.topic.Subscriber(&topic.SubscriberOptions{History: -1})
		must(w.t, err)
		subscribers = append(subscribers, s)
	}
	if s, err := w.topic.Subscriber(nil); err == nil {
		w.t.Error("more subscribers than there can be")
		mustClose(w.t, s)
	}
	var publishers []*topic.Publisher[T]
	for range stat.MaxPublishers {
		p, err := w.topic.Publisher()
		must(w.t, err)
		publishers = append(publishers, p)
	}
	for _, p := range publishers {
		if retired, err := p.Audit(); retired != 0 || err != nil {
			w.t.Errorf("%d chunks are retired, and nobody holds any: %v", retired, err)
		}
		for range 2 {
			must(w.t, w.cycle(p, subscribers, stat))
		}
		if retired, err := p.Audit(); retired != 0 || err != nil {
			w.t.Errorf("after it was used %d chunks are retired: %v", retired, err)
		}
	}
	for _, s := range subscribers {
		mustClose(w.t, s)
	}
	for _, p := range publishers {
		mustClose(w.t, p)
	}
}

// cycle fills a ring, with all loans at once, and has all subscribers read it, and hold what they can.
func (w *world[T, M]) cycle(p *topic.Publisher[T], subscribers []*topic.Subscriber[T], stat topic.Stat) error {
	lent := min(stat.Loans, stat.Ring)
	var loans []topic.Loan[T]
	for range lent {
		l, err := p.TryLoan()
		if err != nil {
			return err
		}
		loans = append(loans, l)
	}
	for n := range stat.Ring - lent {
		var m T
		M(&m).set(int64(n))
		if err := p.TrySend(&m); err != nil {
			return fmt.Errorf("message %d of %d: %w", n, stat.Ring, err)
		}
	}
	var m T
	if err := p.TrySend(&m); err != topic.ErrFull {
		return fmt.Errorf("full, and sending: %w", err)
	}
	for i := range loans {
		M(loans[i].Data()).set(int64(stat.Ring - lent + i))
		if err := loans[i].Publish(); err != nil {
			return err
		}
	}
	var held []topic.Message[T]
	for _, s := range subscribers {
		for n := range stat.Ring {
			v, err := s.TryReceive()
			if err != nil {
				return fmt.Errorf("message %d of %d: %w", n, stat.Ring, err)
			}
			if got := M(v.Data()).get(); got != int64(n) {
				return fmt.Errorf("message %d is %d", n, got)
			}
			if n < stat.Held-1 {
				held = append(held, v)
			} else if err := v.Release(); err != nil {
				return err
			}
		}
	}
	// While they are held another ring can be filled.
	for n := range stat.Ring {
		M(&m).set(int64(n))
		if err := p.TrySend(&m); err != nil {
			return fmt.Errorf("message %d, with views held: %w", n, err)
		}
	}
	for i := range held {
		if err := held[i].Release(); err != nil {
			return err
		}
	}
	for _, s := range subscribers {
		for range stat.Ring {
			if _, err := s.TryRead(&m); err != nil {
				return err
			}
		}
		if _, err := s.TryRead(&m); err != topic.ErrEmpty {
			return fmt.Errorf("empty, and reading: %w", err)
		}
	}
	return nil
}
