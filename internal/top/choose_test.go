package top

import (
	"testing"
	"time"
)

// TestFilesThatAreOnlyReadAreLeftOut: but with All, or if a filter asks for them.
func TestFilesThatAreOnlyReadAreLeftOut(t *testing.T) {
	font := item("file:/usr/share/font")
	font.OnlyRead = true
	f := Compare(nil, sampleAt(0, font, item("posix:/frames")))
	for _, c := range []struct {
		Choice
		rows, left int
	}{
		{Choice{Sort: "address"}, 1, 1}, {Choice{Sort: "address", All: true}, 2, 0}, {Choice{Sort: "address", Filter: "font"}, 1, 0},
		{Choice{Sort: "address", Kind: "file"}, 0, 1},
	} {
		if got, left := len(c.Rows(f)), c.LeftOut(f); got != c.rows || left != c.left {
			t.Errorf("%+v: %d rows, %d left out", c, got, left)
		}
	}
	v := NewView(Choice{Sort: "address"}, time.Second)
	v.Resize(80, 24)
	v.Show(f)
	for _, want := range []int{2, 1} {
		press(v, "a")
		if len(v.rows) != want {
			t.Errorf("%d rows after a, want %d", len(v.rows), want)
		}
	}
}
