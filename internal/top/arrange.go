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
	fair      = 40 // that they have before the owner, marks and commands get room, if they need them
	longest   = 60 // of addresses that take all from commands but their least; longer ones leave them twice that
	between   = 1  // cells
	commands  = 15 // cells of a command, at least
)

// importance is the order in which columns get room.
var importance = []string{"address", "resident", "change", "faults", "messages", "size", "dirty", "users", "depth", "holders", "waiters", "owner", "marks", "command"}

// arrange places columns on a screen: the one that is sorted by, and the most important
// ones of the others. One that is about none of the rows, such as waiters where there are no
// locks, leaves its room to addresses.
func arrange(width int, sort string, rows []*Row) []place {
	names := slices.Clone(importance)
	if at := slices.Index(names, sort); at > 1 {
		names = slices.Insert(slices.Delete(names, at, at+1), 1, sort)
	}
	left, addresses := width, longestAddress(rows, width)
	var has []string
	for _, name := range names {
		c := &columns[column(name)]
		if c.has != nil && name != sort && !slices.ContainsFunc(rows, c.has) {
			continue
		}
		need := c.width + between
		switch name {
		case "address":
			need = min(narrowest, max(width/2, 1))
		case "command":
			need = commands + between
		}
		room := left
		if slices.Contains([]string{"owner", "marks", "command"}, name) && name != sort {
			room -= max(min(addresses, fair)-narrowest, 0)
		}
		if need > room && name != "address" {
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
				most := max(min(left, longest-cells), left-commands)
				more = min(most, max(addresses-cells, 0))
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

// longestAddress is how wide the longest address is, or that it is wider than the screen.
func longestAddress(rows []*Row, width int) (n int) {
	for _, r := range rows {
		if n = max(n, wide(plain(r.Address))); n >= width {
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
