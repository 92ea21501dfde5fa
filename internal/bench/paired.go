package bench

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
		beside = float64(got.Nanoseconds) / float64(with.n)
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
	if beside > 0 {
		r.row.paired = append(r.row.paired, float64(got.Nanoseconds)/float64(r.n)/beside)
	}
	return r.row.add(r.n, got)
}
