package topic_test

import (
	"testing"

	"github.com/shmkit/shmkit/topic"
)

// Who sleeps is woken by those who make what it sleeps for: it need not look again by itself, as it does
// because of deaths.
func TestWhoSleepsIsWoken(t *testing.T) {
	both(t, woken[note, *note], woken[frame, *frame])
}

func woken[T any, M message[T]](t *testing.T) {
	for name, makeRoom := range map[string]func(s *topic.Subscriber[T]) error{
		"by who reads": func(s *topic.Subscriber[T]) error { return second(s.TryRead(new(T))) },
		"by who receives": func(s *topic.Subscriber[T]) error {
			m, err := s.TryReceive()
			must(t, err)
			return m.Release()
		},
		"by who leaves": func(s *topic.Subscriber[T]) error { return s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld[T, M](t, topic.Options{Depth: 1, Publishers: 1, Subscribers: 1})
			p := w.publisher()
			slow := w.subscriber(topic.SubscriberOptions{})
			w.send(p, 1, 1)
			defer topic.Blind()()
			sending := begin(func() error { return p.Send(limited(t), new(T)) })
			asleep(t, w.dir, 1, nil)
			must(t, makeRoom(slow))
			must(t, <-sending)
		})
	}
	t.Run("by who drops a loan", func(t *testing.T) {
		w := newWorld[T, M](t, topic.Options{Depth: 1, Publishers: 1, Subscribers: 1})
		p := w.publisher()
		l, err := p.TryLoan()
		must(t, err)
		defer topic.Blind()()
		sending := begin(func() error { return p.Send(limited(t), new(T)) })
		asleep(t, w.dir, 1, nil)
		must(t, l.Drop())
		must(t, <-sending)
	})
	for name, publish := range map[string]func(p *topic.Publisher[T]) error{
		"by a copy":  func(p *topic.Publisher[T]) error { return p.TrySend(new(T)) },
		"by a batch": func(p *topic.Publisher[T]) error { return second(p.TrySendBatch(make([]T, 3))) },
		"by a loan": func(p *topic.Publisher[T]) error {
			l, err := p.TryLoan()
			must(t, err)
			return l.Publish()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld[T, M](t, topic.Options{Subscribers: 2})
			p := w.publisher()
			defer topic.Blind()()
			var reading []<-chan error
			for range 2 {
				s := w.subscriber(topic.SubscriberOptions{})
				reading = append(reading, begin(func() error { return second(s.Read(limited(t), new(T))) }))
			}
			asleep(t, w.dir, 2, nil)
			must(t, publish(p))
			for _, r := range reading {
				must(t, <-r)
			}
		})
	}
}

func second[A any](_ A, err error) error { return err }
