package report

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/bench"
)

// A Column is a figure in a table of rows.
type Column struct {
	Heading string
	Wide    bool                    // only where there is room
	Text    func(*bench.Row) string // "" if there is none
}

// Columns are all there are, but for what a row is.
func Columns() []Column {
	percentile := func(get func(*bench.Percentiles) int64) func(*bench.Row) string {
		return func(r *bench.Row) string {
			if r.Times == nil {
				return ""
			}
			return bench.Seconds(float64(get(r.Times)))
		}
	}
	untimed := func(text func(*bench.Row) string) func(*bench.Row) string {
		return func(r *bench.Row) string {
			if r.Times != nil {
				return ""
			}
			return text(r)
		}
	}
	return []Column{
		{"P50", false, percentile(func(p *bench.Percentiles) int64 { return p.P50 })},
		{"P90", true, percentile(func(p *bench.Percentiles) int64 { return p.P90 })},
		{"P99", false, percentile(func(p *bench.Percentiles) int64 { return p.P99 })},
		{"P99.9", false, percentile(func(p *bench.Percentiles) int64 { return p.P999 })},
		{"MAX", false, percentile(func(p *bench.Percentiles) int64 { return p.Max })},
		{"EACH", false, untimed(func(r *bench.Row) string { return bench.Seconds(r.Nanoseconds.Median) })},
		{"HALF OF ALL", true, func(r *bench.Row) string {
			return bench.Seconds(r.Nanoseconds.Low) + "–" + bench.Seconds(r.Nanoseconds.High)
		}},
		{"×", false, func(r *bench.Row) string { return bench.Factor(r.Ratio) }},
		{"PER SEC", false, untimed(func(r *bench.Row) string { return bench.Count(r.PerSecond) })},
		{"BYTES/s", false, untimed(func(r *bench.Row) string {
			if r.BytesPerSecond == 0 {
				return ""
			}
			return bytesOf(r.BytesPerSecond)
		})},
		{"CPU", false, func(r *bench.Row) string { return bench.Seconds(r.CPU) }},
		{"SENDER", false, func(r *bench.Row) string {
			if r.Sender == 0 {
				return ""
			}
			return bench.Seconds(r.Sender)
		}},
		{"CALLS", false, func(r *bench.Row) string {
			if r.Calls == nil {
				return ""
			}
			return fmt.Sprintf("%.1f", *r.Calls)
		}},
		{"SLEEPS", true, func(r *bench.Row) string { return fmt.Sprintf("%.1f", r.Sleeps) }},
		{"MEM", false, func(r *bench.Row) string {
			if r.Memory == nil {
				return ""
			}
			return bytesOf(float64(*r.Memory))
		}},
	}
}

// A Table is rows as text.
type Table struct {
	Headings []string // without that of names
	Lines    []Line
	// Not is what was not possible, and why.
	Not []Line
}

// A Line is a row of a table.
type Line struct {
	Name  string
	About string
	Cells []string // or one: why there are none
	// Best: no other took less.
	Best bool
	Ours bool
	Yard bool
}

// NewTable makes a table of rows that are compared with each other, and leaves out columns without anything in
// them. With wide it has all others.
func NewTable(rows []*bench.Row, wide bool) Table {
	var t Table
	rows = append([]*bench.Row(nil), rows...)
	Sort(rows)
	best := Best(rows)
	var done []*bench.Row
	for _, r := range rows {
		l := Line{Name: r.Name(), About: r.About, Best: r == best, Ours: r.Ours, Yard: r.Yardstick}
		if r.Impossible != "" {
			l.Cells = []string{r.Impossible}
			t.Not = append(t.Not, l)
			continue
		}
		done, t.Lines = append(done, r), append(t.Lines, l)
	}
	for _, c := range Columns() {
		if c.Wide && !wide {
			continue
		}
		cells, any := make([]string, len(done)), false
		for i, r := range done {
			cells[i] = c.Text(r)
			any = any || cells[i] != ""
		}
		if !any {
			continue
		}
		t.Headings = append(t.Headings, c.Heading)
		for i := range done {
			if cells[i] == "" {
				cells[i] = "-"
			}
			t.Lines[i].Cells = append(t.Lines[i].Cells, cells[i])
		}
	}
	return t
}
