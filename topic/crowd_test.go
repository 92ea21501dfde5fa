package topic_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// Many goroutines use one publisher and one subscriber, in every way: each message goes to one of
// them, once.
func TestManyGoroutinesOfOnePublisherAndOneSubscriber(t *testing.T) {
	both(t, crowd[note, *note], crowd[frame, *frame])
}

func crowd[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 16, Held: 8, Loans: 4, Publishers: 1})
	p, s := w.publisher(), w.subscriber(topic.SubscriberOptions{})
	const each, goroutines = 200, 4
	c := limited(t)
	c, finish := context.WithCancel(c)
	var next, left atomic.Int64
	left.Store(each * goroutines)
	got := make([]atomic.Int32, each*goroutines+1)
	saw := func(n int64) {
		if n < 1 || n >= int64(len(got)) {
			t.Errorf("message %d", n)
			return
		}
		got[n].Add(1)
		if left.Add(-1) == 0 {
			finish()
		}
	}
	var all sync.WaitGroup
	start := func(f func() error) {
		all.Go(func() {
			if err := f(); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for range goroutines {
		start(func() error {
			for k := range each / 4 {
				var m T
				M(&m).set(next.Add(1))
				if err := p.Send(c, &m); err != nil {
					return err
				}
				l, err := p.Loan(c)
				if err != nil {
					return err
				}
				if k%5 == 0 {
					if err := l.Drop(); err != nil {
						return err
					}
					if l, err = p.Loan(c); err != nil {
						return err
					}
				}
				M(l.Data()).set(next.Add(1))
				if err := l.Publish(); err != nil {
					return err
				}
				batch := make([]T, 2)
				for i := range batch {
					M(&batch[i]).set(next.Add(1))
				}
				if _, err := p.SendBatch(c, batch); err != nil {
					return err
				}
			}
			return nil
		})
		start(func() error {
			for {
				var m T
				if _, err := s.Read(c, &m); err != nil {
					return err
				}
				saw(M(&m).get())
			}
		})
	}
	start(func() error {
		for m, err := range s.Messages(c) {
			if err != nil {
				return err
			}
			saw(M(m.Data()).get())
			if err := m.Release(); err != nil {
				return err
			}
		}
		return nil
	})
	start(func() error {
		batch := make([]topic.Message[T], 3)
		for {
			n, err := s.ReceiveBatch(c, batch)
			if err != nil {
				return err
			}
			for i := range n {
				saw(M(batch[i].Data()).get())
				if err := batch[i].Release(); err != nil {
					return err
				}
			}
		}
	})
	start(func() error {
		for left.Load() > 0 {
			if _, err := w.topic.Stat(); err != nil {
				return err
			}
		}
		return nil
	})
	all.Wait()
	for n := range got[1:] {
		if k := got[n+1].Load(); k != 1 {
			t.Errorf("message %d came %d times", n+1, k)
		}
	}
	if n := s.Hazards(); n != 0 {
		t.Errorf("%d hazards are left", n)
	}
	if retired, err := p.Audit(); retired != 0 || err != nil {
		t.Errorf("%d chunks are retired: %v", retired, err)
	}
}

// Close sends those away who wait in the one that is closed, and nobody else.
func TestCloseSendsAwayWhoWaits(t *testing.T) {
	both(t, closing[note, *note], closing[frame, *frame])
}

func closing[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 2})
	p, err := w.topic.Publisher()
	must(t, err)
	s, err := w.topic.Subscriber(&topic.SubscriberOptions{History: -1})
	must(t, err)
	stays := w.subscriber(topic.SubscriberOptions{})
	var m T
	M(&m).set(1)
	var waiting []<-chan error
	for range 3 {
		waiting = append(waiting,
			begin(func() error { _, err := s.Receive(ctx); return err }),
			begin(func() error { _, err := s.Read(ctx, new(T)); return err }),
			begin(func() error {
				for _, err := range s.Messages(ctx) {
					return err
				}
				return nil
			}))
	}
	ch := s.Channel(ctx, 2)
	staying := begin(func() error { _, err := stays.Read(limited(t), new(T)); return err })
	asleep(t, w.dir, 11, nil)
	must(t, s.Close())
	if n := sleepers(t, w.dir); n > 1 { // at once
		t.Errorf("%d sleep on", n)
	}
	for i, c := range waiting {
		if err := <-c; !errors.Is(err, topic.ErrClosed) {
			t.Errorf("who waited, %d: %v", i, err)
		}
	}
	if _, more := <-ch.C; more || !errors.Is(ch.Err(), topic.ErrClosed) {
		t.Errorf("the channel: %v", ch.Err())
	}
	must(t, p.TrySend(&m))
	must(t, <-staying)
	// And publishers.
	must(t, p.TrySend(&m))
	must(t, p.TrySend(&m))
	waiting = nil
	for range 3 {
		waiting = append(waiting,
			begin(func() error { return p.Send(ctx, new(T)) }),
			begin(func() error { _, err := p.SendBatch(ctx, make([]T, 2)); return err }),
			begin(func() error { _, err := p.Loan(ctx); return err }))
	}
	asleep(t, w.dir, 9, nil)
	must(t, p.Close())
	if n := sleepers(t, w.dir); n > 0 {
		t.Errorf("%d sleep on", n)
	}
	for i, c := range waiting {
		if err := <-c; !errors.Is(err, topic.ErrClosed) {
			t.Errorf("who waited for room, %d: %v", i, err)
		}
	}
	for _, err := range []error{p.TrySend(&m), s.Close(), p.Close()} {
		if err != nil && !errors.Is(err, topic.ErrClosed) {
			t.Errorf("later: %v", err)
		}
	}
	if _, err := s.TryReceive(); !errors.Is(err, topic.ErrClosed) {
		t.Errorf("later: %v", err)
	}
	w.read(stays, 1, 1)
	w.read(stays, 1, 1)
}

