package topic_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// within fails the test if f does not come to an end.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(shmtest.Failsafe):
		panic(what + " never ends") // nothing could be closed
	}
}

// A bedlam is a topic whose memory somebody writes to who does not know how.
type bedlam[T any, M message[T]] struct {
	*world[T, M]
	body, messages   []byte // as they are
	image, published []byte // as they were before
}

// newBedlam makes a topic of two lanes and two seats, in which there is history, and nobody any more.
func newBedlam[T any, M message[T]](t testing.TB) *bedlam[T, M] {
	t.Helper()
	b := &bedlam[T, M]{world: newWorld[T, M](t, topic.Options{Depth: 6, History: 2, Publishers: 2, Subscribers: 2, Held: 2, Loans: 2, Timestamps: true})}
	p, err := b.topic.Publisher()
	must(t, err)
	q, err := b.topic.Publisher()
	must(t, err)
	s, err := b.topic.Subscriber(nil)
	must(t, err)
	b.send(p, 1, 5)
	b.send(q, 1, 1)
	m, err := s.TryReceive()
	must(t, err)
	must(t, errors.Join(m.Release(), p.Close(), q.Close(), s.Close()))
	b.body, b.messages, err = b.topic.Raw()
	must(t, err)
	b.image, b.published = append([]byte(nil), b.body...), append([]byte(nil), b.messages...)
	t.Cleanup(b.heal) // so that it can be closed
	return b
}

// heal puts the bytes in place that were there before.
func (b *bedlam[T, M]) heal() {
	copy(b.body, b.image)
	copy(b.messages, b.published)
}

// words calls f with each place in both files that is not in the middle of a message.
func (b *bedlam[T, M]) words(f func(file []byte, at int)) {
	for at := 0; at < len(b.body); at += 4 {
		f(b.body, at)
	}
	for at := range 3 {
		f(b.messages, 4*at)
	}
	for lane := range 2 {
		for at := b.topic.LaneAt(lane); at < b.topic.SlotAt(lane, 0); at += 4 {
			f(b.messages, at)
		}
		for slot := range uint64(8) {
			for at := range 8 {
				f(b.messages, b.topic.SlotAt(lane, 2*slot)+4*at)
			}
		}
	}
}

// A pair is who works while others write what they like.
type pair[T any, M message[T]] struct {
	t testing.TB
	p *topic.Publisher[T]
	s *topic.Subscriber[T]
}

// tolerable reports whether an error is one that hostile memory may cause.
func tolerable(err error) bool {
	for _, may := range []error{nil, topic.ErrEmpty, topic.ErrFull, topic.ErrCorrupt, topic.ErrPublishers, topic.ErrSubscribers, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, may) {
			return true
		}
	}
	return false
}

func (b *bedlam[T, M]) pair(o *topic.SubscriberOptions) (w pair[T, M]) {
	w.t = b.t
	var err error
	if w.p, err = b.topic.Publisher(); !tolerable(err) {
		b.t.Errorf("publishing: %v", err)
	}
	if w.s, err = b.topic.Subscriber(o); !tolerable(err) {
		b.t.Errorf("subscribing: %v", err)
	}
	return w
}

var ended = func() context.Context {
	c, cancel := context.WithCancel(context.Background())
	cancel()
	return c
}()

