package report

import (
	"math"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
	"github.com/shmkit/shmkit/internal/kind"
)

// A unit is what numbers are of: how they are written, and which ones a grid has lines at.
type unit struct {
	name  string
	write func(float64) string
	base  float64 // of the prefixes: 1000, or 1024 of bytes
}

var (
	times  = unit{"", duration, 1000}
	rates  = unit{"per second", func(v float64) string { return bytesOf(v) + "/s" }, 1024}
	sizes  = unit{"", bytesOf, 1024}
	counts = unit{"", bench.Count, 1000}
)

// duration is a time in nanoseconds, as in "1.36 µs".
func duration(ns float64) string {
	s := bench.Seconds(ns)
	at := len(strings.TrimRight(s, "nµms"))
	number, prefix := s[:at], s[at:]
	if prefix == "s" {
		return number + " s"
	}
	return number + " " + prefix + "s"
}

func bytesOf(v float64) string { return kind.Bytes(v).Human() }

// An axis has numbers on a line of the drawing, ten times as much being as far from each other everywhere.
type axis struct {
	low, high float64 // numbers
	from, to  float64 // where they are
	unit      unit
}

// newAxis has room for some numbers, all of them more than 0.
func newAxis(all []float64, u unit) axis {
	if len(all) == 0 {
		return axis{1, 10, 0, 0, u}
	}
	low, high := slices.Min(all)*0.85, slices.Max(all)*1.18
	if high < 4*low { // a line or two are to be seen
		low, high = low/2, high*2
	}
	return axis{low, high, 0, 0, u}
}

// exactly is an axis from one number to another.
func exactly(low, high float64, u unit) axis {
	if low == high {
		low, high = low/2, high*2
	}
	return axis{low, high, 0, 0, u}
}

// placed is the axis between two places.
func (a axis) placed(from, to float64) axis {
	a.from, a.to = from, to
	return a
}

func (a axis) at(v float64) float64 {
	v = min(max(v, a.low), a.high)
	return a.from + (a.to-a.from)*math.Log(v/a.low)/math.Log(a.high/a.low)
}

// grid is where there are lines: at 1, 10, 100 of each unit, and between them if those are few.
func (a axis) grid() []float64 {
	ticks := a.steps(1)
	if len(ticks) < 3 {
		ticks = a.steps(1, 2, 5)
	}
	return ticks
}

func (a axis) steps(digits ...float64) (ticks []float64) {
	for prefix := math.Pow(a.unit.base, -1); prefix <= a.high; prefix *= a.unit.base {
		for ten := 1.0; ten < 1000; ten *= 10 {
			for _, digit := range digits {
				if v := prefix * ten * digit; v >= a.low && v <= a.high && v < prefix*a.unit.base {
					ticks = append(ticks, v)
				}
			}
		}
	}
	return ticks
}

// spread moves places apart that are closer than gap, as little as possible in their order, within bounds.
func spread(places []float64, gap, low, high float64) []float64 {
	order := make([]int, len(places))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case places[i] < places[j]:
			return -1
		case places[i] > places[j]:
			return 1
		}
		return 0
	})
	// Clusters of places that touch, each around the middle of what its members want.
	type cluster struct{ sum, n float64 }
	top := func(c cluster) float64 { return min(max(c.sum/c.n-(c.n-1)*gap/2, low), high-(c.n-1)*gap) }
	var all []cluster
	for _, i := range order {
		all = append(all, cluster{places[i], 1})
		for len(all) > 1 {
			x, y := all[len(all)-2], all[len(all)-1]
			if top(x)+x.n*gap <= top(y) {
				break
			}
			all = append(all[:len(all)-2], cluster{x.sum + y.sum, x.n + y.n})
		}
	}
	moved := make([]float64, len(places))
	k := 0
	for _, c := range all {
		for j := range int(c.n) {
			moved[order[k]] = top(c) + float64(j)*gap
			k++
		}
	}
	return moved
}
