package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
)

// listing is what ls has found.
type listing struct {
	a     *app
	kinds []kind.Capable[kind.Lister]
	found map[string][]item
	long  bool
	less  func(a, b item) int
}

func (l *listing) objects(name string) []kind.Object {
	objects := []kind.Object{}
	for _, i := range l.found[name] {
		objects = append(objects, i.shown)
	}
	return objects
}

// all are the items of all kinds in one order: files last, of which there may be many that are
// memory to nobody but who reads them.
func (l *listing) all() []item {
	var all []item
	for _, k := range l.kinds {
		if k.Name() != inspect.KindFile {
			all = append(all, l.found[k.Name()]...)
		}
	}
	all = append(all, l.found[inspect.KindFile]...)
	if l.less != nil {
		slices.SortStableFunc(all, l.less)
	}
	return all
}

func (l *listing) printJSON() error {
	all := []kind.Object{}
	for _, i := range l.all() {
		all = append(all, i.shown)
	}
	return l.a.printJSON(all)
}

// printEach prints a table for each kind.
func (l *listing) printEach() error {
	for i, k := range l.kinds {
		if i > 0 {
			if _, err := fmt.Fprintln(l.a.out); err != nil {
				return err
			}
		}
		if err := l.printKind(k); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) printKind(k kind.Capable[kind.Lister]) error {
	if _, err := fmt.Fprintln(l.a.out, l.a.bold(k.Name()+": "+k.Title())); err != nil {
		return err
	}
	objects := l.objects(k.Name())
	if len(objects) == 0 {
		_, err := fmt.Fprintln(l.a.out, "none")
		return err
	}
	columns := k.Can.Columns()
	if _, ok := k.Kind.(kind.Inspected); ok {
		columns = withFacts(columns)
	}
	t := objectTable(columns, objects, l.long)
	if last := t.columns[len(t.columns)-1]; last.Field == "command" { // of which the beginning will do
		t.screen = l.width()
	}
	return t.write(l.a.out, l.a, "")
}

// width is where lines end; 0 if they do not: in the long form, and where there is no screen.
func (l *listing) width() (columns int) {
	if l.a.screen != nil && !l.long {
		columns, _ = l.a.screen()
	}
	return columns
}

// withFacts adds what the long form shows of every kind, in front of a command, which is long.
func withFacts(columns []kind.Column) []kind.Column {
	shown, command := map[string]bool{}, []kind.Column{}
	for i, c := range columns {
		shown[c.Field] = true
		if i == len(columns)-1 && c.Field == "command" {
			columns, command = columns[:i:i], columns[i:]
		}
	}
	for _, c := range []kind.Column{
		{Heading: "RESIDENT", Field: "resident", Right: true, Long: true}, {Heading: "SWAP", Field: "swapped", Right: true, Long: true},
		{Heading: "LOCKED", Field: "locked", Right: true, Long: true}, {Heading: "HUGE", Field: "huge", Right: true, Long: true},
		{Heading: "USED", Field: "in_use", Long: true},
	} {
		if !shown[c.Field] {
			columns = append(columns, c)
		}
	}
	return append(columns, command...)
}

// printOne prints all objects in one table, and the kinds behind it that package inspect does not know.
func (l *listing) printOne() error {
	var seen []*inspect.Object
	inspected, printed := false, false
	for _, k := range l.kinds {
		_, ok := k.Kind.(kind.Inspected)
		inspected = inspected || ok
	}
	for _, i := range l.all() {
		if i.seen != nil {
			seen = append(seen, i.seen)
		}
	}
	if inspected {
		seen, more := l.leaveOut(seen)
		if err := l.printTable(seen, more); err != nil {
			return err
		}
		printed = true
	}
	for _, k := range l.kinds {
		if _, ok := k.Kind.(kind.Inspected); ok {
			continue
		}
		if printed {
			if _, err := fmt.Fprintln(l.a.out); err != nil {
				return err
			}
		}
		printed = true
		if err := l.printKind(k); err != nil {
			return err
		}
	}
	return nil
}

// leaveOut takes out files that are mapped for reading only, of which one build or one desktop has
// hundreds: caches, fonts and the like. They are counted instead.
func (l *listing) leaveOut(seen []*inspect.Object) (shown, counted []*inspect.Object) {
	if l.long {
		return seen, nil
	}
	for _, o := range seen {
		if o.OnlyRead() {
			counted = append(counted, o)
		} else {
			shown = append(shown, o)
		}
	}
	return shown, counted
}

// printTable prints objects, and how many more there are.
func (l *listing) printTable(seen, more []*inspect.Object) error {
	if len(seen) == 0 {
		if _, err := fmt.Fprintln(l.a.out, "none"); err != nil {
			return err
		}
		return l.printMore(more)
	}
	t := &table{columns: []kind.Column{
		{Heading: "ADDRESS"}, {Heading: "SIZE", Right: true}, {Heading: "RESIDENT", Right: true}, {Heading: "SWAP", Right: true},
		{Heading: "OWNER"}, {Heading: "MODE"}, {Heading: "USERS", Right: true}, {Heading: "MARKS"}, {Heading: "WHAT"},
	}}
	if l.long {
		t.columns = append(t.columns[:4:4], append([]kind.Column{
			{Heading: "DIRTY", Right: true}, {Heading: "LOCKED", Right: true}, {Heading: "HUGE", Right: true}, {Heading: "ALLOC", Right: true},
		}, append(t.columns[4:5:5], append([]kind.Column{{Heading: "GROUP"}}, append(t.columns[5:7:7],
			kind.Column{Heading: "SINCE"}, kind.Column{Heading: "MARKS"}, kind.Column{Heading: "WHAT"})...)...)...)...)
	}
	names := &kind.Names{}
	for _, o := range seen {
		t.rows = append(t.rows, l.row(o, names))
	}
	t.wide = widestAddress
	t.screen = l.width()
	last := total(seen)
	if dropped := t.narrow(); len(dropped) > 0 {
		last += "; " + strings.ToLower(listed(dropped, "and")) + ": shmkit ls --long"
	}
	if err := t.write(l.a.out, l.a, ""); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(l.a.out, last); err != nil {
		return err
	}
	return l.printMore(more)
}

// printMore counts what was left out.
func (l *listing) printMore(more []*inspect.Object) error {
	if len(more) == 0 {
		return nil
	}
	var resident kind.Bytes
	for _, o := range more {
		resident += kind.Bytes(o.Resident.Bytes)
	}
	_, err := fmt.Fprintf(l.a.out, "and %s mapped for reading only, %s in memory: shmkit ls file\n",
		plural(len(more), "file", "files"), resident.Human())
	return err
}

// row is what the table of all objects shows of one.
func (l *listing) row(o *inspect.Object, names *kind.Names) []string {
	text := func(v kind.Value) string { return cell(v, l.long) }
	amount := func(a inspect.Amount) string {
		if o.ID == (inspect.ID{}) && o.Shared == nil {
			return "-"
		}
		return text(kind.Amount(a))
	}
	size := "-"
	if o.Kind != inspect.KindSemaphores && (o.Err == nil || o.Size > 0) {
		size = text(kind.Bytes(o.Size))
	}
	owner, group, mode := "-", "-", "-"
	switch {
	case o.ModeUnknown != "":
		owner, group, mode = "?", "?", "?"
	case o.Err == nil || o.Mode != 0:
		owner = names.User("", "", o.UID)[0].Value.Short()
		group = names.Group("", "", o.GID)[0].Value.Short()
		mode = kind.Mode(o.Mode.Perm()).Short()
	}
	users := "-"
	if isMapped(o) {
		users = strconv.Itoa(countUsers(o))
		if o.Use == inspect.Unknown || o.Use == inspect.Used && o.Hidden > 0 {
			users += "?"
		}
	}
	row := []string{shownAddress(o), size, amount(o.Resident), amount(o.Swapped)}
	if l.long {
		row = append(row, amount(o.Dirty), amount(o.Locked), amount(o.Huge), amount(o.Allocated), owner, group, mode, users, text(kind.Time(birth(o))))
	} else {
		row = append(row, owner, mode, users)
	}
	return append(row, marksOf(o).Short(), whatIs(o))
}

// isMapped reports whether an object is one that processes map or have open.
func isMapped(o *inspect.Object) bool {
	return o.Kind != inspect.KindSemaphores && o.Kind != inspect.KindMessageQueue
}

// shownAddress is the address that people know: of what is System V's by key, if it has one that leads
// there.
func shownAddress(o *inspect.Object) string {
	if isSystemV(o.Kind) && o.Key != 0 && !isForeign(o) && !(o.Kind == inspect.KindSegment && o.Removed) {
		return fmt.Sprintf("%s:%#x", o.Kind, o.Key)
	}
	return o.Address
}

// total is the last line: what the list comes to.
func total(seen []*inspect.Object) string {
	var size, resident kind.Bytes
	unknown := 0
	for _, o := range seen {
		if !isMapped(o) {
			continue
		}
		size += kind.Bytes(o.Size)
		if o.Resident.Unknown != "" {
			unknown++
		} else {
			resident += kind.Bytes(o.Resident.Bytes)
		}
	}
	text := fmt.Sprintf("%s, %s, %s in memory", plural(len(seen), "object", "objects"), size.Human(), resident.Human())
	if unknown > 0 {
		text += fmt.Sprintf(" (not known of %d)", unknown)
	}
	return text
}
