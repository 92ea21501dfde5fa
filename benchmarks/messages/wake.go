package main

import (
	"bytes"
	"context"
	"os"
	"slices"
	"structs"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// A sleeper is a way to sleep until a message comes, of which the time is measured from just
// before the call that sends it until its receiver runs.
type sleeper interface {
	// sleep waits, in the child, for message number k, of 1, 2, …, and reports whether it is
	// the right one if check is asked for.
	sleep(k uint64, check bool) error
	// wake sends message number k, in the parent.
	wake(k uint64) error
	close() error
}

// wakes is a work of wake-ups. What both sides share of the room's memory beyond the first 512
// bytes is the sleeper's.
func wakes(w work, open func(r *room, parent bool) (sleeper, error)) work {
	w.n, w.parts = 20, 1
	w.parent = func(r *room) (side, error) { return newWaker(r, true, open) }
	w.child = func(r *room) (side, error) { return newWaker(r, false, open) }
	return w
}

// A stamp is when the child ran because of which message.
type stamp struct {
	_      structs.HostLayout
	seenAt atomic.Int64
	seen   atomic.Uint64
	_      [112]byte
}

type waker struct {
	r      *room
	parent bool
	stamp  *shmkit.TypedView[stamp]
	way    sleeper
	k      uint64
	thread *os.File // the status of the child's thread
	all    []int64  // of the last run
}

func newWaker(r *room, parent bool, open func(*room, bool) (sleeper, error)) (side, error) {
	s, err := shmkit.View[stamp](r.mem, 0)
	if err != nil {
		return nil, err
	}
	way, err := open(r, parent)
	if err != nil {
		return nil, err
	}
	return &waker{r: r, parent: parent, stamp: s, way: way}, nil
}

func (w *waker) run(n int, check bool) error {
	w.all = w.all[:0]
	for range n {
		w.k++
		var err error
		if w.parent {
			err = w.wake()
		} else {
			err = w.sleep(check)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *waker) sleep(check bool) error {
	if err := w.way.sleep(w.k, check); err != nil {
		return err
	}
	s := w.stamp.Data()
	s.seenAt.Store(int64(sys.MonotonicNow()))
	s.seen.Store(w.k)
	return nil
}

func (w *waker) wake() error {
	if err := w.asleep(); err != nil {
		return err
	}
	s := w.stamp.Data()
	begin := int64(sys.MonotonicNow())
	if err := w.way.wake(w.k); err != nil {
		return err
	}
	if err := w.r.await(&s.seen, w.k); err != nil {
		return err
	}
	w.all = append(w.all, s.seenAt.Load()-begin)
	return nil
}

// calm is how long a thread has slept before it is woken.
const calm = 20 * time.Microsecond

// asleep waits until the child's thread sleeps, and then a little.
func (w *waker) asleep() (err error) {
	if w.thread == nil {
		if w.thread, err = os.Open(w.r.peer + "/stat"); err != nil {
			return err
		}
	}
	var text [128]byte
	for state := byte('R'); state != 'S'; {
		if w.r.ctx.Err() != nil {
			return context.Cause(w.r.ctx)
		}
		n, err := w.thread.ReadAt(text[:], 0)
		if n == 0 && err != nil {
			return err
		}
		// "812 (messages) S …"
		if at := bytes.IndexByte(text[:n], ')'); at >= 0 && at+2 < n {
			state = text[at+2]
		}
	}
	for begin := time.Now(); time.Since(begin) < calm; {
	}
	return nil
}

// took is the median: one of many is late by a lot.
func (w *waker) took() float64 {
	slices.Sort(w.all)
	return float64(w.all[len(w.all)/2])
}

func (w *waker) close() error {
	if w.thread != nil {
		if err := w.thread.Close(); err != nil {
			return err
		}
	}
	if err := w.way.close(); err != nil {
		return err
	}
	return w.stamp.Close()
}
