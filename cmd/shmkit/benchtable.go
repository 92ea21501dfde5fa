package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
	"github.com/shmkit/shmkit/internal/kind"
)

// benchColumn is a column of a table of rows, which is there if a row has something in it.
type benchColumn struct {
	heading string
	wide    bool // only where there is room
	text    func(*bench.Row) string
}

// benchColumns are all there are, but for what a row is.
func benchColumns() []benchColumn {
	times := func(get func(*bench.Percentiles) int64) func(*bench.Row) string {
		return func(r *bench.Row) string {
			if r.Times == nil {
				return ""
			}
			return bench.Seconds(float64(get(r.Times)))
		}
	}
	return []benchColumn{
		{"P50", false, times(func(p *bench.Percentiles) int64 { return p.P50 })},
		{"P90", true, times(func(p *bench.Percentiles) int64 { return p.P90 })},
		{"P99", false, times(func(p *bench.Percentiles) int64 { return p.P99 })},
		{"P99.9", false, times(func(p *bench.Percentiles) int64 { return p.P999 })},
		{"MAX", false, times(func(p *bench.Percentiles) int64 { return p.Max })},
		{"EACH", false, func(r *bench.Row) string {
			if r.Times != nil {
				return ""
			}
			return bench.Seconds(r.Nanoseconds.Median)
		}},
		{"HALF OF ALL", true, func(r *bench.Row) string {
			return bench.Seconds(r.Nanoseconds.Low) + "–" + bench.Seconds(r.Nanoseconds.High)
		}},
		{"×", false, func(r *bench.Row) string { return bench.Factor(r.Ratio) }},
		{"PER SEC", false, func(r *bench.Row) string {
			if r.Times != nil {
				return ""
			}
			return bench.Count(r.PerSecond)
		}},
		{"BYTES/s", false, func(r *bench.Row) string {
			if r.Times != nil || r.BytesPerSecond == 0 {
				return ""
			}
			return kind.Bytes(r.BytesPerSecond).Human()
		}},
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
			return kind.Bytes(*r.Memory).Human()
		}},
	}
}

// roomForAll is how wide a terminal is that has room for all columns.
const roomForAll = 120

// printRows prints rows that were compared with each other: yardsticks, then the fastest first.
func (b *benching) printRows(rows []*bench.Row) error {
	if _, err := fmt.Fprintln(b.out, b.bold(bench.Title(rows[0].Trial))); err != nil {
		return err
	}
	var measured, impossible []*bench.Row
	for _, r := range rows {
		if r.Impossible != "" {
			impossible = append(impossible, r)
		} else {
			measured = append(measured, r)
		}
	}
	slices.SortStableFunc(measured, func(x, y *bench.Row) int {
		if x.Yardstick != y.Yardstick {
			if x.Yardstick {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.Typical(), y.Typical())
	})
	t := &table{columns: []kind.Column{{Heading: "WAY"}}, rows: make([][]string, len(measured))}
	for i, r := range measured {
		t.rows[i] = []string{r.Name()}
	}
	wide := columns(b.out) >= roomForAll
	for _, c := range benchColumns() {
		if c.wide && !wide {
			continue
		}
		b.addColumn(t, c, measured)
	}
	if err := t.write(b.out, b.app, "  "); err != nil {
		return err
	}
	for _, r := range impossible {
		if _, err := fmt.Fprintf(b.out, "  %s: not possible: %s\n", r.Name(), oneLine(r.Impossible)); err != nil {
			return err
		}
	}
	return nil
}

// addColumn adds a column if there is anything in it.
func (b *benching) addColumn(t *table, c benchColumn, rows []*bench.Row) {
	cells := make([]string, len(rows))
	for i, r := range rows {
		if cells[i] = c.text(r); cells[i] == "" {
			cells[i] = "-"
		}
	}
	if !slices.ContainsFunc(cells, func(s string) bool { return s != "-" }) {
		return
	}
	t.columns = append(t.columns, kind.Column{Heading: c.heading, Right: true})
	for i := range t.rows {
		t.rows[i] = append(t.rows[i], cells[i])
	}
}

// legend says what the tables mean, and where they come from.
func (b *benching) legend(res *bench.Result) error {
	if b.toJSON == "-" {
		return nil
	}
	m := res.Machine
	text := fmt.Sprintf("%s, %s, Linux %s, %s, %s.", m.CPU, plural(m.CPUs, "CPU", "CPUs"), m.Kernel, m.Go, m.Place)
	lines := append(wrapText(text, textWidth), wrapText(bench.Legend, textWidth)...)
	_, err := fmt.Fprint(b.out, "\n", strings.Join(lines, "\n"), "\n")
	return err
}
