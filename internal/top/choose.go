package top

import (
	"slices"
	"strings"
)

// Choice is which rows are shown, in which order.
type Choice struct {
	Sort    string // name of a column
	Reverse bool
	Kind    string // "": all
	Filter  string // in address, owner or command, whatever the case
	// All shows as well what is left out unless it is looked for: files that are only read (Item.OnlyRead).
	All bool
}

// leavesOut reports whether a row is one of those that only All, or a filter, shows.
func (c Choice) leavesOut(r *Row) bool { return r.OnlyRead && !c.All && c.Filter == "" }

// LeftOut is how many rows of a frame would be shown with All.
func (c Choice) LeftOut(f *Frame) (n int) {
	for i := range f.Rows {
		if c.leavesOut(&f.Rows[i]) {
			n++
		}
	}
	return n
}

// Rows returns the rows of a frame that are chosen. What is not known stands at the end,
// also in reverse; equals stand by address.
func (c Choice) Rows(f *Frame) []*Row {
	var rows []*Row
	filter := strings.ToLower(c.Filter)
	for i := range f.Rows {
		r := &f.Rows[i]
		if (c.Kind == "" || r.Kind == c.Kind) && !c.leavesOut(r) && (filter == "" || r.contains(filter)) {
			rows = append(rows, r)
		}
	}
	by := columns[max(column(c.Sort), 0)]
	known := func(r *Row) bool { return by.known == nil || by.known(r) }
	slices.SortStableFunc(rows, func(a, b *Row) int {
		ka, kb := known(a), known(b)
		switch {
		case ka != kb && ka:
			return -1
		case ka != kb:
			return 1
		}
		n := by.order(a, b)
		if by.down != c.Reverse {
			n = -n
		}
		if n == 0 {
			n = strings.Compare(a.Address, b.Address)
		}
		return n
	})
	return rows
}

// contains: filter is in lower case.
func (r *Row) contains(filter string) bool {
	return slices.ContainsFunc([]string{r.Address, r.Owner, r.Command, strings.Join(r.Marks, ",")},
		func(s string) bool { return strings.Contains(strings.ToLower(s), filter) })
}

// Kinds are the kinds of the rows, in order.
func (f *Frame) Kinds() []string {
	seen := map[string]bool{}
	var kinds []string
	for i := range f.Rows {
		if k := f.Rows[i].Kind; !seen[k] {
			seen[k] = true
			kinds = append(kinds, k)
		}
	}
	slices.Sort(kinds)
	return kinds
}
