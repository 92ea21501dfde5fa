package main

import (
	"errors"

	"github.com/shmkit/shmkit/topic"
)

// topicWake is a subscriber that sleeps.
func topicWake() work {
	w := work{name: "topic-wake", op: "asleep to running by a message of 64 bytes", base: "futex", asked: 1.2}
	return wakes(w, func(r *room, parent bool) (sleeper, error) {
		t, err := topic.OpenOrCreate[message]("wake", &topic.Options{Dir: r.dir})
		if err != nil {
			return nil, err
		}
		s := &topicSleeper{r: r}
		if parent {
			s.p, err = t.Publisher()
		} else {
			s.s, err = t.Subscriber(nil)
		}
		return s, errors.Join(err, t.Close())
	})
}

type topicSleeper struct {
	r *room
	p *topic.Publisher[message]
	s *topic.Subscriber[message]
}

func (t *topicSleeper) sleep(k uint64, _ bool) error {
	var m message
	if _, err := t.s.Read(t.r.ctx, &m); err != nil {
		return err
	}
	return m.is(k, true)
}

func (t *topicSleeper) wake(k uint64) error {
	var m message
	m.set(k, true)
	return t.p.Send(t.r.ctx, &m)
}

func (t *topicSleeper) close() error {
	if t.p != nil {
		return t.p.Close()
	}
	return t.s.Close()
}
