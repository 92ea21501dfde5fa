package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/shmkit/shmkit/internal/sys"
)

// A surrounding is where it was measured.
type surrounding struct {
	Go      string `json:"go"`
	Kernel  string `json:"kernel"`
	Machine string `json:"machine"`
	CPUs    string `json:"cpus"`
}

func here(p place) surrounding {
	return surrounding{runtime.Version(), sys.Release(), runtime.GOOS + "/" + runtime.GOARCH, p.note}
}

// A printer shows rows as they come, or all at once as JSON.
type printer struct {
	out     io.Writer
	json    bool
	where   surrounding
	rows    []row
	thrown  int
	slices  int
	missing bool // a row has no slice that counts
}

func (p *printer) begin() {
	if p.json {
		return
	}
	fmt.Fprintf(p.out, "%s, Linux %s, %s, %s\n\n", p.where.Go, p.where.Kernel, p.where.Machine, p.where.CPUs)
	fmt.Fprintf(p.out, "%-14s %10s  %-8s %9s  %-26s %6s %6s %7s  %s\n",
		"work", "ns", "base", "ns", "ratio (quartiles)", "slices", "thrown", "allocs", "one operation")
}

func (p *printer) row(r row) {
	p.rows = append(p.rows, r)
	p.thrown += r.Thrown
	p.slices += r.Slices + r.Thrown
	p.missing = p.missing || r.Slices == 0
	if p.json {
		return
	}
	q, unit := r.Ratio, "×"
	if r.inverse {
		q, unit = r.PerBase, " per"
	}
	ratio := fmt.Sprintf("%.2f%s (%.2f to %.2f)", q.Median, unit, q.Low, q.High)
	if r.Slices == 0 {
		ratio = "none that counts"
	}
	more := r.Operation
	if r.MiBs > 0 {
		more += fmt.Sprintf("; %.0f MiB/s", r.MiBs)
	}
	if r.Kept != nil {
		more += fmt.Sprintf("; asked for %s: %s", r.Asked, map[bool]string{true: "kept", false: "MISSED"}[*r.Kept])
	}
	fmt.Fprintf(p.out, "%-14s %10.1f  %-8s %9.1f  %-26s %6d %6d %7.2f  %s\n",
		r.Work, r.NS.Median, r.Base, r.BaseNS.Median, ratio, r.Slices, r.Thrown, r.Allocations, more)
}

func (p *printer) end() error {
	if p.json {
		e := json.NewEncoder(p.out)
		e.SetIndent("", "\t")
		return e.Encode(struct {
			surrounding
			Rows []row `json:"rows"`
		}{p.where, p.rows})
	}
	fmt.Fprintf(p.out, "\nns: medians, an operation. ratio: ours / the mean of the base before and after, slice by slice; per: operations in one of the base.\n")
	if p.thrown > 0 {
		fmt.Fprintf(p.out, "%d of %d slices were thrown away, because the base before and after differs by more than %g×: the host has moved a core, or others were busy on it.\n",
			p.thrown, p.slices, disagree)
	}
	if p.missing {
		fmt.Fprintln(p.out, "Some rows have no slice that counts: the machine is too restless.")
	}
	return nil
}
