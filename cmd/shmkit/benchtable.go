package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
	"github.com/shmkit/shmkit/internal/bench/report"
	"github.com/shmkit/shmkit/internal/kind"
)

// roomForAll is how wide a terminal is that has room for all columns.
const roomForAll = 120

// printRows prints rows that were compared with each other: yardsticks, then the fastest first, which is bold.
func (b *benching) printRows(w io.Writer, rows []*bench.Row) error {
	if _, err := fmt.Fprintln(w, b.bold(bench.Title(rows[0].Trial))); err != nil {
		return err
	}
	wide := false
	if b.screen != nil {
		columns, _ := b.screen()
		wide = columns >= roomForAll
	}
	of := report.NewTable(rows, wide)
	t := &table{columns: []kind.Column{{Heading: "WAY"}}}
	for _, heading := range of.Headings {
		t.columns = append(t.columns, kind.Column{Heading: heading, Right: true})
	}
	for i, l := range of.Lines {
		t.rows = append(t.rows, append([]string{l.Name}, l.Cells...))
		if l.Best {
			t.boldRow = i + 1
		}
	}
	if len(t.rows) > 0 {
		if err := t.write(w, b.app, "  "); err != nil {
			return err
		}
	}
	for _, l := range of.Not {
		for i, text := range wrapText(l.Name+": not possible: "+oneLine(strings.Join(l.Cells, " ")), textWidth-4) {
			if _, err := fmt.Fprintf(w, "  %s%s\n", "  "[:2*min(i, 1)], text); err != nil {
				return err
			}
		}
	}
	return nil
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
