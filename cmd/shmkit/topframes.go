package main

import (
	"fmt"
	"time"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/top"
)

// printTop prints what is chosen of a frame as a table.
func (a *app) printTop(f *top.Frame, c top.Choice) error {
	rows := c.Rows(f)
	t := &table{}
	columns := top.Columns()
	for i := range columns {
		if columns[i].Heading != "" {
			t.columns = append(t.columns, kind.Column{Heading: columns[i].Heading, Right: columns[i].Right()})
		}
	}
	for _, r := range rows {
		var cells []string
		for i := range columns {
			if columns[i].Heading != "" {
				cells = append(cells, columns[i].Text(r))
			}
		}
		t.rows = append(t.rows, cells)
	}
	leftOut := ""
	if n := c.LeftOut(f); n > 0 {
		leftOut = fmt.Sprintf("  %s only read left out (--all)", plural(n, "file", "files"))
	}
	if _, err := fmt.Fprintf(a.out, "%s  %s\n", f.At.Local().Format(time.DateTime), f.Summary(rows)+leftOut); err != nil {
		return err
	}
	for _, p := range f.Problems {
		if _, err := fmt.Fprintln(a.out, oneLine(p)); err != nil {
			return err
		}
	}
	return t.write(a.out, a, "")
}

// topJSON is a frame for programs. The keys are stable.
type topJSON struct {
	Time     time.Time       `json:"time"`
	Seconds  float64         `json:"seconds"`
	Hidden   int             `json:"processes_hidden"`
	Problems []string        `json:"problems"`
	Objects  []topObjectJSON `json:"objects"`
}

type topObjectJSON struct {
	Address  string   `json:"address"`
	Kind     string   `json:"kind"`
	Owner    string   `json:"owner"`
	Size     uint64   `json:"size"`
	Resident *uint64  `json:"resident"`
	Change   *float64 `json:"resident_change"`
	Dirty    *uint64  `json:"dirty"`
	Faults   *float64 `json:"faults"`
	Messages *float64 `json:"messages"`
	Sent     *uint64  `json:"sent"`
	Depth    *uint64  `json:"depth"`
	Holders  *uint64  `json:"holders"`
	Waiters  *uint64  `json:"waiters"`
	Users    []int    `json:"users"`
	Marks    []string `json:"marks"`
}

func newTopJSON(f *top.Frame, rows []*top.Row) topJSON {
	j := topJSON{Time: f.At, Seconds: f.Interval.Seconds(), Hidden: f.Hidden, Problems: append([]string{}, f.Problems...), Objects: []topObjectJSON{}}
	amount := func(a top.Amount) *uint64 {
		if !a.Known {
			return nil
		}
		return &a.N
	}
	rate := func(r top.Rate) *float64 {
		if !r.Known {
			return nil
		}
		return &r.PerSecond
	}
	for _, r := range rows {
		j.Objects = append(j.Objects, topObjectJSON{
			Address: r.Address, Kind: r.Kind, Owner: r.Owner, Size: r.Size,
			Resident: amount(r.Resident), Change: rate(r.Change), Dirty: amount(r.Dirty), Faults: rate(r.Faults), Messages: rate(r.Messages),
			Sent: amount(r.Sent), Depth: amount(r.Depth), Holders: amount(r.Holders), Waiters: amount(r.Waiters),
			Users: append([]int{}, r.Users...), Marks: append([]string{}, r.Marks...),
		})
	}
	return j
}
