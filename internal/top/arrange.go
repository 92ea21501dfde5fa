package top

import (
	"slices"
	"strings"
)

// place is a column on the screen.
type place struct {
	*Column
	cells int
}

const (
	narrowest = 20 // cells of addresses that other columns leave, if there are as many
	longest   = 60 // that addresses take from commands
	between   = 1  // cells
	commands  = 15 // cells of a command, at least
)

// importance is the order in which columns get room.
var importance = []string{"address", "resident", "change", "faults", "messages", "size", "dirty", "users", "depth", "holders", "waiters", "owner", "marks", "command"}

// arrange places columns on a screen: the one that is sorted by, and the most important
// ones of the others.
func arrange(width int, sort string, rows []*Row) []place {
	names := slices.Clone(importance)
	if at := slices.Index(names, sort); at > 1 {
		names = slices.Insert(slices.Delete(names, at, at+1), 1, sort)
	}
	left := width
	var has []string
	for _, name := range names {
		need := columns[column(name)].width + between
		switch name {
		case "address":
			need = min(narrowest, max(width/2, 1))
		case "command":
			need = commands + between
		}
		if need > left && name != "address" {
			continue
		}
		left -= need
		has = append(has, name)
	}
	var places []place
	for i := range columns {
		c := &columns[i]
		if !slices.Contains(has, c.Name) {
			continue
		}
		cells := c.width
		switch c.Name {
		case "address":
			cells = min(narrowest, max(width/2, 1))
			more := left
			if slices.Contains(has, "command") { // gets what addresses do not need
				more = min(left, max(min(longestAddress(rows), longest)-cells, 0))
			}
			cells += more
			left -= more
		case "command":
			cells = commands + left
		}
		places = append(places, place{c, cells})
	}
	return places
}

func longestAddress(rows []*Row) (n int) {
	for _, r := range rows {
		if n = max(n, wide(plain(r.Address))); n >= longest {
			break
		}
	}
	return n
}

// headings are the headings of columns; of the one that is sorted by a sign says so.
func headings(places []place, c Choice) string {
	var cells []string
	for _, p := range places {
		text := p.Heading
		if p.Name == c.Sort && wide(text) < p.cells {
			if p.down != c.Reverse {
				text += "v"
			} else {
				text += "^"
			}
		}
		cells = append(cells, padded(text, p.cells, p.right))
	}
	return strings.Join(cells, " ")
}

// rowText is a row in columns.
func rowText(places []place, r *Row) string {
	var cells []string
	for _, p := range places {
		text := plain(p.Text(r))
		if p.Name == "address" {
			text = cutInside(text, p.cells)
		}
		cells = append(cells, padded(text, p.cells, p.right))
	}
	return strings.Join(cells, " ")
}
