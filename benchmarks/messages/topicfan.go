package main

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/topic"
)

// topicFan is a topic with many subscribers, each of which holds a view and goes on.
func topicFan() fan {
	return fan{
		name: "topic-fan", op: "64 bytes to a topic", receivers: []int{1, 8, 64},
		sender: func(r *room) (fanSender, error) {
			t, err := share(r)
			if err != nil {
				return nil, err
			}
			p, err := t.Publisher()
			return &topicFanSender{r: r, p: p, t: t}, err
		},
		receiver: func(r *room) (fanReceiver, error) {
			t, err := share(r)
			if err != nil {
				return nil, err
			}
			s, err := t.Subscriber(nil)
			return &topicFanReceiver{r: r, s: s, t: t}, err
		},
	}
}

// A sharedTopic is a handle that all receivers of a process have, as those of a program would. The
// last closes it.
type sharedTopic struct {
	*topic.Topic[message]
	r     *room
	users int
}

// shared are those of the rooms that this process is in.
var shared = map[*room]*sharedTopic{}

func share(r *room) (*sharedTopic, error) {
	t := shared[r]
	if t == nil {
		opened, err := topic.OpenOrCreate[message]("fan", &topic.Options{Dir: r.dir, Depth: 2 * burst})
		if err != nil {
			return nil, err
		}
		t = &sharedTopic{Topic: opened, r: r}
		shared[r] = t
	}
	t.users++
	return t, nil
}

func (t *sharedTopic) close() error {
	if t.users--; t.users > 0 {
		return nil
	}
	delete(shared, t.r)
	return t.Close()
}

type topicFanSender struct {
	r *room
	p *topic.Publisher[message]
	t *sharedTopic
}

func (f *topicFanSender) send(from uint64, n int, check bool) error {
	var m message
	for seq := from; seq < from+uint64(n); seq++ {
		m.set(seq, check)
		if err := f.p.Send(f.r.ctx, &m); err != nil {
			return err
		}
	}
	return nil
}

func (f *topicFanSender) close() error { return errors.Join(f.p.Close(), f.t.close()) }

type topicFanReceiver struct {
	r    *room
	s    *topic.Subscriber[message]
	t    *sharedTopic
	held topic.Message[message]
}

func (f *topicFanReceiver) take(from uint64, n int, check bool) error {
	for seq := from; seq < from+uint64(n); seq++ {
		m, err := f.s.Receive(f.r.ctx)
		if err != nil {
			return err
		}
		if err := m.Data().is(seq, check); err != nil {
			return err
		}
		if m.Missed != 0 {
			return fmt.Errorf("message %d: %d missed", seq, m.Missed)
		}
		if err := f.release(); err != nil {
			return err
		}
		f.held = m
	}
	return nil
}

func (f *topicFanReceiver) release() error {
	if f.held.Data() == nil {
		return nil
	}
	return f.held.Release()
}

func (f *topicFanReceiver) close() error { return errors.Join(f.release(), f.s.Close(), f.t.close()) }
