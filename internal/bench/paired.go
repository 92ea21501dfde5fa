package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// partner finds who a row is paired with, nil if nobody.
func (o *Options) partner(r *runner, all []*runner) *runner {
	if o.Paired == nil {
		return nil
	}
	for _, with := range all {
		if with != r && o.Paired(r.row.Trial, with.row.Trial) {
			return with
		}
	}
	return nil
}

// slice measures a slice, and one of the partner right before or right after it.
func (r *runner) slice(with *runner, before bool) error {
	var beside float64
	other := func() error {
		if with == nil {
			return nil
		}
		got, err := with.pair.run(order{N: with.n, Record: true})
		if err != nil {
			return err
		}
		beside, err = typical(with.n, got)
		return err
	}
	if before {
		if err := other(); err != nil {
			return err
		}
	}
	got, err := r.pair.run(order{N: r.n, Record: true})
	if err != nil {
		return err
	}
	if !before {
		if err := other(); err != nil {
			return err
		}
	}
	mine, err := typical(r.n, got)
	if err != nil {
		return err
	}
	r.row.typicals = append(r.row.typicals, mine)
	if beside > 0 {
		r.row.paired = append(r.row.paired, mine/beside)
	}
	return r.row.add(r.n, got)
}

// typical is Row.Typical of one slice: where single operations are timed the slice as a whole has also what it takes to record
// them, which is not the same in all programs.
func typical(n int, got reply) (float64, error) {
	if got.Times == "" && len(got.Samples) == 0 {
		return float64(got.Nanoseconds) / float64(n), nil
	}
	h := newHistogram()
	err := addTimes(h, got)
	return float64(h.ValueAtQuantile(50)), err
}

// addTimes adds the times of single operations.
func addTimes(h *hdrhistogram.Histogram, got reply) error {
	if len(got.Samples) == 0 {
		return addText(h, got.Times)
	}
	rec := recorder{h}
	for _, ns := range got.Samples {
		rec.add(ns)
	}
	return nil
}
