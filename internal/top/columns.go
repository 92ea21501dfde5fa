package top

import (
	"cmp"
	"slices"
	"strings"
)

// Column is one thing that is shown of rows, and that they are sorted by.
type Column struct {
	Name    string // for --sort, and in JSON
	Heading string
	Means   string // for help
	key     rune   // that sorts by it, 0 if none does
	width   int    // 0: what there is room for
	right   bool
	down    bool // the largest first, unless it is reversed
	text    func(*Row) string
	order   func(a, b *Row) int
	known   func(*Row) bool // nil: always
	has     func(*Row) bool // whether an object has such a thing at all; nil: each has
}

// Columns are all of them, in the order of the screen.
func Columns() []Column { return slices.Clone(columns) }

var columns = []Column{
	{Name: "address", Heading: "ADDRESS", Means: "what the other commands take", key: 'A', text: func(r *Row) string { return r.Address },
		order: func(a, b *Row) int { return strings.Compare(a.Address, b.Address) }},
	{Name: "kind", Means: "as addresses begin", key: 'K', order: func(a, b *Row) int { return strings.Compare(a.Kind, b.Kind) }},
	{Name: "owner", Heading: "OWNER", Means: "user to whom it belongs", key: 'O', width: 8, text: func(r *Row) string { return r.Owner },
		order: func(a, b *Row) int { return strings.Compare(a.Owner, b.Owner) }},
	{Name: "size", Heading: "SIZE", Means: "bytes", key: 'S', width: 5, right: true, down: true,
		text:  func(r *Row) string { return bytes(float64(r.Size)) },
		order: func(a, b *Row) int { return cmp.Compare(a.Size, b.Size) }},
	amounts("resident", "RES", "bytes of it in memory", 'M', 5, (Amount).bytesText, func(r *Row) Amount { return r.Resident }),
	rates("change", "RES/s", "by how much that changes in a second", 'C', 6, (Rate).bytesText, func(r *Row) Rate { return r.Change }),
	amounts("dirty", "DIRTY", "bytes not written back to the device", 'D', 5, (Amount).bytesText, func(r *Row) Amount { return r.Dirty }),
	rates("faults", "FLT/s", "page faults a second of its processes, whatever for", 'F', 6, (Rate).countText, func(r *Row) Rate { return r.Faults }),
	rates("messages", "MSG/s", "messages published or pushed a second", 'T', 6, (Rate).countText, func(r *Row) Rate { return r.Messages }).of(func(r *Row) bool { return r.Sent.Known }),
	amounts("depth", "DEPTH", "what waits in it; of a topic, for its last subscriber", 'N', 5, (Amount).countText, func(r *Row) Amount { return r.Depth }).of(func(r *Row) bool { return r.Depth.Known }),
	amounts("users", "USE", "processes seen to map or hold it", 'U', 4, (Amount).countText, func(r *Row) Amount { return Of(len(r.Users)) }),
	amounts("holders", "HOLD", "how many hold it", 'H', 4, (Amount).countText, func(r *Row) Amount { return r.Holders }).of(func(r *Row) bool { return r.Holders.Known }),
	amounts("waiters", "WAIT", "how many wait for it", 'W', 4, (Amount).countText, func(r *Row) Amount { return r.Waiters }).of(func(r *Row) bool { return r.Waiters.Known }),
	{Name: "marks", Heading: "MARKS", Means: "such as removed: goes with its last user", width: 8,
		text:  func(r *Row) string { return strings.Join(r.Marks, ",") },
		order: func(a, b *Row) int { return slices.Compare(a.Marks, b.Marks) }},
	{Name: "command", Heading: "COMMAND", Means: "of the first process", text: func(r *Row) string { return r.Command },
		order: func(a, b *Row) int { return strings.Compare(a.Command, b.Command) }},
}

func amounts(name, heading, means string, key rune, width int, text func(Amount) string, of func(*Row) Amount) Column {
	return Column{Name: name, Heading: heading, Means: means, key: key, width: width, right: true, down: true,
		text:  func(r *Row) string { return text(of(r)) },
		order: func(a, b *Row) int { return cmp.Compare(of(a).N, of(b).N) },
		known: func(r *Row) bool { return of(r).Known }}
}

func rates(name, heading, means string, key rune, width int, text func(Rate) string, of func(*Row) Rate) Column {
	return Column{Name: name, Heading: heading, Means: means, key: key, width: width, right: true, down: true,
		text:  func(r *Row) string { return text(of(r)) },
		order: func(a, b *Row) int { return cmp.Compare(of(a).PerSecond, of(b).PerSecond) },
		known: func(r *Row) bool { return of(r).Known }}
}

// of says which objects have such a thing.
func (c Column) of(has func(*Row) bool) Column {
	c.has = has
	return c
}

// Text is what stands in the column.
func (c *Column) Text(r *Row) string {
	if c.text == nil {
		return ""
	}
	return c.text(r)
}

// Right reports whether it stands to the right, as numbers do.
func (c *Column) Right() bool { return c.right }

// column is the place of a column, -1 if none has the name.
func column(name string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
}

// SortNames are the names of columns.
func SortNames() (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}
