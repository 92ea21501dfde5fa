package sysv_test

import (
	"context"
	"testing"
	"time"

	"github.com/shmkit/shmkit/sysv"
)

// Nobody else uses the semaphore: what a post and a wait cost by themselves.
func BenchmarkSemaphoreUncontended(b *testing.B) {
	cancellable, cancel := context.WithCancel(background)
	defer cancel()
	timed, cancelTimed := context.WithTimeout(background, time.Hour)
	defer cancelTimed()
	for _, c := range []struct {
		name string
		ctx  context.Context
	}{{"background", background}, {"cancellable", cancellable}, {"deadline", timed}} {
		b.Run(c.name, func(b *testing.B) {
			s := newSemaphores(b, 1)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Op(c.ctx, sysv.Post(0)); err != nil {
					b.Fatal(err)
				}
				if err := s.Op(c.ctx, sysv.Wait(0)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("try", func(b *testing.B) {
		s := newSemaphores(b, 1)
		b.ReportAllocs()
		for b.Loop() {
			if err := s.TryOp(sysv.Post(0)); err != nil {
				b.Fatal(err)
			}
			if err := s.TryOp(sysv.Wait(0)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// One step of several operations, with undo.
func BenchmarkSemaphoreStep(b *testing.B) {
	s := newSemaphores(b, 4)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Op(background, sysv.Post(0).Undo(), sysv.Post(1), sysv.Zero(2)); err != nil {
			b.Fatal(err)
		}
		if err := s.Op(background, sysv.Wait(0).Undo(), sysv.Wait(1), sysv.Zero(3)); err != nil {
			b.Fatal(err)
		}
	}
}

// pingPong measures round trips: semaphore 0 there, semaphore 1 back.
func pingPong(b *testing.B, ctx context.Context, s *sysv.SemaphoreSet) {
	b.Helper()
	b.ResetTimer()
	for range b.N {
		if err := s.Op(background, sysv.Post(0)); err != nil {
			b.Fatal(err)
		}
		if err := s.Op(ctx, sysv.Wait(1)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}

func BenchmarkSemaphorePingPongOfGoroutines(b *testing.B) {
	for _, name := range []string{"background", "cancellable"} {
		b.Run(name, func(b *testing.B) {
			ctx, cancel := background, func() {}
			if name == "cancellable" {
				ctx, cancel = context.WithCancel(background)
			}
			defer cancel()
			s := newSemaphores(b, 2)
			echo := start(func() error {
				for range b.N {
					if err := s.Op(ctx, sysv.Wait(0), sysv.Post(1)); err != nil {
						return err
					}
				}
				return nil
			})
			pingPong(b, ctx, s)
			succeeds(b, result(b, echo))
		})
	}
}

func BenchmarkSemaphorePingPongOfProcesses(b *testing.B) {
	s := newSemaphores(b, 2)
	a := startAgent(b, nil)
	a.begin("sem-echo %d %d", s.ID(), b.N)
	pingPong(b, background, s)
	_, err := a.end()
	succeeds(b, err)
}

func BenchmarkQueueSendAndReceive(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"16B", 16}, {"8KiB", 8192}} {
		b.Run(size.name, func(b *testing.B) {
			q := newQueue(b)
			buf := make([]byte, size.n)
			b.SetBytes(int64(size.n))
			b.ReportAllocs()
			for b.Loop() {
				if err := q.Send(background, 1, buf); err != nil {
					b.Fatal(err)
				}
				if _, _, err := q.Receive(background, sysv.Any(), buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A round trip of two goroutines through one queue: type 1 there, type 2 back.
func BenchmarkQueueRoundTrip(b *testing.B) {
	q := newQueue(b)
	text := make([]byte, 16)
	echo := start(func() error {
		buf := make([]byte, 16)
		for range b.N {
			if _, _, err := q.Receive(background, sysv.Type(1), buf); err != nil {
				return err
			}
			if err := q.Send(background, 2, buf); err != nil {
				return err
			}
		}
		return nil
	})
	buf := make([]byte, 16)
	b.ResetTimer()
	for range b.N {
		if err := q.Send(background, 1, text); err != nil {
			b.Fatal(err)
		}
		if _, _, err := q.Receive(background, sysv.Type(2), buf); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	succeeds(b, result(b, echo))
}
