package main

import (
	"context"
	"errors"
	"time"
)

// A bench measures works.
type bench struct {
	all      []work // where bases are found
	at       place
	duration time.Duration // of each work
	least    int           // slices of each
	// rounds is how often both processes of a work are started anew. How fast a word is that stands
	// alone depends on its address, which is another one each time.
	rounds int
	// shorter is how many times shorter slices are than the works have them, 1 at least.
	shorter int
}

// run measures the works one after the other and tells each row when it is there. It is to run in
// its place.
func (b *bench) run(ctx context.Context, chosen []work, tell func(row)) (err error) {
	f, err := startFloor(ctx, b.at)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.close()); ctx.Err() != nil {
			err = context.Cause(ctx) // all others come from it
		}
	}()
	for _, w := range chosen {
		var c comparison
		for range b.rounds {
			if err := b.round(ctx, w, f, &c); err != nil {
				return err
			}
		}
		tell(w.row(c))
	}
	return nil
}

// round starts what is needed, measures, and ends it.
func (b *bench) round(ctx context.Context, w work, f *floor, c *comparison) (err error) {
	ours, err := b.start(ctx, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	c.allocations = max(c.allocations, ours.allocations)
	var base slicer = f
	if w.base != "" {
		of, err := find(b.all, w.base)
		if err != nil {
			return err
		}
		other, err := b.start(ctx, of)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, other.close()) }()
		base = other
	}
	return c.measure(ctx, ours, base, b.duration/time.Duration(b.rounds), (b.least+b.rounds-1)/b.rounds)
}

// start starts a pair and makes sure that it does what it should.
func (b *bench) start(ctx context.Context, w work) (*pair, error) {
	parts := w.cut()
	w.n = max(w.n/parts/b.shorter, 1) * parts
	p, err := startPair(ctx, w, b.at)
	if err != nil {
		return nil, err
	}
	if err := p.verify(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}
