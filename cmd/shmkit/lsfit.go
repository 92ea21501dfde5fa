package main

import (
	"slices"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/shmkit/shmkit/internal/kind"
)

// How the table of all objects fits a screen. The last column, WHAT, is the one people read a list for, and the one that is
// cut; an address is there to be copied, and is never cut.

const (
	// widestAddress is how long an address may be that stands in front of what is told of it. What
	// is longer has a line of its own.
	widestAddress = 28
	// leastAddress is what is left of that before columns are left out: the address of a mapping, nearly.
	leastAddress = 20
	// leastWhat is how much of the last column is shown, if it has as much, and tightWhat how much of it where no
	// more columns can be spared.
	leastWhat, tightWhat = 24, 16
)

// narrow makes room for the last column on a narrow screen: columns that say the least are left out, and addresses get less
// room in front of the rest. It returns the headings of what was left out.
func (t *table) narrow() (dropped []string) {
	if t.screen == 0 {
		return nil
	}
	for {
		room := t.roomForFirst(leastWhat)
		if room >= min(leastAddress, t.widthOf(0)) {
			t.wide = min(t.wide, room)
			return dropped
		}
		i := t.leastTelling()
		if i < 0 {
			room = min(t.roomForFirst(tightWhat), max(room, leastAddress))
			t.wide = max(uniseg.StringWidth(t.columns[0].Heading), min(t.wide, room))
			return dropped
		}
		dropped = append(dropped, t.columns[i].Heading)
		t.drop(i)
	}
}

// roomForFirst is how wide the first column may be, so that least of the last one is shown.
func (t *table) roomForFirst(least int) int {
	last := len(t.columns) - 1
	room := t.screen - min(least, t.widthOf(last))
	for i := 1; i < last; i++ {
		room -= t.widthOf(i)
	}
	return room - last*columnGap
}

// leastTelling is the column to leave out first; -1 if none can be spared. What is the same in all rows tells less than
// the mode, which one asks of one object rather than of all.
func (t *table) leastTelling() int {
	find := func(heading string) int {
		return slices.IndexFunc(t.columns, func(c kind.Column) bool { return c.Heading == heading })
	}
	for _, heading := range []string{"SWAP", "MARKS"} {
		if i := find(heading); i >= 0 && t.allOf(i, "0", "-") {
			return i
		}
	}
	if i := find("MODE"); i >= 0 {
		return i
	}
	if i := find("OWNER"); i >= 0 && t.allOf(i, t.rows[0][i], "-") {
		return i
	}
	return -1
}

// allOf reports whether all cells of a column are one of some texts.
func (t *table) allOf(column int, texts ...string) bool {
	return !slices.ContainsFunc(t.rows, func(row []string) bool { return !slices.Contains(texts, row[column]) })
}

func (t *table) drop(column int) {
	t.columns = slices.Delete(slices.Clone(t.columns), column, column+1)
	for i := range t.rows {
		t.rows[i] = slices.Delete(t.rows[i], column, column+1)
	}
}

// widthOf is how wide a column would like to be.
func (t *table) widthOf(column int) int {
	width := uniseg.StringWidth(t.columns[column].Heading)
	for _, row := range t.rows {
		width = max(width, uniseg.StringWidth(oneLine(row[column])))
	}
	return width
}

// fit cuts text to a width in cells of a terminal.
func fit(text string, width int) string {
	if uniseg.StringWidth(text) <= width {
		return text
	}
	n := 0
	for cells, g := 0, uniseg.NewGraphemes(text); g.Next(); {
		if cells += g.Width(); cells > width-1 {
			break
		}
		_, n = g.Positions()
	}
	return strings.TrimRight(text[:n], " ,") + "…"
}
