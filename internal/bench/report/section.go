package report

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// A section is what the page says of a suite.
type section struct {
	Name, About string
	Best        []versus
	Groups      []chartGroup
	Contests    []contest
}

// A chartGroup is charts that are looked at together.
type chartGroup struct {
	Title  string
	Wide   bool // each over the whole page
	Charts []template.HTML
	More   []template.HTML // which are not shown at once
}

// charts of a group that are shown at once.
const (
	plotsAtOnce = 4
	wideAtOnce  = 1
)

func (s *section) add(title string, wide bool, charts []template.HTML) {
	if len(charts) == 0 {
		return
	}
	n := plotsAtOnce
	if wide {
		n = wideAtOnce
	}
	n = min(n, len(charts))
	s.Groups = append(s.Groups, chartGroup{title, wide, charts[:n], charts[n:]})
}

// sectionsOf sorts rows by suite.
func sectionsOf(rows []*bench.Row) (all []*section) {
	var names []string
	bySuite := map[string][]*bench.Row{}
	for _, r := range rows {
		if !slices.Contains(names, r.Suite) {
			names = append(names, r.Suite)
		}
		bySuite[r.Suite] = append(bySuite[r.Suite], r)
	}
	looks := looksOf(rows)
	for _, name := range names {
		s := &section{Name: name, About: bench.About(name)}
		rows := bySuite[name]
		s.Contests = contestsOf(rows)
		s.Best = bestOf(s.Contests)
		s.draw(rows, looks)
		all = append(all, s)
	}
	return all
}

// draw adds the charts for what rows have.
func (s *section) draw(rows []*bench.Row, looks looks) {
	main := typical
	if slices.ContainsFunc(rows, func(r *bench.Row) bool { return r.BytesPerSecond > 0 && r.Times == nil && r.Receivers == 0 }) {
		main = throughput
	}
	lines := true
	switch {
	case distinct(rows, alongReceivers.of) > 1:
		s.add("By receivers", false, slices.Concat(drawPlots(rows, alongReceivers, typical, looks),
			drawPlots(rows, alongReceivers, sender, looks), drawPlots(rows, alongReceivers, processor, looks)))
	case distinct(rows, alongSizes.of) > 1:
		s.add("By size", false, drawPlots(rows, alongSizes, main, looks))
	default:
		lines = false
	}
	var percentiles, bars []template.HTML
	for _, c := range s.Contests {
		rows := measured(c.rows, main)
		if len(rows) == 0 {
			continue
		}
		title := upper(c.About)
		if title == "" {
			title = upper(s.Name)
		}
		timed := !slices.ContainsFunc(rows, func(r *bench.Row) bool { return r.Times == nil })
		if timed {
			percentiles = append(percentiles, drawPercentiles(title, rows, looks))
		} else if !lines {
			bars = append(bars, drawBars(title, main, rows, looks))
		}
	}
	s.add("Single operations", true, percentiles)
	if len(bars) > 0 { // these are all there is to see
		s.Groups = append(s.Groups, chartGroup{"", true, bars, nil})
	}
}

// A contest is rows that were compared with each other, yardsticks first, then the fastest.
type contest struct {
	Title, About string
	rows         []*bench.Row
}

func contestsOf(rows []*bench.Row) (all []contest) {
	for _, r := range rows {
		title := bench.Title(r.Trial)
		// Messages of eight bytes have one title, all of them touched or not.
		i := slices.IndexFunc(all, func(c contest) bool { return c.Title == title && c.rows[0].Touched == r.Touched })
		if i < 0 {
			_, about, _ := strings.Cut(title, ": ")
			i, all = len(all), append(all, contest{Title: title, About: about})
		}
		all[i].rows = append(all[i].rows, r)
	}
	for _, c := range all {
		Sort(c.rows)
	}
	return all
}

// Sort puts yardsticks first, then the fastest, and at the end what was not possible.
func Sort(rows []*bench.Row) {
	rank := func(r *bench.Row) int {
		switch {
		case r.Impossible != "":
			return 2
		case r.Yardstick:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(rows, func(a, b *bench.Row) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Typical(), b.Typical()))
	})
}

// Best is the row of a contest that took the least, nil if there is none. Yardsticks take no part, nor what does
// less than the others.
func Best(rows []*bench.Row) *bench.Row {
	return bestWhere(rows, func(*bench.Row) bool { return true })
}

func bestWhere(rows []*bench.Row, ok func(*bench.Row) bool) (best *bench.Row) {
	for _, r := range rows {
		if r.Impossible == "" && !r.Yardstick && !r.Shared && r.Operations > 0 && ok(r) && (best == nil || r.Typical() < best.Typical()) {
			best = r
		}
	}
	return best
}

// A versus is the kernel's best beside ours.
type versus struct {
	What                 string
	Kernel, Ours         string
	KernelTime, OursTime string
	Factor               string
}

// bestOf compares those that wait alike. Where messages were made both ways it is of those whose bytes
// were all written and read.
func bestOf(all []contest) (found []versus) {
	touched := slices.ContainsFunc(all, func(c contest) bool { return c.rows[0].Touched })
	for _, c := range all {
		if touched && !c.rows[0].Touched {
			continue
		}
		for _, wait := range []bench.Wait{bench.Block, bench.Spin, ""} {
			of := func(ours bool) *bench.Row {
				return bestWhere(c.rows, func(r *bench.Row) bool { return r.Ours == ours && r.Wait == wait })
			}
			kernel, ours := of(false), of(true)
			if kernel == nil || ours == nil {
				continue
			}
			what := c.About
			if what == "" {
				what = c.rows[0].Suite
			}
			what = strings.TrimSuffix(what, ", all of them written and read")
			switch wait {
			case bench.Block:
				what += ", in the call that sleeps"
			case bench.Spin:
				what += ", asking again and again"
			}
			found = append(found, versus{upper(what), kernel.Way, ours.Way, figure(kernel), figure(ours), bench.Factor(kernel.Typical() / ours.Typical())})
		}
	}
	return found
}

// figure is what a row is looked at for.
func figure(r *bench.Row) string {
	if r.Times == nil && r.BytesPerSecond > 0 && r.Receivers == 0 {
		return bytesOf(r.BytesPerSecond) + "/s"
	}
	return duration(r.Typical())
}