// work does what can be done, and returns how much of it found something corrupt.
func (w *pair[T, M]) work(c context.Context) (corrupt int) {
	check := func(err error) bool {
		if !tolerable(err) {
			w.t.Errorf("an error of another kind: %v", err)
		}
		if errors.Is(err, topic.ErrCorrupt) {
			corrupt++
		}
		return err == nil
	}
	var m T
	batch := make([]T, 3)
	if w.p != nil {
		check(w.p.TrySend(&m))
		_, err := w.p.TrySendBatch(batch)
		check(err)
		if l, err := w.p.TryLoan(); check(err) {
			M(l.Data()).set(3)
			check(l.Publish())
		}
		if l, err := w.p.TryLoan(); check(err) {
			check(l.Drop())
		}
		check(w.p.Send(c, &m))
	}
	if w.s != nil {
		var views [2]topic.Message[T]
		for range 3 {
			if v, err := w.s.TryReceive(); check(err) {
				M(v.Data()).get()
				check(v.Release())
			}
			_, err := w.s.TryRead(&m)
			check(err)
			n, err := w.s.TryReceiveBatch(views[:])
			check(err)
			for i := range n {
				M(views[i].Data()).get()
				check(views[i].Release())
			}
			_, err = w.s.TryReadBatch(batch)
			check(err)
		}
		if v, err := w.s.Receive(c); check(err) {
			check(v.Release())
		}
		for v, err := range w.s.Messages(ended) {
			if check(err) {
				check(v.Release())
			}
		}
	}
	if w.p != nil {
		check(w.p.Send(c, &m))
		_, err := w.p.Stat()
		check(err)
	}
	return corrupt
}

// A tail beyond what is in the slots, and a slot that says that it was overwritten, look like a
// message, and there is none: who waits for one must hear that its context has ended.
func TestAMessageThatNeverComesKeepsNobodyFromItsContext(t *testing.T) {
	both(t, neverComes[note, *note], neverComes[frame, *frame])
}

func neverComes[T any, M message[T]](t *testing.T) {
	b := newBedlam[T, M](t)
	for _, o := range []*topic.SubscriberOptions{{}, {BestEffort: true}} {
		b.heal()
		s, err := b.topic.Subscriber(o)
		must(t, err)
		batch := make([]T, 3)
		for n := 0; n < 3; { // the history: two of the one lane, and one of the other
			k, err := s.TryReadBatch(batch[n:])
			must(t, err)
			n += k
		}
		b.nothing(s)
		binary.NativeEndian.PutUint64(b.messages[b.topic.LaneAt(0)+64:], 20)    // tail
		binary.NativeEndian.PutUint64(b.messages[b.topic.SlotAt(0, 12):], 14|1) // the next message's slot
		for _, c := range []context.Context{ended, limited(t)} {
			c, cancel := context.WithTimeout(c, time.Millisecond)
			within(t, "a wait for what never comes", func() {
				if _, err := s.Receive(c); !tolerable(err) || c.Err() == nil {
					t.Errorf("%v before the end of the context", err)
				}
				for _, err := range s.Messages(c) {
					if !errors.Is(err, c.Err()) {
						t.Errorf("%v", err)
					}
				}
			})
			cancel()
		}
		must(t, s.Close())
	}
	b.heal()
	b.well()
}

func (w *pair[T, M]) close() {
	if w.p != nil {
		must(w.t, w.p.Close())
	}
	if w.s != nil {
		must(w.t, w.s.Close())
	}
}

// well checks that all works for who comes after it was healed.
func (b *bedlam[T, M]) well() {
	b.t.Helper()
	p, err := b.topic.Publisher()
	must(b.t, err)
	s, err := b.topic.Subscriber(nil)
	must(b.t, err)
	for range 3 { // the history of both lanes
		var m T
		_, err := s.TryRead(&m)
		must(b.t, err)
		if M(&m).get() < 1 {
			b.t.Fatal("history is torn")
		}
	}
	b.send(p, 6, 9)
	b.receive(s, 6, 9)
	must(b.t, errors.Join(p.Close(), s.Close()))
}

// Each word gets values that no member writes there, or that one does elsewhere: while somebody
// works, and before somebody comes.
func TestHostileWords(t *testing.T) {
	both(t, hostileWords[note, *note], hostileWords[frame, *frame])
}

