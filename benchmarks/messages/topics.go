package main

import (
	"errors"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/topic"
)

// topicTrip is two topics, one for each direction, by copy.
func topicTrip() work {
	return work{
		name: "topic", op: "64 bytes there and back, two topics, spinning", n: 5_000, asked: 2.5,
		parent: func(r *room) (side, error) { return openTopicTrip(r, true) },
		child:  func(r *room) (side, error) { return openTopicTrip(r, false) },
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

type topicSide struct {
	r     *room
	first bool
	out   *topic.Publisher[message]
	in    *topic.Subscriber[message]
	seq   uint64
}

func openTopicTrip(r *room, first bool) (side, error) {
	p, s, err := ends[message](r, first, topic.Options{})
	if err != nil {
		return nil, err
	}
	return &topicSide{r: r, first: first, out: p, in: s}, nil
}

func (t *topicSide) run(n int, check bool) error {
	var m message
	for range n {
		t.seq++
		if t.first {
			m.set(t.seq, check)
			if err := t.out.Send(t.r.ctx, &m); err != nil {
				return err
			}
		}
		if _, err := t.in.Read(t.r.ctx, &m); err != nil {
			return err
		}
		if err := m.is(t.seq, check); err != nil {
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

func (t *topicSide) close() error { return errors.Join(t.in.Close(), t.out.Close()) }

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
		one("topic-stream", "64 bytes one way, a topic, one by one", 1, 20_000, 2),
		one("topic-batch", "64 bytes one way, a topic, 64 at a time", 64, 64_000, 6),
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
