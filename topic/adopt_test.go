package topic

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit/internal/words"
	"github.com/shmkit/shmkit/shmtest"
)

// pair is a message that stands in its slot; both are the same, unless it was torn.
type pair struct{ A, B uint64 }

// A pairs is a topic of four slots without history, and its only publisher.
type pairs struct {
	t *testing.T
	*Topic[pair]
	p *Publisher[pair]
}

func newPairs(t *testing.T) *pairs {
	tp, err := Create[pair]("pairs", &Options{Dir: shmtest.Dir(t), Depth: 4, Publishers: 1, Subscribers: 3})
	if err != nil {
		t.Fatal(err)
	}
	w := &pairs{t: t, Topic: tp}
	w.publisher()
	t.Cleanup(func() {
		if err := errors.Join(w.p.Close(), tp.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// publisher closes the publisher, if there is one, and makes another, which adopts the lane.
func (w *pairs) publisher() {
	w.t.Helper()
	if w.p != nil {
		if err := w.p.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	if w.p, err = w.Publisher(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *pairs) subscriber(o SubscriberOptions) *Subscriber[pair] {
	w.t.Helper()
	s, err := w.Subscriber(&o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

func (w *pairs) send(from, to uint64) {
	w.t.Helper()
	for n := from; n <= to; n++ {
		if err := w.p.TrySend(&pair{n, n}); err != nil {
			w.t.Fatalf("message %d: %v", n, err)
		}
	}
}

// joins leaves a seat as a reliable subscriber does that joins, and has not looked at reclaimed yet.
func (w *pairs) joins(seat int, cursor uint64) {
	w.cursors(seat)[0].Store(cursor)
	w.w.highest.Store(uint32(w.seats))
	w.seat(seat).mode.Store(reliable)
}

// A publisher dies while it writes to slots whose messages it has erased. Whoever adopts the lane
// sees the cursor of a subscriber that joins, which is lower, and goes up when that one has looked at reclaimed.
func TestWhatWasErasedStaysErased(t *testing.T) {
	w := newPairs(t)
	s := w.subscriber(SubscriberOptions{BestEffort: true})
	w.send(1, 4)
	l := w.p.l
	if l.room(3) != 3 {
		t.Fatal("no room")
	}
	l.erase(2 * 7)
	words.CopyIn(&l.slot(2 * 7)[messageAt], &[]byte{7, 0, 0, 0, 0, 0, 0, 0}[0], 1) // half of message 7, over 3
	w.joins(2, 2*2)
	w.publisher()
	w.seat(2).mode.Store(0)
	for {
		var m pair
		i, err := s.TryRead(&m)
		if err == ErrEmpty {
			break
		}
		if err != nil || m.A != i.Sequence || m.B != m.A {
			t.Fatalf("message %d: %+v, %v", i.Sequence, m, err)
		}
	}
	if s.Missed() < 3 {
		t.Errorf("missed %d", s.Missed())
	}
}

// The same, and what reclaimed says is relied upon by whoever joins next.
func TestReclaimedNeverGoesBack(t *testing.T) {
	w := newPairs(t)
	w.send(1, 5)
	said := w.p.l.h.reclaimed.Load()
	w.joins(1, 2*2)
	w.publisher()
	w.joins(2, 2*3)
	w.seat(1).mode.Store(0)
	if w.p.l.room(1) != 1 {
		t.Fatal("no room")
	}
	if r := w.p.l.h.reclaimed.Load(); r < said || said != 2*5 {
		t.Errorf("reclaimed is %d, and was %d", r, said)
	}
	w.seat(2).mode.Store(0)
}

// Somebody of the lane has spoilt a slot, whose message nobody has erased: it is told, and not waited
// for.
func TestAMessageThatAdoptClearedIsGoneBehind(t *testing.T) {
	w := newPairs(t)
	s := w.subscriber(SubscriberOptions{})
	w.send(1, 3)
	slotAt(w.p.l.slot(2)).word.Store(0)
	w.publisher()
	var m pair
	if _, err := s.TryRead(&m); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("read %+v, %v", m, err)
	}
	for n := uint64(2); n <= 3; n++ {
		if i, err := s.TryRead(&m); err != nil || m.A != n || i.Missed != 3-n {
			t.Fatalf("read %+v, %+v, %v, want %d", m, i, err, n)
		}
	}
	w.send(4, 7)
}
