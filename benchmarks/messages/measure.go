package main

import (
	"context"
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
	allocations     float64   // an operation, both processes together; the most of all rounds
}

// measure adds slices of ours and of base by turns, until the time is over and there are so many of
// ours that count, or the time is over three times. Each slice of ours is divided by the mean of
// the base's before and after it.
func (c *comparison) measure(ctx context.Context, ours, base slicer, d time.Duration, least int) error {
	// The first ones bring things to where they were before others ran.
	if _, err := ours.slice(); err != nil {
		return err
	}
	before, err := base.slice()
	if err != nil {
		return err
	}
	counted := len(c.ratio)
	for begin := time.Now(); ; {
		since := time.Since(begin)
		if since > 3*d || since > d && len(c.ratio)-counted >= least {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		ns, err := ours.slice()
		if err != nil {
			return err
		}
		after, err := base.slice()
		if err != nil {
			return err
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
