package top

import "time"

// Rate is a change in a second, or not known.
type Rate struct {
	PerSecond float64
	Known     bool
}

// Row is an item with its rates.
type Row struct {
	Item
	Change   Rate // of Resident, bytes
	Faults   Rate // of the processes that use it, whatever they were for
	Messages Rate
}

// Frame is a sample with the rates since the one before.
type Frame struct {
	At       time.Time
	Interval time.Duration // that rates are about; 0: there are none
	Took     time.Duration
	Rows     []Row
	Faults   map[int]Rate // by process
	Hidden   int
	Problems []string
}

// Compare makes a frame of a sample. before is an earlier one, or nil. An object that
// was replaced by another one, a process whose PID is another one's now, and a counter
// that went backwards have no rate.
func Compare(before, now *Sample) *Frame {
	f := &Frame{At: now.At, Took: now.Took, Hidden: now.Hidden, Problems: now.Problems, Rows: make([]Row, len(now.Items)), Faults: map[int]Rate{}}
	old := map[Identity]*Item{}
	seconds := 0.0
	if before != nil && now.At.After(before.At) {
		f.Interval = now.At.Sub(before.At)
		seconds = f.Interval.Seconds()
		for i := range before.Items {
			old[before.Items[i].ID] = &before.Items[i]
		}
		for pid, p := range now.Processes {
			was, known := before.Processes[pid]
			if known && was.Start == p.Start {
				f.Faults[pid] = counted(Of(was.Minor+was.Major), Of(p.Minor+p.Major), seconds)
			}
		}
	}
	for i, item := range now.Items {
		r := Row{Item: item}
		if was := old[item.ID]; was != nil {
			if was.Resident.Known && item.Resident.Known {
				r.Change = Rate{(float64(item.Resident.N) - float64(was.Resident.N)) / seconds, true}
			}
			r.Messages = counted(was.Sent, item.Sent, seconds)
		}
		r.Faults = f.FaultsOf(item.Users)
		f.Rows[i] = r
	}
	return f
}

// counted is the rate of a counter.
func counted(was, is Amount, seconds float64) Rate {
	if !was.Known || !is.Known || is.N < was.N {
		return Rate{}
	}
	return Rate{float64(is.N-was.N) / seconds, true}
}

// FaultsOf is the sum over processes, of which each must be given once. It is known if it
// is of one of them.
func (f *Frame) FaultsOf(pids []int) (sum Rate) {
	for _, pid := range pids {
		sum.add(f.Faults[pid])
	}
	return sum
}

// add adds what is known.
func (r *Rate) add(other Rate) {
	if other.Known {
		r.PerSecond += other.PerSecond
		r.Known = true
	}
}

// Totals are sums over rows. A process that uses several of them counts once.
type Totals struct {
	Resident, Dirty          Amount
	Change, Faults, Messages Rate
}

// TotalsOf sums some rows of a frame.
func (f *Frame) TotalsOf(rows []*Row) (t Totals) {
	seen := map[int]bool{}
	for _, r := range rows {
		t.Resident.add(r.Resident)
		t.Dirty.add(r.Dirty)
		t.Change.add(r.Change)
		t.Messages.add(r.Messages)
		for _, pid := range r.Users {
			if !seen[pid] {
				seen[pid] = true
				t.Faults.add(f.Faults[pid])
			}
		}
	}
	return t
}

// add adds what is known.
func (a *Amount) add(other Amount) {
	if other.Known {
		a.N += other.N
		a.Known = true
	}
}
