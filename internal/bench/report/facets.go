package report

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// A facet is what rows of one chart have in common.
type facet struct {
	size, receivers int
	touched         bool
	group           string
	wait            bench.Wait
}

// A direction is what the lines of a plot go along.
type direction struct {
	unit unit
	of   func(*bench.Row) int
	not  func(*facet) // of which the facets of a plot do not differ
}

var (
	alongReceivers = direction{unit{"receivers", counts.write, 1000}, func(r *bench.Row) int { return r.Receivers }, func(f *facet) { f.receivers = 0 }}
	alongSizes     = direction{unit{"size of a message", sizes.write, 1024}, func(r *bench.Row) int { return r.Size }, func(f *facet) { f.size = 0 }}
)

// facetsOf sorts rows into facets, yardsticks into all that differ in wait alone.
func facetsOf(rows []*bench.Row, not func(*facet)) (order []facet, members map[facet][]*bench.Row) {
	members = map[facet][]*bench.Row{}
	of := func(r *bench.Row) facet {
		f := facet{r.Size, r.Receivers, r.Touched, r.Group, r.Wait}
		not(&f)
		return f
	}
	for _, r := range rows {
		if f := of(r); !r.Yardstick && !slices.Contains(order, f) {
			order = append(order, f)
		}
	}
	for _, r := range rows {
		own := of(r)
		for _, f := range order {
			other := f
			if r.Yardstick {
				other.wait = own.wait
			}
			if other == own {
				members[f] = append(members[f], r)
			}
		}
	}
	return order, members
}

// caption says what sets a facet apart among others.
func (f facet) caption(among []facet) string {
	differ := func(of func(facet) any) bool {
		return slices.ContainsFunc(among, func(g facet) bool { return of(g) != of(f) })
	}
	var s []string
	if f.group != "" {
		s = append(s, f.group)
	}
	if f.size > 0 && differ(func(f facet) any { return f.size }) {
		s = append(s, bytesOf(float64(f.size)))
	}
	if f.receivers > 0 && differ(func(f facet) any { return f.receivers }) {
		s = append(s, "to "+bench.Count(float64(f.receivers))+" at once")
	}
	if differ(func(f facet) any { return f.touched }) {
		if f.touched {
			s = append(s, "all bytes written and read")
		} else {
			s = append(s, "8 bytes written and read")
		}
	}
	switch f.wait {
	case bench.Spin:
		s = append(s, "asking again and again (spin)")
	case bench.Block:
		s = append(s, "waiting in the call that sleeps")
	}
	return upper(strings.Join(s, ", "))
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// drawPlots draws a figure of rows along a direction, a plot for each facet, with one axis for all.
func drawPlots(rows []*bench.Row, along direction, m measure, looks looks) (all []template.HTML) {
	if rows = measured(rows, m); len(rows) == 0 {
		return nil
	}
	order, members := facetsOf(rows, along.not)
	var xs, ys []float64
	for _, r := range rows {
		xs, ys = append(xs, float64(along.of(r))), append(ys, m.of(r))
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	for _, f := range order {
		p := plot{title: cmp.Or(f.caption(order), m.title), x: exactly(xs[0], xs[len(xs)-1], along.unit), y: newAxis(ys, m.unit), ticks: xs, yName: m.name}
		index := map[string]int{}
		for _, r := range members[f] {
			i, known := index[r.Way]
			if !known {
				i = len(p.lines)
				index[r.Way] = i
				p.lines = append(p.lines, series{name: r.Way, look: looks.of(r)})
			}
			p.lines[i].points = append(p.lines[i].points, [2]float64{float64(along.of(r)), m.of(r)})
		}
		for _, s := range p.lines {
			slices.SortFunc(s.points, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
		}
		all = append(all, drawPlot(p))
	}
	return all
}

// measured are the rows that have a figure.
func measured(rows []*bench.Row, m measure) (some []*bench.Row) {
	for _, r := range rows {
		if r.Impossible == "" && m.of(r) > 0 {
			some = append(some, r)
		}
	}
	return some
}

// distinct is how many numbers rows have.
func distinct(rows []*bench.Row, of func(*bench.Row) int) int {
	seen := map[int]bool{}
	for _, r := range rows {
		if r.Impossible == "" && of(r) > 0 {
			seen[of(r)] = true
		}
	}
	return len(seen)
}
