package main

import (
	"context"
	"slices"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/memfd"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/topic"
)

// A path is something whose instructions are counted: one thread does both sides of it, so that nobody waits.
type path struct {
	name  string
	about string
	// many is how many times as long as others one takes, 1 if it is 0.
	many int
	// open prepares it, with a directory for names, and returns what does n operations.
	open func(dir string) (func(n int) error, error)
}

// A small message, and one that has a chunk.
type (
	small [64]byte
	large [4096]byte
)

const batch = 64

func (p path) worth() int { return max(p.many, 1) }

// morePaths are those of tests.
var morePaths []path

func paths() []path {
	return slices.Concat(morePaths, topicPaths(), queuePaths(), lockPaths(), mappingPaths())
}

// loop does one thing many times.
func loop(do func() error) func(int) error {
	return func(n int) error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

func topicEnds[T any](dir string) (*topic.Publisher[T], *topic.Subscriber[T], error) {
	o := &topic.Options{Dir: dir}
	p, err := topic.NewPublisher[T]("gate", o)
	if err != nil {
		return nil, nil, err
	}
	s, err := topic.NewSubscriber[T]("gate", &topic.SubscriberOptions{Topic: o})
	return p, s, err
}

func topicPaths() []path {
	ctx := context.Background()
	return []path{
		{name: "topic", about: "64 bytes to a topic and out of it, by copy", open: func(dir string) (func(int) error, error) {
			p, s, err := topicEnds[small](dir)
			if err != nil {
				return nil, err
			}
			var m small
			return loop(func() error {
				if err := p.Send(ctx, &m); err != nil {
					return err
				}
				_, err := s.Read(ctx, &m)
				return err
			}), nil
		}},
		{name: "topic-batch", about: "64 messages of 64 bytes to a topic and out of it", many: 20, open: func(dir string) (func(int) error, error) {
			p, s, err := topicEnds[small](dir)
			if err != nil {
				return nil, err
			}
			all := make([]small, batch)
			return loop(func() error {
				if _, err := p.SendBatch(ctx, all); err != nil {
					return err
				}
				_, err := s.ReadBatch(ctx, all)
				return err
			}), nil
		}},
		{name: "topic-loan", about: "4 KiB to a topic by loan, and looked at in a view; not touched", open: func(dir string) (func(int) error, error) {
			p, s, err := topicEnds[large](dir)
			if err != nil {
				return nil, err
			}
			return loop(func() error {
				l, err := p.Loan(ctx)
				if err != nil {
					return err
				}
				if err := l.Publish(); err != nil {
					return err
				}
				m, err := s.Receive(ctx)
				if err != nil {
					return err
				}
				return m.Release()
			}), nil
		}},
	}
}

func queuePaths() []path {
	ctx := context.Background()
	return []path{{name: "queue", about: "64 bytes pushed, popped, and done with", open: func(dir string) (func(int) error, error) {
		q, err := queue.Open[small]("gate", &queue.Options{Dir: dir})
		if err != nil {
			return nil, err
		}
		var m small
		return loop(func() error {
			if err := q.Push(ctx, &m); err != nil {
				return err
			}
			item, err := q.Pop(ctx)
			if err != nil {
				return err
			}
			return item.Done()
		}), nil
	}}}
}

func lockPaths() []path {
	ctx := context.Background()
	return []path{
		{name: "mutex", about: "Lock and Unlock of a Mutex", open: func(dir string) (func(int) error, error) {
			mu, err := pshared.OpenMutex("gate", &pshared.Options{Dir: dir})
			if err != nil {
				return nil, err
			}
			return loop(func() error {
				if err := mu.Lock(ctx); err != nil {
					return err
				}
				return mu.Unlock()
			}), nil
		}},
		{name: "rwmutex-read", about: "RLock and RUnlock of an RWMutex", open: func(dir string) (func(int) error, error) {
			mu, err := pshared.OpenRWMutex("gate", &pshared.Options{Dir: dir})
			if err != nil {
				return nil, err
			}
			return loop(func() error {
				if err := mu.RLock(ctx); err != nil {
					return err
				}
				return mu.RUnlock()
			}), nil
		}},
		{name: "rwmutex-write", about: "Lock and Unlock of an RWMutex", open: func(dir string) (func(int) error, error) {
			mu, err := pshared.OpenRWMutex("gate", &pshared.Options{Dir: dir})
			if err != nil {
				return nil, err
			}
			return loop(func() error {
				if err := mu.Lock(ctx); err != nil {
					return err
				}
				return mu.Unlock()
			}), nil
		}},
		{name: "semaphore", about: "Acquire and Release of a permit", open: func(dir string) (func(int) error, error) {
			s, err := pshared.OpenSemaphore("gate", 2, &pshared.Options{Dir: dir})
			if err != nil {
				return nil, err
			}
			return loop(func() error {
				if err := s.Acquire(ctx, 1); err != nil {
					return err
				}
				return s.Release(1)
			}), nil
		}},
	}
}

func mappingPaths() []path {
	open := func(do func(m *shmkit.Mapping) (func() error, error)) func(string) (func(int) error, error) {
		return func(string) (func(int) error, error) {
			f, err := memfd.Create("gate", 4096, memfd.DefaultSeals)
			if err != nil {
				return nil, err
			}
			m, err := f.Map(nil)
			if err != nil {
				return nil, err
			}
			one, err := do(m)
			return loop(one), err
		}
	}
	return []path{
		{name: "readat", about: "64 bytes out of a Mapping", open: open(func(m *shmkit.Mapping) (func() error, error) {
			b := make([]byte, 64)
			return func() error {
				_, err := m.ReadAt(b, 128)
				return err
			}, nil
		})},
		{name: "load64", about: "an atomic load out of a Mapping", open: open(func(m *shmkit.Mapping) (func() error, error) {
			return func() error {
				_, err := m.Load64(128)
				return err
			}, nil
		})},
		{name: "guard", about: "a function called by Guard", open: open(func(m *shmkit.Mapping) (func() error, error) {
			var sum byte
			return func() error {
				return shmkit.Guard(func() { sum += m.Bytes()[5] })
			}, nil
		})},
	}
}
