package main

import (
	"errors"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/queue"
)

// queueTrip is two queues, one for each direction, by copy.
func queueTrip() work {
	return work{
		name: "queue", op: "64 bytes there and back, two queues, by copy", n: 1_000, free: true,
		parent: func(r *room) (side, error) { return openTrip(r, "there", "back") },
		child:  func(r *room) (side, error) { return openTrip(r, "back", "there") },
	}
}

func openQueue(r *room, name string) (*queue.Queue[message], error) {
	return queue.Open[message](name, &queue.Options{Dir: r.dir})
}

type trip struct {
	r       *room
	first   bool
	out, in *queue.Queue[message]
	seq     uint64
}

func openTrip(r *room, out, in string) (side, error) {
	o, err := openQueue(r, out)
	if err != nil {
		return nil, err
	}
	i, err := openQueue(r, in)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return &trip{r: r, first: out == "there", out: o, in: i}, nil
}

func (t *trip) run(n int, check bool) error {
	var m message
	for range n {
		t.seq++
		if t.first {
			m.set(t.seq, check)
			if err := t.out.Push(t.r.ctx, &m); err != nil {
				return err
			}
		}
		if err := pop(t.r, t.in, &m); err != nil {
			return err
		}
		if err := m.is(t.seq, check); err != nil {
			return err
		}
		if !t.first {
			if err := t.out.Push(t.r.ctx, &m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *trip) close() error { return errors.Join(t.out.Close(), t.in.Close()) }

// pop takes the next item, by copy.
func pop(r *room, q *queue.Queue[message], m *message) error {
	item, err := q.Pop(r.ctx)
	if err != nil {
		return err
	}
	*m = *item.Data()
	return item.Done()
}

// queueStream is one queue, as fast as the slower of both sides.
func queueStream() work {
	return work{
		name: "queue-stream", op: "64 bytes one way, a queue, by copy", n: 5_000, inverse: true, free: true,
		parent: func(r *room) (side, error) { return openQueueFlow(r, true) },
		child:  func(r *room) (side, error) { return openQueueFlow(r, false) },
	}
}

// A queueFlow pushes or pops; at the end of a run the parent waits until the child has all.
type queueFlow struct {
	r      *room
	pushes bool
	q      *queue.Queue[message]
	done   *shmkit.TypedView[line] // the last that the child had at the end of a run
	seq    uint64
}

func openQueueFlow(r *room, pushes bool) (side, error) {
	q, err := openQueue(r, "stream")
	if err != nil {
		return nil, err
	}
	done, err := shmkit.View[line](r.mem, 0)
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return &queueFlow{r: r, pushes: pushes, q: q, done: done}, nil
}

func (f *queueFlow) run(n int, check bool) error {
	var m message
	for range n {
		f.seq++
		if f.pushes {
			m.set(f.seq, check)
			if err := f.q.Push(f.r.ctx, &m); err != nil {
				return err
			}
			continue
		}
		if err := pop(f.r, f.q, &m); err != nil {
			return err
		}
		if err := m.is(f.seq, check); err != nil {
			return err
		}
	}
	return f.r.finish(&f.done.Data().word, f.seq, f.pushes)
}

func (f *queueFlow) close() error { return errors.Join(f.done.Close(), f.q.Close()) }
