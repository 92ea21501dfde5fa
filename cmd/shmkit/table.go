package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/shmkit/shmkit/internal/kind"
)

// columnGap is how many spaces are between columns.
const columnGap = 2

// table is text in columns.
type table struct {
	columns []kind.Column
	rows    [][]string
	// wide, if not 0, is how wide the first column gets. A row where it is wider is two lines.
	wide int
	// screen, if not 0, is where lines end: the last column is cut.
	screen int
	// boldRow, if not 0, is the number of a row in bold, from 1.
	boldRow int
}

// objectTable is a table of objects: in the long form all columns, and the long
// text of times and sizes.
func objectTable(columns []kind.Column, objects []kind.Object, long bool) *table {
	t := &table{}
	for _, c := range columns {
		if long || !c.Long {
			t.columns = append(t.columns, c)
		}
	}
	for _, o := range objects {
		var row []string
		for _, c := range t.columns {
			row = append(row, cell(o.Value(c.Field), long))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// cell is the text of a value in a table.
func cell(v kind.Value, long bool) string {
	switch v := v.(type) {
	case nil:
		return ""
	case kind.Bytes:
		if long {
			return fmt.Sprint(uint64(v))
		}
	case kind.Time:
		if long && v.Short() != (kind.Time{}).Short() {
			return v.Long()
		}
	}
	return v.Short()
}

// write writes the table, its headings in bold, each line indented.
func (t *table) write(w io.Writer, a *app, indent string) error {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = uniseg.StringWidth(c.Heading)
		for _, row := range t.rows {
			row[i] = oneLine(row[i])
			if n := uniseg.StringWidth(row[i]); i > 0 || t.wide == 0 || n <= t.wide {
				widths[i] = max(widths[i], n)
			}
		}
	}
	headings := make([]string, len(t.columns))
	for i, c := range t.columns {
		headings[i] = c.Heading
	}
	if _, err := fmt.Fprintln(w, indent+a.bold(t.line(headings, widths))); err != nil {
		return err
	}
	for i, row := range t.rows {
		if uniseg.StringWidth(row[0]) > widths[0] {
			if _, err := fmt.Fprintln(w, indent+row[0]); err != nil {
				return err
			}
			row = append([]string{""}, row[1:]...)
		}
		line := indent + t.line(row, widths)
		if t.screen > 0 {
			line = fit(line, t.screen)
		}
		if i+1 == t.boldRow {
			line = a.bold(line)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) line(cells []string, widths []int) string {
	var b strings.Builder
	for i, text := range cells {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", columnGap))
		}
		pad := strings.Repeat(" ", widths[i]-uniseg.StringWidth(text))
		if t.columns[i].Right {
			b.WriteString(pad + text)
		} else {
			b.WriteString(text + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// bold makes text bold where colours are wanted.
func (a *app) bold(text string) string {
	if !a.colour {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}
