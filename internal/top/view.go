package top

import (
	"slices"
	"time"
)

// mode is what the screen shows.
type mode int

const (
	listing mode = iota
	looking      // into one object
	helping
)

// View is what of the frames is on the screen. It is changed by frames, by keys and by
// the size of the screen, by one goroutine.
type View struct {
	Choice
	Interval time.Duration
	Paused   bool
	Colour   bool

	width, height int
	frame         *Frame // nil: none yet
	rows          []*Row // of frame, that are chosen
	totals        Totals
	failed        error // why there is no newer frame

	// The row that is marked is found again by its object, once somebody chose it.
	cursor, offset int // rows
	chosen         Identity
	follows        bool

	mode   mode
	behind mode // the help screen
	help   scroll
	look   look
	prompt *prompt // what is being typed
}

// NewView is a view without a frame.
func NewView(c Choice, interval time.Duration) *View {
	return &View{Choice: c, Interval: interval, width: 80, height: 24}
}

// Show shows a frame.
func (v *View) Show(f *Frame) {
	v.frame, v.failed = f, nil
	v.choose()
	v.look.update(f)
}

// Fail says that there is no newer frame.
func (v *View) Fail(err error) { v.failed = err }

// Resize fits the view to a screen.
func (v *View) Resize(width, height int) { v.width, v.height = width, height }

// choose takes the rows of the frame by the choice as it is now.
func (v *View) choose() {
	if v.frame == nil {
		return
	}
	v.rows = v.Rows(v.frame)
	v.totals = v.frame.TotalsOf(v.rows)
	if v.follows {
		if at := slices.IndexFunc(v.rows, func(r *Row) bool { return r.ID == v.chosen }); at >= 0 {
			v.cursor = at
		}
	}
	v.mark(v.cursor)
}

// mark marks the row n, or the one that is nearest to it.
func (v *View) mark(n int) {
	v.cursor = max(min(n, len(v.rows)-1), 0)
	if v.follows && v.cursor < len(v.rows) {
		v.chosen = v.rows[v.cursor].ID
	}
}

// move is mark by somebody.
func (v *View) move(n int) {
	v.follows = n > 0 // the first place is a place, whoever has it
	v.mark(n)
}

// scrolled moves the window over the rows so that the marked one is in it.
func (v *View) scrolled(window int) {
	v.offset = max(min(v.offset, v.cursor), v.cursor-window+1)
	v.offset = max(min(v.offset, len(v.rows)-window), 0)
}

// marked is the row that is marked, nil if there are none.
func (v *View) marked() *Row {
	if v.cursor >= len(v.rows) {
		return nil
	}
	return v.rows[v.cursor]
}

// Looking is the object that is looked into.
func (v *View) Looking() (i Item, is bool) {
	return v.look.row.Item, v.mode == looking || v.mode == helping && v.behind == looking
}

// scroll is a window over lines.
type scroll struct{ offset, right int }

// move moves it, and into bounds: 0 to what leaves the last line at the end of the window.
func (s *scroll) move(by, lines, window int) {
	s.offset = max(min(s.offset+by, lines-window), 0)
}
