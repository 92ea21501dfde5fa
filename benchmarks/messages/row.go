package main

import "fmt"

// A row is what came of a work. Times are nanoseconds an operation.
type row struct {
	Work        string    `json:"work"`
	Operation   string    `json:"operation"`
	Base        string    `json:"base"` // the work it is measured in, or floor
	NS          quartiles `json:"ns"`
	BaseNS      quartiles `json:"base_ns"`
	Ratio       quartiles `json:"ratio"`               // of time to the base's
	PerBase     quartiles `json:"per_base"`            // operations in the time of one of the base's
	MiBs        float64   `json:"mib_per_s,omitempty"` // of what is moved, median
	Allocations float64   `json:"allocations"`         // an operation, both processes together
	Slices      int       `json:"slices"`              // that count
	Thrown      int       `json:"thrown"`              // because the base before and after disagree
	Asked       string    `json:"asked,omitempty"`
	Kept        *bool     `json:"kept,omitempty"`

	inverse bool
}

// row makes a row of what was measured.
func (w work) row(c comparison) row {
	inverse := func(x float64) float64 {
		if x == 0 {
			return 0
		}
		return 1 / x
	}
	r := row{
		Work: w.name, Operation: w.op, Base: w.base, inverse: w.inverse,
		NS: quartilesOf(c.ns), BaseNS: quartilesOf(c.base), Ratio: quartilesOf(c.ratio),
		Allocations: c.allocations, Slices: len(c.ratio), Thrown: c.thrown,
	}
	r.PerBase = quartiles{inverse(r.Ratio.High), inverse(r.Ratio.Median), inverse(r.Ratio.Low)}
	if w.base == "" {
		r.Base = "floor"
	}
	if w.moved > 0 {
		r.MiBs = float64(w.moved) / (1 << 20) * 1e9 * inverse(r.NS.Median)
	}
	if w.asked != 0 {
		r.ask(w.asked)
	}
	return r
}

// ask compares with what was asked for: at most so much of the ratio, or, of an inverse one, at
// least so many in one of the base's.
func (r *row) ask(asked float64) {
	kept := r.Ratio.Median <= asked
	r.Asked = fmt.Sprintf("≤ %g×", asked)
	if r.inverse {
		kept = r.PerBase.Median >= asked
		r.Asked = fmt.Sprintf("≥ %g per", asked)
	}
	kept = kept && r.Slices > 0
	r.Kept = &kept
}