// A channel that is cancelled, full or empty, gives back what nobody has taken.
func TestACancelledChannelReleasesWhatItHas(t *testing.T) {
	both(t, cancelled[note, *note], cancelled[frame, *frame])
}

func cancelled[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 16, Held: 6})
	p := w.publisher()
	for published := range int64(6) {
		for taken := range published + 1 {
			s, err := w.topic.Subscriber(&topic.SubscriberOptions{History: -1})
			must(t, err)
			c, cancel := context.WithCancel(limited(t))
			ch := s.Channel(c, 3)
			w.send(p, 1, published)
			for n := range min(taken, published) {
				m := <-ch.C
				if got := M(m.Data()).get(); got != n+1 {
					t.Fatalf("%d, want %d", got, n+1)
				}
				must(t, m.Release())
			}
			// As many as there is room for are held, and one more.
			shmtest.Eventually(t, "the channel has what it can have", func() bool {
				return len(ch.C) == int(min(3, published-min(taken, published)))
			})
			cancel()
			must(t, s.Close())
			if n := s.Hazards(); n != 0 {
				t.Errorf("%d of %d taken: %d hazards are left", taken, published, n)
			}
			if _, more := <-ch.C; more || !errors.Is(ch.Err(), context.Canceled) && !errors.Is(ch.Err(), topic.ErrClosed) {
				t.Errorf("%t, %v", more, ch.Err())
			}
		}
	}
	if retired, err := p.Audit(); retired != 0 || err != nil {
		t.Errorf("%d chunks are retired: %v", retired, err)
	}
}

// A loop over messages that is left releases nothing that its body did not, and holds nothing.
func TestMessagesHoldsNothing(t *testing.T) {
	both(t, messagesHolds[note, *note], messagesHolds[frame, *frame])
}

func messagesHolds[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 16})
	p, s := w.publisher(), w.subscriber(topic.SubscriberOptions{})
	w.send(p, 1, 6)
	c, cancel := context.WithCancel(limited(t))
	defer cancel()
	n := int64(0)
	for m, err := range s.Messages(c) {
		must(t, err)
		n++
		if got := M(m.Data()).get(); got != n {
			t.Errorf("%d, want %d", got, n)
		}
		must(t, m.Release())
		if n == 3 {
			break
		}
	}
	ends := 0
	for m, err := range s.Messages(c) {
		if err != nil {
			ends++
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			continue
		}
		n++
		must(t, m.Release())
		if n == 5 {
			cancel()
		}
	}
	if n != 5 || ends != 1 || s.Hazards() != 0 {
		t.Errorf("%d messages, %d ends, %d hazards", n, ends, s.Hazards())
	}
	w.receive(s, 6, 6)
}

// A channel with room for more messages than may be held waits for those who have them, and goes on.
func TestAChannelWaitsForWhatIsHeld(t *testing.T) {
	both(t, slowChannel[note, *note], slowChannel[frame, *frame])
}

func slowChannel[T any, M message[T]](t *testing.T) {
	const all = 24
	w := newWorld[T, M](t, topic.Options{Depth: 32, Held: 2})
	p, s := w.publisher(), w.subscriber(topic.SubscriberOptions{})
	c, cancel := context.WithCancel(limited(t))
	defer cancel()
	w.send(p, 1, all)
	// Two of them hold up each other as well.
	a, b := s.Channel(c, 8), s.Channel(c, 0)
	seen := map[int64]bool{}
	for len(seen) < all {
		var m topic.Message[T]
		var ok bool
		select {
		case m, ok = <-a.C:
		case m, ok = <-b.C:
		}
		if !ok {
			t.Fatalf("after %d: %v, %v", len(seen), a.Err(), b.Err())
		}
		shmtest.Eventually(t, "both views are held", func() bool {
			return len(seen) >= all-2 || s.Views() == 2 && s.Full() > 0
		})
		seen[M(m.Data()).get()] = true
		must(t, m.Release())
	}
	// Who waits for a view to be released goes away with its context.
	w.send(p, 1, 8)
	shmtest.Eventually(t, "both views are held", func() bool { return s.Views() == 2 && s.Full() > 0 })
	cancel()
	must(t, s.Close())
	for _, ch := range []*topic.Channel[topic.Message[T]]{a, b} {
		if _, more := <-ch.C; more || !errors.Is(ch.Err(), context.Canceled) {
			t.Errorf("%t, %v", more, ch.Err())
		}
	}
}
