package main

import (
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit"
)

// bounce is the floor in Go: a word, which the parent makes odd and the child even. As there
// each hundred has another cache line.
func bounce() work {
	return work{
		name: "bounce", op: "one cache line there and back, Go", n: 20_000, memory: 40 * page,
		parent: func(r *room) (side, error) { return newBouncer(r, true) },
		child:  func(r *room) (side, error) { return newBouncer(r, false) },
	}
}

const (
	bounceLines = 256
	bounceBatch = 100
)

// A line is a word that has a cache line, and its neighbour, to itself.
type line struct {
	_    structs.HostLayout
	word atomic.Uint64
	_    [120]byte
}

// A lonely line is one whose neighbours are not fetched along either.
type lonelyLine struct {
	_ structs.HostLayout
	line
	_ [512]byte
}

type bouncer struct {
	r     *room
	lines *shmkit.SliceView[lonelyLine]
	first bool
	trips uint64
}

func newBouncer(r *room, first bool) (side, error) {
	lines, err := shmkit.ViewSlice[lonelyLine](r.mem, 0, bounceLines)
	if err != nil {
		return nil, err
	}
	return &bouncer{r: r, lines: lines, first: first}, nil
}

// run has nothing to check beyond what it waits for anyway.
func (b *bouncer) run(n int, _ bool) error {
	lines := b.lines.Data()
	for range n {
		word := &lines[b.trips/bounceBatch%bounceLines].word
		odd := 2*b.trips + 1
		b.trips++
		if b.first {
			word.Store(odd)
			if err := b.r.await(word, odd+1); err != nil {
				return err
			}
			continue
		}
		if err := b.r.await(word, odd); err != nil {
			return err
		}
		word.Store(odd + 1)
	}
	return nil
}

func (b *bouncer) close() error { return b.lines.Close() }
