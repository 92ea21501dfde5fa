package top

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

// look is what is seen of one object. What was seen last stays when the object goes.
type look struct {
	scroll
	row   Row
	lines []string
	err   error
	asked bool      // and nothing has come yet
	gone  time.Time // since when, if it is
}

// open looks into another object.
func (v *View) open(r *Row) {
	v.mode = looking
	v.look = look{row: *r, asked: true}
}

// update takes the row of the object from a frame.
func (l *look) update(f *Frame) {
	at := slices.IndexFunc(f.Rows, func(r Row) bool { return r.ID == l.row.ID })
	switch {
	case at >= 0:
		l.row, l.gone = f.Rows[at], time.Time{}
	case l.gone.IsZero():
		l.gone = f.At
	}
}

// Looked is what a look into an object has shown.
type Looked struct {
	ID    Identity
	At    time.Time
	Lines []string
	Err   error
}

// Look takes it.
func (v *View) Look(r Looked) {
	l := &v.look
	if item, is := v.Looking(); !is || r.ID != item.ID {
		return // of one that is looked into no more
	}
	l.asked = false
	switch {
	case errors.Is(r.Err, fs.ErrNotExist):
		if l.gone.IsZero() {
			l.gone = r.At
		}
	case r.Err != nil:
		l.err = r.Err
	default:
		l.lines, l.err = r.Lines, nil
	}
}
