package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// disagree is how far apart the base before a slice and the base after it may be. Beyond that
// the host has moved a core meanwhile, or somebody else had it.
const disagree = 1.5

// A slicer is what can be measured for some milliseconds, and sleeps in between.
type slicer interface {
	// slice returns nanoseconds an operation.
	slice() (float64, error)
}

// quartiles are the median of many and what half of them lie between.
type quartiles struct {
	Low    float64 `json:"low"`
	Median float64 `json:"median"`
	High   float64 `json:"high"`
}

func quartilesOf(all []float64) quartiles {
	if len(all) == 0 {
		return quartiles{}
	}
	s := slices.Sorted(slices.Values(all))
	at := func(part float64) float64 {
		x := part * float64(len(s)-1)
		i := int(math.Floor(x))
		if i+1 == len(s) {
			return s[i]
		}
		return s[i] + (x-float64(i))*(s[i+1]-s[i])
	}
	return quartiles{at(0.25), at(0.5), at(0.75)}
}

// A comparison is what came of slices of two things by turns.
type comparison struct {
	ns, base, ratio []float64 // of the slices that count
	thrown          int       // slices whose neighbours disagree
}

// compare measures ours and base by turns until the time is over and there are at least so many
// slices of ours that count, or the time is over three times. Each slice of ours is divided by the
// mean of the base's before and after it.
func compare(ctx context.Context, ours, base slicer, d time.Duration, least int) (c comparison, err error) {
	// The first ones bring things to where they were before others ran.
	if _, err := ours.slice(); err != nil {
		return c, err
	}
	before, err := base.slice()
	if err != nil {
		return c, err
	}
	for begin := time.Now(); ; {
		if since := time.Since(begin); since > 3*d && c.thrown >= least || since > d && len(c.ratio) >= least {
			return c, nil
		}
		if ctx.Err() != nil {
			return c, context.Cause(ctx)
		}
		ns, err := ours.slice()
		if err != nil {
			return c, err
		}
		after, err := base.slice()
		if err != nil {
			return c, err
		}
		c.add(before, ns, after)
		before = after
	}
}

// add takes one slice, or throws it away.
func (c *comparison) add(before, ns, after float64) {
	if max(before, after) > disagree*min(before, after) {
		c.thrown++
		return
	}
	base := (before + after) / 2
	c.ns, c.base, c.ratio = append(c.ns, ns), append(c.base, base), append(c.ratio, ns/base)
}

// A row is what came of a work. Times are nanoseconds an operation.
type row struct {
	Work        string    `json:"work"`
	Operation   string    `json:"operation"`
	Base        string    `json:"base"` // the work it is measured in, or floor
	NS          quartiles `json:"ns"`
	BaseNS      quartiles `json:"base_ns"`
	Ratio       quartiles `json:"ratio"`               // of time to the base's
	PerBase     quartiles `json:"per_base"`            // operations in the time of one of the base's
	MiBs        float64   `json:"mib_per_s,omitempty"` // of what is moved, median
	Allocations float64   `json:"allocations"`         // an operation, both processes together
	Slices      int       `json:"slices"`              // that count
	Thrown      int       `json:"thrown"`              // because the base before and after disagree
	Asked       string    `json:"asked,omitempty"`
	Kept        *bool     `json:"kept,omitempty"`

	inverse bool
}

// A bench measures works.
type bench struct {
	all      []work // where bases are found
	at       place
	duration time.Duration // of each work
	least    int           // slices of each
}

// run measures the works one after the other and tells each row when it is there. It is to run in
// its place.
func (b *bench) run(ctx context.Context, chosen []work, tell func(row)) (err error) {
	f, err := startFloor(ctx, b.at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for _, w := range chosen {
		r, err := b.measure(ctx, w, f)
		if err != nil {
			return err
		}
		tell(r)
	}
	return nil
}

func (b *bench) measure(ctx context.Context, w work, f *floor) (_ row, err error) {
	ours, allocations, err := b.start(ctx, w)
	if err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	var base slicer = f
	if w.base != "" {
		of, err := find(b.all, w.base)
		if err != nil {
			return row{}, err
		}
		other, _, err := b.start(ctx, of)
		if err != nil {
			return row{}, err
		}
		defer func() { err = errors.Join(err, other.close()) }()
		base = other
	}
	c, err := compare(ctx, ours, base, b.duration, b.least)
	if err != nil {
		return row{}, err
	}
	return w.row(c, allocations), nil
}

// start starts a pair and makes sure that it does what it should.
func (b *bench) start(ctx context.Context, w work) (*pair, float64, error) {
	p, err := startPair(ctx, w, b.at)
	if err != nil {
		return nil, 0, err
	}
	allocations, err := p.verify()
	if err != nil {
		return nil, 0, errors.Join(err, p.close())
	}
	return p, allocations, nil
}

// row makes a row of what was measured.
func (w work) row(c comparison, allocations float64) row {
	inverse := func(x float64) float64 {
		if x == 0 {
			return 0
		}
		return 1 / x
	}
	r := row{
		Work: w.name, Operation: w.op, Base: w.base, inverse: w.inverse,
		NS: quartilesOf(c.ns), BaseNS: quartilesOf(c.base), Ratio: quartilesOf(c.ratio),
		Allocations: allocations, Slices: len(c.ratio), Thrown: c.thrown,
	}
	r.PerBase = quartiles{inverse(r.Ratio.High), inverse(r.Ratio.Median), inverse(r.Ratio.Low)}
	if w.base == "" {
		r.Base = "floor"
	}
	if w.moved > 0 {
		r.MiBs = float64(w.moved) / (1 << 20) * 1e9 * inverse(r.NS.Median)
	}
	if w.asked != 0 {
		r.ask(w.asked)
	}
	return r
}
