package bench

import "testing"

// TestTypical: of single times the median counts, however they came, and not the slice, which has the recording as well.
func TestTypical(t *testing.T) {
	samples := reply{Nanoseconds: 9000, Samples: []int64{100, 200, 5000}}
	rec := newRecorder()
	for _, ns := range samples.Samples {
		rec.add(ns)
	}
	text, err := rec.text()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reply
		want float64
	}{
		"samples": {samples, 200}, "text": {reply{Nanoseconds: 9000, Times: text}, 200}, "neither": {reply{Nanoseconds: 9000}, 3000},
	} {
		if got, err := typical(3, c.reply); err != nil || got != c.want {
			t.Errorf("%s: %v, %v, not %v", name, got, err, c.want)
		}
	}
}
