package top

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// row is the row of an address in a frame.
func row(t testing.TB, f *Frame, address string) Row {
	t.Helper()
	for _, r := range f.Rows {
		if r.Address == address {
			return r
		}
	}
	t.Fatalf("no %s in %+v", address, f.Rows)
	return Row{}
}

func TestRatesAreAboutTheTimeBetweenTheSamples(t *testing.T) {
	a := item("topic:a")
	a.Resident, a.Sent, a.Users = Of(1<<20), Of(100), []int{7}
	before := sampleAt(0, a)
	a.Resident, a.Sent = Of(1<<20-8192), Of(150)
	now := sampleAt(4, a)
	before.Processes[7], now.Processes[7] = Process{1, 10, 2}, Process{1, 40, 4}
	f := Compare(before, now)
	r := row(t, f, "topic:a")
	if want := (Rate{-2048, true}); r.Change != want {
		t.Errorf("resident changes by %v, want %v", r.Change, want)
	}
	if want := (Rate{12.5, true}); r.Messages != want {
		t.Errorf("%v messages, want %v", r.Messages, want)
	}
	if want := (Rate{8, true}); r.Faults != want {
		t.Errorf("%v faults, want %v", r.Faults, want)
	}
	if f.Interval.Seconds() != 4 {
		t.Errorf("the interval is %v", f.Interval)
	}
}

func TestWhatWasReplacedHasNoRates(t *testing.T) {
	old := item("posix:/a")
	old.ID.Inode, old.Resident, old.Sent, old.Users = 1, Of(4096), Of(1), []int{7, 8}
	is := old
	is.ID.Inode, is.Resident, is.Sent = 2, Of(8192), Of(5)
	before, now := sampleAt(0, old), sampleAt(1, is)
	before.Processes = map[int]Process{7: {Start: 1, Minor: 5}, 8: {Start: 1, Minor: 5}}
	now.Processes = map[int]Process{7: {Start: 2, Minor: 9}, 8: {Start: 1, Minor: 6}}
	r := row(t, Compare(before, now), "posix:/a")
	if r.Change.Known || r.Messages.Known {
		t.Errorf("rates between two objects of one name: %+v", r)
	}
	// The PID 7 is another process's now.
	if want := (Rate{1, true}); r.Faults != want {
		t.Errorf("%v faults, want %v", r.Faults, want)
	}
}

func TestWhatGotAnotherAddressKeepsItsRates(t *testing.T) {
	old := item("map:812/7f0000000000")
	old.ID = Identity{Kind: "map", Class: "anonymous", Device: 1, Inode: 5}
	old.Resident = Of(0)
	is := old // 812 has ended: it is called by another process
	is.Address, is.Resident = "map:813/7f0000000000", Of(4096)
	if r := row(t, Compare(sampleAt(0, old), sampleAt(2, is)), is.Address); r.Change != (Rate{2048, true}) {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsNotKnownHasNoRate(t *testing.T) {
	for name, c := range map[string]struct{ was, is Amount }{
		"never":     {Amount{}, Amount{}},
		"before":    {Amount{}, Of(1)},
		"now":       {Of(1), Amount{}},
		"backwards": {Of(2), Of(1)},
	} {
		a := item("queue:a")
		a.Sent = c.was
		before := sampleAt(0, a)
		a.Sent = c.is
		if r := row(t, Compare(before, sampleAt(1, a)), "queue:a"); r.Messages.Known {
			t.Errorf("%s: %+v", name, r.Messages)
		}
	}
	a := item("queue:a")
	a.Sent, a.Resident, a.Users = Of(1), Of(1), []int{7}
	for name, f := range map[string]*Frame{
		"the first":        Compare(nil, sampleAt(0, a)),
		"at the same time": Compare(sampleAt(1, a), sampleAt(1, a)),
		"the clock set":    Compare(sampleAt(2, a), sampleAt(1, a)),
		"a new object":     Compare(sampleAt(0), sampleAt(1, a)),
	} {
		if r := row(t, f, "queue:a"); r.Messages.Known || r.Change.Known || r.Faults.Known {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAProcessCountsOnceInTheSum(t *testing.T) {
	a, b := item("posix:/a"), item("posix:/b")
	a.Users, b.Users = []int{7, 8}, []int{7}
	a.Resident, b.Resident = Of(1), Of(2)
	before, now := sampleAt(0, a, b), sampleAt(1, a, b)
	before.Processes = map[int]Process{7: {}, 8: {}}
	now.Processes = map[int]Process{7: {Minor: 10}, 8: {Major: 1}}
	f := Compare(before, now)
	total := f.TotalsOf(Choice{Sort: "address"}.Rows(f))
	if total.Faults != (Rate{11, true}) || total.Resident != Of(3) || total.Dirty.Known {
		t.Errorf("%+v", total)
	}
}

func TestNumbersHaveFiveCharacters(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 0.04: "0", 0.25: "0.2", 9.99: "9.9", 99.99: "99.9", 100.5: "100", 1023: "1023", 1024: "1K", 1536: "1.5K", 1<<20 - 1: "1023K",
		1 << 40: "1T", math.MaxUint64: "16E",
	} {
		if got := bytes(n); got != want {
			t.Errorf("bytes(%v) = %q, want %q", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Float64Range(0, 1e24).Draw(t, "n")
		for _, text := range []string{bytes(n), number(n, 1000)} {
			if len(text) > 5 || text == "" {
				t.Fatalf("%v is %q", n, text)
			}
		}
		for _, text := range []string{Rate{n, true}.bytesText(), Rate{-n, true}.bytesText()} {
			if len(text) > 6 {
				t.Fatalf("±%v is %q", n, text)
			}
		}
	})
}
