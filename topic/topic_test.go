package topic_test

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// note is a message that stands in its slot, frame one that has a chunk. Numbers are
// repeated at the end, so that a torn one shows.
type note struct {
	N    int64
	Text [20]byte
	_    [4]byte
	Last int64
}

type frame struct {
	N    int64
	Text [4096]byte
	Last int64
}

// A message is a note or a frame.
type message[T any] interface {
	*T
	set(n int64)
	get() int64 // -1: it is torn
}

func (m *note) set(n int64) { stamp(&m.N, m.Text[:], &m.Last, n) }
func (m *note) get() int64  { return stamped(m.N, m.Text[:], m.Last) }

func (m *frame) set(n int64) { stamp(&m.N, m.Text[:], &m.Last, n) }
func (m *frame) get() int64  { return stamped(m.N, m.Text[:], m.Last) }

// stamp writes a number all over a message, and stamped returns it, -1 if not all of it is of one.
func stamp(first *int64, text []byte, last *int64, n int64) {
	*first, *last = n, n
	for i := range text {
		text[i] = byte(n)
	}
}

func stamped(first int64, text []byte, last int64) int64 {
	for _, b := range text {
		if b != byte(first) {
			return -1
		}
	}
	if first != last {
		return -1
	}
	return first
}

// both runs a test with messages that stand in their slots, and with such as do not.
func both(t *testing.T, notes, frames func(t *testing.T)) {
	t.Run("in slots", notes)
	t.Run("in chunks", frames)
}

// A world is a topic, and what one test does with it.
type world[T any, M message[T]] struct {
	t     testing.TB
	dir   string
	topic *topic.Topic[T]
}

func newWorld[T any, M message[T]](t testing.TB, o topic.Options) *world[T, M] {
	t.Helper()
	if o.Dir == "" {
		o.Dir = shmtest.Dir(t)
	}
	p, err := topic.OpenOrCreate[T]("news", &o)
	must(t, err)
	t.Cleanup(func() { mustClose(t, p) })
	return &world[T, M]{t: t, dir: o.Dir, topic: p}
}

func mustClose(t testing.TB, c interface{ Close() error }) {
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func (w *world[T, M]) publisher() *topic.Publisher[T] {
	w.t.Helper()
	p, err := w.topic.Publisher()
	must(w.t, err)
	w.t.Cleanup(func() { mustClose(w.t, p) })
	return p
}

func (w *world[T, M]) subscriber(o topic.SubscriberOptions) *topic.Subscriber[T] {
	w.t.Helper()
	s, err := w.topic.Subscriber(&o)
	must(w.t, err)
	w.t.Cleanup(func() { mustClose(w.t, s) })
	return s
}

func (w *world[T, M]) send(p *topic.Publisher[T], from, to int64) {
	w.t.Helper()
	for n := from; n <= to; n++ {
		var m T
		M(&m).set(n)
		must(w.t, p.TrySend(&m))
	}
}

// receive receives messages by view, which must be these.
func (w *world[T, M]) receive(s *topic.Subscriber[T], from, to int64) {
	w.t.Helper()
	for n := from; n <= to; n++ {
		m, err := s.Receive(limited(w.t))
		must(w.t, err)
		if got := M(m.Data()).get(); got != n {
			w.t.Fatalf("received %d, want %d", got, n)
		}
		must(w.t, m.Release())
	}
}

// read reads messages by copy, which must be these.
func (w *world[T, M]) read(s *topic.Subscriber[T], from, to int64) {
	w.t.Helper()
	for n := from; n <= to; n++ {
		var m T
		_, err := s.TryRead(&m)
		must(w.t, err)
		if got := M(&m).get(); got != n {
			w.t.Fatalf("read %d, want %d", got, n)
		}
	}
}

func (w *world[T, M]) nothing(s *topic.Subscriber[T]) {
	w.t.Helper()
	var m T
	if i, err := s.TryRead(&m); err != topic.ErrEmpty {
		w.t.Fatalf("read %d, %+v, %v", M(&m).get(), i, err)
	}
}

func TestEverySubscriberGetsEveryMessage(t *testing.T) {
	both(t, everySubscriber[note, *note], everySubscriber[frame, *frame])
}

func everySubscriber[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 16})
	p := w.publisher()
	a, b := w.subscriber(topic.SubscriberOptions{}), w.subscriber(topic.SubscriberOptions{BestEffort: true})
	for n := int64(0); n < 500; n += 5 {
		w.send(p, n+1, n+5)
		w.receive(a, n+1, n+5)
		w.read(b, n+1, n+3)
		w.receive(b, n+4, n+5)
	}
	w.nothing(a)
	w.nothing(b)
	if a.Missed() != 0 || b.Missed() != 0 {
		t.Errorf("missed %d, %d", a.Missed(), b.Missed())
	}
}

func TestAReliableSubscriberHoldsThePublisherUp(t *testing.T) {
	both(t, holdsUp[note, *note], holdsUp[frame, *frame])
}

