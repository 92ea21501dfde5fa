package main

import (
	"errors"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/topic"
)

// topicTrips are two topics, one for each direction, with messages that are copied: of more and of
// less than one cache line, and such that have a chunk, which are written and read in place.
func topicTrips() []work {
	return []work{
		tripOf[message]("topic", "64 bytes there and back, two topics, spinning", 2),
		tripOf[short]("topic-48", "48 bytes there and back, two topics, spinning", 1.5),
		{
			name: "topic-chunk", op: "256 bytes there and back, by loan and view, spinning", n: 5_000, asked: 3.2,
			parent: func(r *room) (side, error) { return openChunkTrip(r, true) },
			child:  func(r *room) (side, error) { return openChunkTrip(r, false) },
		},
	}
}

func tripOf[T any, P payload[T]](name, op string, asked float64) work {
	return work{
		name: name, op: op, n: 5_000, asked: asked,
		parent: func(r *room) (side, error) { return openTopicTrip[T, P](r, true) },
		child:  func(r *room) (side, error) { return openTopicTrip[T, P](r, false) },
	}
}

// names returns what a side writes to and what it reads.
func directions(first bool) (out, in string) {
	if first {
		return "there", "back"
	}
	return "back", "there"
}

// ends opens a publisher of one topic and a subscriber of another.
func ends[T any](r *room, first bool, o topic.Options) (*topic.Publisher[T], *topic.Subscriber[T], error) {
	out, in := directions(first)
	o.Dir = r.dir
	p, err := topic.NewPublisher[T](out, &o)
	if err != nil {
		return nil, nil, err
	}
	s, err := topic.NewSubscriber[T](in, &topic.SubscriberOptions{Topic: &o})
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, s, nil
}

type topicSide[T any, P payload[T]] struct {
	r     *room
	first bool
	out   *topic.Publisher[T]
	in    *topic.Subscriber[T]
	seq   uint64
}

func openTopicTrip[T any, P payload[T]](r *room, first bool) (side, error) {
	p, s, err := ends[T](r, first, topic.Options{})
	if err != nil {
		return nil, err
	}
	return &topicSide[T, P]{r: r, first: first, out: p, in: s}, nil
}

func (t *topicSide[T, P]) run(n int, check bool) error {
	var m T
	for range n {
		t.seq++
		if t.first {
			P(&m).set(t.seq, check)
			if err := t.out.Send(t.r.ctx, &m); err != nil {
				return err
			}
		}
		if _, err := t.in.Read(t.r.ctx, &m); err != nil {
			return err
		}
		if err := P(&m).is(t.seq, check); err != nil {
			return err
		}
		if !t.first {
			if err := t.out.Send(t.r.ctx, &m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *topicSide[T, P]) close() error { return errors.Join(t.in.Close(), t.out.Close()) }

// A chunkSide is one whose messages are in chunks.
type chunkSide struct{ topicSide[chunky, *chunky] }

func openChunkTrip(r *room, first bool) (side, error) {
	p, s, err := ends[chunky](r, first, topic.Options{})
	if err != nil {
		return nil, err
	}
	return &chunkSide{topicSide[chunky, *chunky]{r: r, first: first, out: p, in: s}}, nil
}

func (t *chunkSide) send(check bool) error {
	l, err := t.out.Loan(t.r.ctx)
	if err != nil {
		return err
	}
	l.Data().set(t.seq, check)
	return l.Publish()
}

func (t *chunkSide) receive(check bool) error {
	m, err := t.in.Receive(t.r.ctx)
	if err != nil {
		return err
	}
	return errors.Join(m.Data().is(t.seq, check), m.Release())
}

func (t *chunkSide) run(n int, check bool) (err error) {
	for range n {
		t.seq++
		if t.first {
			err = t.send(check)
		}
		if err == nil {
			err = t.receive(check)
		}
		if err == nil && !t.first {
			err = t.send(check)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// topicStreams are messages one way, one by one and in batches.
func topicStreams() []work {
	one := func(name, op string, batch, n int, asked float64) work {
		return work{
			name: name, op: op, n: n, inverse: true, asked: asked,
			parent: func(r *room) (side, error) { return openTopicFlow(r, true, batch) },
			child:  func(r *room) (side, error) { return openTopicFlow(r, false, batch) },
		}
	}
	return []work{
		one("topic-stream", "64 bytes one way, a topic, one by one", 1, 20_000, 2.2),
		one("topic-batch", "64 bytes one way, a topic, 64 at a time", 64, 64_000, 7),
	}
}

type topicFlow struct {
	r    *room
	out  *topic.Publisher[message]
	in   *topic.Subscriber[message]
	all  []message
	done *shmkit.TypedView[line]
	seq  uint64
}

func openTopicFlow(r *room, sends bool, batch int) (side, error) {
	done, err := shmkit.View[line](r.mem, 0)
	if err != nil {
		return nil, err
	}
	f := &topicFlow{r: r, all: make([]message, batch), done: done}
	// The subscriber comes second, and before the first message.
	t, err := topic.OpenOrCreate[message]("stream", &topic.Options{Dir: r.dir})
	if err == nil && sends {
		f.out, err = t.Publisher()
	} else if err == nil {
		f.in, err = t.Subscriber(nil)
	}
	if err != nil {
		return nil, err
	}
	return f, t.Close()
}

func (f *topicFlow) run(n int, check bool) (err error) {
	for n > 0 {
		got := min(n, len(f.all))
		if f.out != nil {
			for i := range f.all[:got] {
				f.all[i].set(f.seq+1+uint64(i), check)
			}
			if len(f.all) == 1 {
				err = f.out.Send(f.r.ctx, &f.all[0])
			} else {
				_, err = f.out.SendBatch(f.r.ctx, f.all[:got])
			}
		} else {
			if len(f.all) == 1 {
				_, err = f.in.Read(f.r.ctx, &f.all[0])
			} else {
				got, err = f.in.ReadBatch(f.r.ctx, f.all[:got])
			}
			for i := 0; i < got && err == nil; i++ {
				err = f.all[i].is(f.seq+1+uint64(i), check)
			}
		}
		if err != nil {
			return err
		}
		f.seq += uint64(got)
		n -= got
	}
	return f.r.finish(&f.done.Data().word, f.seq, f.out != nil)
}

func (f *topicFlow) close() error {
	if f.out != nil {
		return errors.Join(f.out.Close(), f.done.Close())
	}
	return errors.Join(f.in.Close(), f.done.Close())
}
