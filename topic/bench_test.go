package topic_test

import (
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// What the calls cost when nobody else is about. What they cost between processes is measured in
// benchmarks/messages.

func BenchmarkSendSmall(b *testing.B) {
	w := newWorld[note, *note](b, topic.Options{Dir: shmtest.Dir(b)})
	p := w.publisher()
	var m note
	for b.Loop() {
		if err := p.TrySend(&m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSendAndReadSmall(b *testing.B) {
	w := newWorld[note, *note](b, topic.Options{Dir: shmtest.Dir(b)})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	var m note
	for b.Loop() {
		err := p.TrySend(&m)
		if _, e := s.TryRead(&m); err != nil || e != nil {
			b.Fatal(err, e)
		}
	}
}

func BenchmarkSendAndReceive(b *testing.B) {
	w := newWorld[note, *note](b, topic.Options{Dir: shmtest.Dir(b)})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	var m note
	for b.Loop() {
		err := p.TrySend(&m)
		v, e := s.TryReceive()
		if err != nil || e != nil || v.Release() != nil {
			b.Fatal(err, e)
		}
	}
}

func BenchmarkNothingToRead(b *testing.B) {
	w := newWorld[note, *note](b, topic.Options{Dir: shmtest.Dir(b)})
	w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	var m note
	for b.Loop() {
		if _, err := s.TryRead(&m); err != topic.ErrEmpty {
			b.Fatal(err)
		}
	}
}