func holdsUp[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 8})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	lazy := w.subscriber(topic.SubscriberOptions{BestEffort: true})
	for n := int64(0); n < 80; n += 8 {
		w.send(p, n+1, n+8)
		var m T
		if err := p.TrySend(&m); err != topic.ErrFull {
			t.Fatalf("full, and sent: %v", err)
		}
		w.receive(s, n+1, n+8)
	}
	must(t, s.Close())
	w.send(p, 81, 120)
	var m T
	i, err := lazy.TryRead(&m)
	must(t, err)
	if got := M(&m).get(); got < 113 || i.Missed != uint64(got)-1 || lazy.Missed() != i.Missed || i.Sequence != uint64(got) {
		t.Fatalf("read %d, %+v, missed %d in all", got, i, lazy.Missed())
	}
	w.read(lazy, M(&m).get()+1, 120)
	w.nothing(lazy)
}

func TestHistoryComesFirst(t *testing.T) {
	both(t, history[note, *note], history[frame, *frame])
}

func history[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 4, History: 12})
	p := w.publisher()
	w.send(p, 1, 5)
	w.read(w.subscriber(topic.SubscriberOptions{BestEffort: true}), 1, 5)
	w.send(p, 6, 100)
	must(t, p.Close()) // and the history is still there
	w.receive(w.subscriber(topic.SubscriberOptions{}), 89, 100)
	w.receive(w.subscriber(topic.SubscriberOptions{History: 3}), 98, 100)
	w.receive(w.subscriber(topic.SubscriberOptions{History: 50}), 89, 100)
	none := w.subscriber(topic.SubscriberOptions{History: -1})
	w.nothing(none)
	q := w.publisher()
	w.send(q, 101, 104)
	w.receive(none, 101, 104)
}

func TestViewsAreReleasedInAnyOrder(t *testing.T) {
	both(t, anyOrder[note, *note], anyOrder[frame, *frame])
}

func anyOrder[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 8, Held: 3})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	w.send(p, 1, 4)
	var held [3]topic.Message[T]
	n, err := s.TryReceiveBatch(held[:])
	must(t, err)
	if n != 3 {
		t.Fatalf("%d", n)
	}
	if _, err := s.TryReceive(); !errors.Is(err, topic.ErrTooMany) {
		t.Fatalf("a fourth view: %v", err)
	}
	if err := s.Close(); !errors.Is(err, topic.ErrHeld) {
		t.Fatalf("closed: %v", err)
	}
	for round := int64(0); round < 100; round++ {
		w.read(s, 4+round, 4+round) // copying needs no view
		w.send(p, 5+round, 5+round)
		for i := range held {
			if got := M(held[i].Data()).get(); got != int64(i)+1 {
				t.Fatalf("view %d shows %d", i+1, got)
			}
		}
	}
	for _, i := range []int{1, 0, 2} {
		must(t, held[i].Release())
		if err := held[i].Release(); !errors.Is(err, topic.ErrNotHeld) {
			t.Fatalf("again: %v", err)
		}
	}
	w.receive(s, 104, 104)
}

func TestALoanIsPublishedOrDropped(t *testing.T) {
	both(t, loan[note, *note], loan[frame, *frame])
}

func loan[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 2, Loans: 2})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	for round := int64(0); round < 50; round++ {
		a, err := p.Loan(ctx)
		must(t, err)
		b, err := p.TryLoan()
		must(t, err)
		if _, err := p.TryLoan(); !errors.Is(err, topic.ErrTooMany) {
			t.Fatalf("a third loan: %v", err)
		}
		if err := p.Close(); !errors.Is(err, topic.ErrHeld) {
			t.Fatalf("closed: %v", err)
		}
		var m T
		if err := p.TrySend(&m); err != topic.ErrFull {
			t.Fatalf("loans have all the room, and sent: %v", err)
		}
		M(a.Data()).set(2*round + 2)
		M(b.Data()).set(2*round + 1)
		must(t, b.Publish())
		if round%2 == 0 {
			must(t, a.Publish())
		} else {
			must(t, a.Drop())
			w.send(p, 2*round+2, 2*round+2)
		}
		for _, err := range []error{a.Publish(), a.Drop(), b.Drop()} {
			if !errors.Is(err, topic.ErrNotHeld) {
				t.Fatalf("again: %v", err)
			}
		}
		w.receive(s, 2*round+1, 2*round+2)
	}
}

func TestBatches(t *testing.T) {
	both(t, batches[note, *note], batches[frame, *frame])
}

func batches[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 8})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	next, read := int64(1), int64(1)
	for round := range int64(60) {
		out := make([]T, 1+round%12)
		for i := range out {
			M(&out[i]).set(next + int64(i))
		}
		n, err := p.TrySendBatch(out)
		must(t, err)
		if n != min(len(out), 8) {
			t.Fatalf("%d of %d sent", n, len(out))
		}
		next += int64(n)
		in := make([]T, 20)
		n, err = s.TryReadBatch(in[:5])
		must(t, err)
		if left := next - read - int64(n); left > 0 {
			more, err := s.ReadBatch(limited(t), in[n:])
			must(t, err)
			n += more
		}
		for i := range n {
			if got := M(&in[i]).get(); got != read {
				t.Fatalf("read %d, want %d", got, read)
			}
			read++
		}
		if read != next {
			t.Fatalf("read up to %d of %d", read, next)
		}
	}
	if _, err := s.TryReadBatch(make([]T, 3)); err != topic.ErrEmpty {
		t.Fatal(err)
	}
}
