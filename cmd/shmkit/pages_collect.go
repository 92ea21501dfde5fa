package main

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/shmkit/shmkit/inspect"
)

// pageCell counts the pages of a cell by their looks.
type pageCell []int64

// look is that of most of the pages that are there; where none is, of most.
func (c pageCell) look() int {
	best := -1
	for look, n := range c {
		if n > 0 && (best < 0 || nothingThere(best) && !nothingThere(look) || nothingThere(best) == nothingThere(look) && n > c[best]) {
			best = look
		}
	}
	return max(best, 0)
}

// pages is how many there are.
func (c pageCell) pages() (n int64) {
	for _, count := range c {
		n += count
	}
	return n
}

// viewPages is what was seen of a view.
type viewPages struct {
	view   *inspect.PageView
	name   string // for people: "object", "812 writer"
	again  string // " (2)" if it is the second of the name
	cells  []pageCell
	looks  pageCell  // of all pages
	states [32]int64 // pages that have a bit of PageState
	mapped struct{ least, most int }
}

// samePage is a page that several processes have, or one, with its frame in each.
type samePage struct {
	number int64
	runs   []inspect.PageRun // of the views, in their order
}

// pagePicture is what was seen of all views, in one pass.
type pagePicture struct {
	pages   *inspect.Pages
	title   string
	perCell int64 // pages of a cell
	views   []*viewPages
	more    int // processes that map it and are not shown

	same, apart int64 // pages that several processes have: in one frame, in more
	examples    struct{ same, apart, single []samePage }
}

// mostExamples is how many pages of a sort are named with their frames.
const mostExamples = 3

// collectPages looks at all pages once, and puts them into no more cells than there is room for.
func collectPages(ctx context.Context, p *inspect.Pages, title string, room int64) (*pagePicture, error) {
	c := &pagePicture{pages: p, title: title, perCell: 1}
	for (p.Count+c.perCell-1)/c.perCell > max(room, 1) {
		c.perCell *= 2
	}
	names := map[string]int{}
	for _, v := range p.Views() {
		w := &viewPages{view: v, name: viewName(v), looks: make(pageCell, len(pageLooks))}
		if names[w.name]++; names[w.name] > 1 {
			w.again = fmt.Sprintf(" (%d)", names[w.name])
		}
		w.cells = make([]pageCell, (p.Count+c.perCell-1)/c.perCell)
		for i := range w.cells {
			w.cells[i] = make(pageCell, len(pageLooks))
		}
		c.views = append(c.views, w)
	}
	for row, err := range p.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		for i, r := range row.Runs {
			c.views[i].add(r, r.First-p.First, c.perCell)
		}
		c.compare(row)
	}
	return c, nil
}

func viewName(v *inspect.PageView) string {
	if v.PID == 0 {
		return "object"
	}
	return fmt.Sprintf("%d %s", v.PID, oneLine(v.Command))
}

// add counts a run that begins at a page of what is looked at.
func (w *viewPages) add(r inspect.PageRun, at, perCell int64) {
	look := lookOf(w.view, r.State)
	w.looks[look] += r.Count
	for rest := uint32(r.State); rest != 0; rest &= rest - 1 {
		w.states[bits.TrailingZeros32(rest)] += r.Count
	}
	if r.Mapped > 0 {
		if w.mapped.least == 0 || r.Mapped < w.mapped.least {
			w.mapped.least = r.Mapped
		}
		w.mapped.most = max(w.mapped.most, r.Mapped)
	}
	for end := at + r.Count; at < end; {
		cell := at / perCell
		n := min(end, (cell+1)*perCell) - at
		w.cells[cell][look] += n
		at += n
	}
}

// count is how many pages have a state.
func (w *viewPages) count(s inspect.PageState) int64 {
	return w.states[bits.TrailingZeros32(uint32(s))]
}

// compare looks for the same frame in several processes.
func (c *pagePicture) compare(row inspect.PageRow) {
	frame, processes, one := uint64(0), 0, true
	for i, r := range row.Runs {
		if c.views[i].view.PID == 0 || r.Frame == 0 || r.State&inspect.PageZero != 0 {
			continue
		}
		if processes > 0 && r.Frame != frame {
			one = false
		}
		frame = r.Frame
		processes++
	}
	list := &c.examples.single
	switch {
	case processes == 0:
		return
	case processes > 1 && one:
		c.same += row.Count
		list = &c.examples.same
	case processes > 1:
		c.apart += row.Count
		list = &c.examples.apart
	}
	for n := int64(0); n < row.Count && len(*list) < mostExamples; n++ {
		e := samePage{number: row.First + n}
		for _, r := range row.Runs {
			e.runs = append(e.runs, inspect.PageRun{First: e.number, Count: 1, Page: r.At(e.number)})
		}
		*list = append(*list, e)
	}
}