func hostileWords[T any, M message[T]](t *testing.T) {
	b := newBedlam[T, M](t)
	corrupt, done := 0, 0
	poke := func(set func()) {
		for _, early := range []bool{false, true} {
			o := &topic.SubscriberOptions{BestEffort: done%2 == 0}
			done++
			b.heal()
			var w pair[T, M]
			if early {
				w = b.pair(o)
				corrupt += w.work(ended)
			}
			set()
			within(t, "who works with hostile words", func() {
				if !early {
					w = b.pair(o)
				}
				corrupt += w.work(ended)
				set()
				corrupt += w.work(ended)
				w.close()
			})
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b.words(func(file []byte, at int) {
		word := file[at:]
		was := binary.NativeEndian.Uint32(word)
		values := []uint32{0, 1, was + 1, was + 2, was - 2, 1 << 31, 1<<32 - 1, rng.Uint32()}
		switch {
		case shmtest.Soaking():
			values = append(values, 2, 5, was-1, was+16, 1<<20, rng.Uint32(), rng.Uint32())
		case testing.Short():
			values = values[4:]
		}
		for _, v := range values {
			poke(func() { binary.NativeEndian.PutUint32(word, v) })
		}
		if at%8 != 0 {
			return
		}
		for _, v := range []uint64{1<<63 | 1, 1<<64 - 1, 1<<64 - 2, 1 << 62, rng.Uint64()} {
			poke(func() { binary.NativeEndian.PutUint64(word, v) })
		}
		b.heal()
		b.well()
	})
	if corrupt == 0 {
		t.Error("nothing was found corrupt")
	}
	t.Logf("%d times, found corrupt: %d", done, corrupt)
}

// scribble writes into both files at random, until stop.
func (b *bedlam[T, M]) scribble(rng *rand.Rand) {
	file := b.body
	if rng.IntN(2) == 0 {
		file = b.messages[:b.topic.SlotAt(1, 14)+64]
	}
	at := 4 * rng.IntN((len(file)-8)/4)
	switch rng.IntN(4) {
	case 0:
		binary.NativeEndian.PutUint32(file[at:], rng.Uint32())
	case 1:
		binary.NativeEndian.PutUint32(file[at:], rng.Uint32()%40)
	case 2:
		binary.NativeEndian.PutUint64(file[at&^7:], rng.Uint64()%64)
	case 3: // something that stands elsewhere
		from := 8 * rng.IntN(len(file)/8)
		copy(file[at&^7:at&^7+8], file[from:])
	}
}

// Somebody writes noise everywhere all the time while others work.
func TestNoise(t *testing.T) {
	both(t, noise[note, *note], noise[frame, *frame])
}

func noise[T any, M message[T]](t *testing.T) {
	b := newBedlam[T, M](t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds := 60
	if shmtest.Soaking() {
		rounds = 5000
	}
	corrupt := 0
	for round := range rounds {
		b.heal()
		stop := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					b.scribble(rng)
				}
			}
		})
		within(t, "who works amid noise", func() {
			for k := range 4 {
				w := b.pair(&topic.SubscriberOptions{BestEffort: (round+k)%2 == 0})
				for range 4 {
					c, cancel := context.WithTimeout(ctx, 100*time.Microsecond)
					corrupt += w.work(c)
					cancel()
				}
				w.close()
			}
		})
		close(stop)
		all.Wait()
		b.heal()
		b.well()
	}
	t.Logf("found corrupt: %d", corrupt)
}

// FuzzHostileBytes has its input written to both files: where, 2 bytes, and what, 8 bytes.
func FuzzHostileBytes(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{1, 8, 255, 255, 255, 255, 255, 255, 255, 255, 0, 18, 1, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 400 {
			return
		}
		fuzzBytes[note, *note](t, in)
		fuzzBytes[frame, *frame](t, in)
	})
}

func fuzzBytes[T any, M message[T]](t *testing.T, in []byte) {
	b := newBedlam[T, M](t)
	w := b.pair(nil)
	within(t, "who works with hostile bytes", func() {
		w.work(ended)
		for ; len(in) >= 10; in = in[10:] {
			file, at := b.body, 8*int(in[0]&127)
			if in[0]&128 != 0 {
				file, at = b.messages, 8*int(in[1])
			}
			copy(file[at%(len(file)-8):], in[2:10])
			w.work(ended)
		}
		w.close()
		w = b.pair(&topic.SubscriberOptions{BestEffort: true})
		w.work(ended)
		w.close()
	})
	b.heal()
	b.well()
}
