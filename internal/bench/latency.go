package bench

// A trip is a side of round trips: A sends and waits for the answer, which B makes of what it got.
type trip struct {
	end
	first bool
	seq   uint64
}

func (t *trip) run(n int, rec *recorder) error {
	if !t.first {
		for range n {
			t.seq++
			if err := t.receive(t.seq); err != nil {
				return err
			}
			if err := t.send(t.seq); err != nil {
				return err
			}
		}
		return nil
	}
	before := now()
	for range n {
		t.seq++
		if err := t.send(t.seq); err != nil {
			return err
		}
		if err := t.receive(t.seq); err != nil {
			return err
		}
		after := now()
		rec.add(after - before)
		if rec != nil { // what recording takes is no part of the next one
			after = now()
		}
		before = after
	}
	return nil
}
