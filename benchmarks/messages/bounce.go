package main

import (
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit"
)

// bounce is the floor in Go: one word, which the parent makes odd and the child even.
func bounce() work {
	return work{
		name: "bounce", op: "one cache line there and back, Go", n: 20_000,
		parent: func(r *room) (side, error) { return newBouncer(r, 1) },
		child:  func(r *room) (side, error) { return newBouncer(r, 0) },
	}
}

// A line is a word that has a cache line, and its neighbour, to itself.
type line struct {
	_    structs.HostLayout
	word atomic.Uint64
	_    [120]byte
}

type bouncer struct {
	r    *room
	view *shmkit.TypedView[line]
	next uint64 // what it writes next
}

func newBouncer(r *room, first uint64) (side, error) {
	view, err := shmkit.View[line](r.mem, 0)
	if err != nil {
		return nil, err
	}
	return &bouncer{r, view, first}, nil
}

// run has nothing to check beyond what it waits for anyway.
func (b *bouncer) run(n int, _ bool) error {
	word := &b.view.Data().word
	if b.next%2 == 0 { // the child, which begins with 0, answers 1 by 2
		for range n {
			b.next += 2
			if err := b.r.await(word, b.next-1); err != nil {
				return err
			}
			word.Store(b.next)
		}
		return nil
	}
	for range n {
		word.Store(b.next)
		if err := b.r.await(word, b.next+1); err != nil {
			return err
		}
		b.next += 2
	}
	return nil
}

func (b *bouncer) close() error { return b.view.Close() }
