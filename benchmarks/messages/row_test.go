package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestEachBitOfAMessageIsLookedAt(t *testing.T) {
	var m message
	m.set(7, true)
	if err := m.is(7, true); err != nil {
		t.Fatal(err)
	}
	if m.is(8, true) == nil {
		t.Error("7 is taken for 8")
	}
	for i := range m.body {
		for bit := range 8 {
			m.body[i] ^= 1 << bit
			if m.is(7, true) == nil {
				t.Errorf("bit %d of byte %d is not looked at", bit, i)
			}
			m.body[i] ^= 1 << bit
		}
	}
	m.set(9, false)
	if err := m.is(9, false); err != nil || m.is(10, false) == nil {
		t.Errorf("9, its first word alone: %v; as 10: no error", err)
	}
}

func TestQuartiles(t *testing.T) {
	for _, c := range []struct {
		all  []float64
		want quartiles
	}{
		{nil, quartiles{}},
		{[]float64{7}, quartiles{7, 7, 7}},
		{[]float64{5, 1, 4, 2, 3}, quartiles{2, 3, 4}},
		{[]float64{4, 1, 3, 2}, quartiles{1.75, 2.5, 3.25}},
	} {
		if got := quartilesOf(c.all); got != c.want {
			t.Errorf("of %v: %v, want %v", c.all, got, c.want)
		}
	}
}

// A script is a slicer that takes what it is told, and then fails.
type script []float64

var errScript = errors.New("the script has ended")

func (s *script) slice() (float64, error) {
	if len(*s) == 0 {
		return 0, errScript
	}
	ns := (*s)[0]
	*s = (*s)[1:]
	return ns, nil
}

func TestSlicesWhereTheBaseJumpsAreThrownAway(t *testing.T) {
	base := script{100, 110, 400, 400, 390, 100}
	ours := script{1, 210, 777, 800, 790, 777} // the first is not counted
	var c comparison
	if err := c.measure(context.Background(), &ours, &base, time.Hour, 1); !errors.Is(err, errScript) {
		t.Fatal(err)
	}
	if want := []float64{2, 2, 2}; !slices.Equal(c.ratio, want) || c.thrown != 2 {
		t.Errorf("%v and %d thrown, want %v and 2", c.ratio, c.thrown, want)
	}
}

// Without any that counts it ends after three times the time.
func TestMeasuringEndsOnARestlessMachine(t *testing.T) {
	var c comparison
	if err := c.measure(context.Background(), &jumping{}, &jumping{restless: true}, time.Millisecond, 1); err != nil {
		t.Fatal(err)
	}
	if len(c.ratio) != 0 || c.thrown == 0 {
		t.Errorf("%+v", c)
	}
}

// A jumping slicer is restless, or always the same.
type jumping struct {
	restless bool
	n        int
}

func (j *jumping) slice() (float64, error) {
	j.n++
	if j.restless && j.n%2 == 0 {
		return 1000, nil
	}
	return 100, nil
}

func TestWhatIsAskedFor(t *testing.T) {
	c := comparison{ns: []float64{40, 50, 60}, base: []float64{100, 100, 100}, ratio: []float64{0.4, 0.5, 0.6}}
	for _, q := range []struct {
		w    work
		kept bool
	}{
		{work{asked: 0.5}, true},
		{work{asked: 0.49}, false},
		{work{asked: 2, inverse: true}, true},
		{work{asked: 2.1, inverse: true}, false},
	} {
		if r := q.w.row(c); r.Kept == nil || *r.Kept != q.kept {
			t.Errorf("%+v: %+v, want %v", q.w, r, q.kept)
		}
		if r := q.w.row(comparison{}); *r.Kept {
			t.Errorf("%+v: kept by nothing", q.w)
		}
	}
	if r := (work{}).row(c); r.Kept != nil || r.Base != "floor" || r.PerBase.Median != 2 {
		t.Errorf("%+v", r)
	}
}
