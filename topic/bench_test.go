package topic_test

import (
	"context"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// What the calls cost when nobody else is about. What they cost between processes is measured in
// benchmarks/messages.

func BenchmarkSendSmall(b *testing.B) {
	w := newWorld[note, *note](b, topic.Options{Dir: shmtest.Dir(b)})
	p := w.publisher()
	var m note
	defer topic.Unpointed()()
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
	defer topic.Unpointed()()
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
	defer topic.Unpointed()()
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
	defer topic.Unpointed()()
	for b.Loop() {
		if _, err := s.TryRead(&m); err != topic.ErrEmpty {
			b.Fatal(err)
		}
	}
}

// Two goroutines that wake each other.
func BenchmarkAsleep(b *testing.B) {
	w := newWorld[note, *note](b, topic.Options{Dir: shmtest.Dir(b)})
	back := newWorld[note, *note](b, topic.Options{Dir: shmtest.Dir(b)})
	there, in := w.publisher(), w.subscriber(topic.SubscriberOptions{})
	answer, out := back.publisher(), back.subscriber(topic.SubscriberOptions{})
	c, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var m note
		for {
			if _, err := in.Read(c, &m); err != nil {
				return
			}
			time.Sleep(150 * time.Microsecond) // sleep-ok: longer than the other side looks before it sleeps, which is what is measured
			if err := answer.Send(c, &m); err != nil {
				return
			}
		}
	}()
	var m note
	b.ReportAllocs()
	for b.Loop() {
		if err := there.Send(c, &m); err != nil {
			b.Fatal(err)
		}
		if _, err := out.Read(c, &m); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	<-done
}

func BenchmarkSendBatch(b *testing.B) {
	w := newWorld[line64, *line64](b, topic.Options{Dir: shmtest.Dir(b)})
	p := w.publisher()
	m := make([]line64, 64)
	defer topic.Unpointed()()
	for b.Loop() {
		if _, err := p.TrySendBatch(m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/msg")
}

func BenchmarkSendAndReadBatch(b *testing.B) {
	w := newWorld[line64, *line64](b, topic.Options{Dir: shmtest.Dir(b)})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	m := make([]line64, 64)
	defer topic.Unpointed()()
	for b.Loop() {
		_, err := p.TrySendBatch(m)
		if _, e := s.TryReadBatch(m); err != nil || e != nil {
			b.Fatal(err, e)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/msg")
}

// line64 is a message of 64 bytes.
type line64 struct{ n [8]int64 }

func (m *line64) set(n int64) { m.n[0], m.n[7] = n, n }

func (m *line64) get() int64 { return m.n[0] }

func BenchmarkLoanAndReceiveLarge(b *testing.B) {
	w := newWorld[frame, *frame](b, topic.Options{Dir: shmtest.Dir(b), Depth: 8, Subscribers: 8, Held: 2, Loans: 2})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{})
	defer topic.Unpointed()()
	for b.Loop() {
		l, err := p.TryLoan()
		if err != nil || l.Publish() != nil {
			b.Fatal(err)
		}
		m, err := s.TryReceive()
		if err != nil || m.Release() != nil {
			b.Fatal(err)
		}
	}
}
