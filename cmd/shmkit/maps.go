package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newMapsCommand(a *app) *cobra.Command {
	var asJSON, shared bool
	cmd := &cobra.Command{
		Use:        "maps PID [flags]",
		SuggestFor: []string{"pmap", "smaps"},
		Short:      "Show what a process maps",
		Long: `Maps shows the mappings of a process: where, how long, and what it may do there
(r, w, x, and s for shared or p for private); RSS, what of it is in memory for
this process, and PSS, the same with each page divided by how many map it; DIRTY,
pages that were written and that others share, and PRIVATE, dirty pages of this
process alone; SWAP and LOCKED; OFFSET, where in the object it begins; and OBJECT,
the address of what is mapped, for shmkit stat, who and pages. What stands there
in brackets is no object.

PID may be self, which is shmkit itself; $$ is the shell that one types in. What a
process of another user maps only root sees. Of a process that tells where its
mappings are and not how large, what is not known is "-".

--json prints one object: "pid", "command", "user" and "uid", "minor_faults" and
"major_faults" so far, "locked", "mappings", an array with addresses as hexadecimal
strings ("0x7f12a4000000", as shmkit pages has them) and sizes in bytes, and
"total".`,
		Example: `  shmkit maps 812
  shmkit maps $$ --shared
  shmkit maps 812 --json | jq '.mappings[] | select(.shared) | .object'`,
		Args:              exactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := parsePID(args[0])
			if err != nil {
				return err
			}
			o := a.inspect
			m, err := inspect.MappingsOf(pid, &o)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return &kind.Error{Text: fmt.Sprintf("there is no process %d", pid), Err: err}
			case errors.Is(err, fs.ErrPermission):
				return &kind.Error{Text: fmt.Sprintf("process %d does not let this user look at what it maps: it is another user's, or has changed its user; root may", pid), Err: err}
			case err != nil:
				return err
			}
			if shared {
				m.Mappings = slices.DeleteFunc(m.Mappings, func(r inspect.Mapping) bool { return r.Protection&inspect.SharedMapping == 0 })
			}
			if asJSON {
				return a.printJSON(mapsObject(&m))
			}
			return a.printMaps(&m)
		},
	}
	jsonFlag(cmd, &asJSON, "print one JSON object")
	cmd.Flags().BoolVar(&shared, "shared", false, "only what is mapped shared")
	return cmd
}

// parsePID reads the argument PID. As in addresses, self is the process that asks.
func parsePID(text string) (int, error) {
	if text == "self" {
		return os.Getpid(), nil
	}
	pid, err := strconv.ParseInt(text, 10, 32)
	if err == nil && pid > 0 {
		return int(pid), nil
	}
	if addr, err := address.Parse(text); err == nil && address.HasKind(text) {
		return 0, usagef("%s is the address of an object; shmkit maps takes the number of a process, and shmkit who %s shows which use it", addr, addr)
	}
	return 0, usagef("%q is no number of a process: write one such as 812, or self", text)
}

// mapSums are the amounts of a mapping that are added up.
var mapSums = []struct {
	name, heading string // no heading: in JSON only
	of            func(m *inspect.Mapping) uint64
}{
	{"length", "LENGTH", func(m *inspect.Mapping) uint64 { return m.Len() }},
	{"resident", "RSS", func(m *inspect.Mapping) uint64 { return m.Resident }},
	{"proportional", "PSS", func(m *inspect.Mapping) uint64 { return m.Proportional }},
	{"shared_clean", "", func(m *inspect.Mapping) uint64 { return m.SharedClean }},
	{"shared_dirty", "DIRTY", func(m *inspect.Mapping) uint64 { return m.SharedDirty }},
	{"private_clean", "", func(m *inspect.Mapping) uint64 { return m.PrivateClean }},
	{"private_dirty", "PRIVATE", func(m *inspect.Mapping) uint64 { return m.PrivateDirty }},
	{"referenced", "", func(m *inspect.Mapping) uint64 { return m.Referenced }},
	{"anonymous", "", func(m *inspect.Mapping) uint64 { return m.Anonymous }},
	{"swapped", "SWAP", func(m *inspect.Mapping) uint64 { return m.Swapped }},
	{"locked", "LOCKED", func(m *inspect.Mapping) uint64 { return m.Locked }},
	{"huge", "", func(m *inspect.Mapping) uint64 { return m.Huge }},
}

// amounts are the sizes of a mapping, or of all.
func amounts(p *inspect.ProcessMap, of func(i int) uint64) []kind.Field {
	var fields []kind.Field
	for i, s := range mapSums {
		var v kind.Value = kind.Bytes(of(i))
		if p.Unknown != "" && s.name != "length" {
			v = kind.Unknown(p.Unknown)
		}
		fields = append(fields, kind.Field{Name: s.name, Value: v})
	}
	return fields
}

func totals(p *inspect.ProcessMap) kind.Object {
	sums := make([]uint64, len(mapSums))
	for n := range p.Mappings {
		for i, s := range mapSums {
			sums[i] += s.of(&p.Mappings[n])
		}
	}
	return kind.Object{Fields: amounts(p, func(i int) uint64 { return sums[i] })}
}

// hexadecimal is an address of memory. In JSON it is a string, as in shmkit pages: numbers of JSON have 53 bits to many.
func hexadecimal(n uint64) kind.Text { return kind.Text(fmt.Sprintf("%#x", n)) }

// mapsObject is a process and what it maps.
func mapsObject(p *inspect.ProcessMap) kind.Object {
	var list kind.List
	for n := range p.Mappings {
		list.Items = append(list.Items, mappingObject(p, &p.Mappings[n]))
	}
	var unknown kind.Value = kind.Unknown("")
	if p.Unknown != "" {
		unknown = kind.Text(p.Unknown)
	}
	fields := []kind.Field{{Name: "pid", Value: kind.PID(p.PID)}, {Name: "command", Value: kind.Text(p.Command)}}
	fields = append(fields, (&kind.Names{}).User("user", "uid", p.UID)...)
	return kind.Object{Fields: append(fields, []kind.Field{
		{Name: "minor_faults", Value: kind.Count(p.MinorFaults)},
		{Name: "major_faults", Value: kind.Count(p.MajorFaults)},
		{Name: "locked", Value: kind.Amount(p.Locked)},
		{Name: "sizes_unknown", Value: unknown},
		{Name: "mappings", Value: list},
		{Name: "total", Value: record{totals(p)}},
	}...)}
}

// record is an object within an object.
type record struct{ kind.Object }

func (record) Short() string { return "" }
func (record) Long() string  { return "" }

func mappingObject(p *inspect.ProcessMap, m *inspect.Mapping) kind.Object {
	var object kind.Value = kind.Text(m.Object)
	if m.Object == "" {
		object = kind.Unknown("it is memory of the process alone")
	}
	o := kind.Object{Fields: []kind.Field{
		{Name: "start", Value: hexadecimal(m.Start)},
		{Name: "end", Value: hexadecimal(m.End)},
		{Name: "protection", Value: kind.Text(m.Protection.String())},
		{Name: "shared", Value: kind.Flag(m.Protection&inspect.SharedMapping != 0)},
		{Name: "object", Value: object},
		{Name: "path", Value: kind.Text(m.Path)},
		{Name: "deleted", Value: kind.Flag(m.Gone)},
		{Name: "device", Value: kind.Text(m.Device)},
		{Name: "inode", Value: kind.Count(m.ID.Inode)},
		{Name: "offset", Value: kind.Count(m.Offset)},
	}}
	o.Fields = append(o.Fields, amounts(p, func(i int) uint64 { return mapSums[i].of(m) })...)
	return kind.Object{Fields: append(o.Fields,
		kind.Field{Name: "page_size", Value: kind.Bytes(m.PageSize)},
		kind.Field{Name: "flags", Value: kind.Marks(m.Flags)},
	)}
}

// printMaps prints the mappings as a table, what they come to, and the faults so far.
func (a *app) printMaps(p *inspect.ProcessMap) error {
	t := &table{columns: []kind.Column{{Heading: "ADDRESS"}, {Heading: "PROT"}}}
	for _, s := range mapSums {
		if s.heading != "" {
			t.columns = append(t.columns, kind.Column{Heading: s.heading, Right: true})
		}
	}
	t.columns = append(t.columns, kind.Column{Heading: "OFFSET", Right: true}, kind.Column{Heading: "OBJECT"})
	row := func(first, prot string, sizes kind.Object, offset, object string) {
		cells := []string{first, prot}
		for _, s := range mapSums {
			if s.heading != "" {
				cells = append(cells, sizes.Value(s.name).Short())
			}
		}
		t.rows = append(t.rows, append(cells, offset, object))
	}
	for n := range p.Mappings {
		m := &p.Mappings[n]
		row(fmt.Sprintf("%x-%x", m.Start, m.End), m.Protection.String(), mappingObject(p, m), strconv.FormatUint(m.Offset, 16), mappedThing(m))
	}
	row("total", "", totals(p), "", plural(len(p.Mappings), "mapping", "mappings"))
	if _, err := fmt.Fprintln(a.out, a.bold(oneLine(fmt.Sprintf("process %d: %s", p.PID, p.Command)))); err != nil {
		return err
	}
	if err := t.write(a.out, a, ""); err != nil {
		return err
	}
	if p.Unknown != "" {
		if _, err := fmt.Fprintf(a.out, "sizes in memory are not known: %s\n", oneLine(p.Unknown)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.out, "faults so far: %d answered from memory, %d read from a device\n", p.MinorFaults, p.MajorFaults)
	return err
}

// mappedThing is what the last column shows: an address of shmkit, or what /proc calls it.
func mappedThing(m *inspect.Mapping) string {
	text := m.Object
	if text == "" {
		text = m.Path
	}
	if m.Gone && m.Path != "" && strings.HasPrefix(m.Object, "map:") {
		switch m.ID.Class {
		case inspect.MemfdClass:
			text += fmt.Sprintf(" (memfd %q)", strings.TrimPrefix(m.Path, "/memfd:"))
		case inspect.AnonymousClass:
			text += " (never had a name)"
		case inspect.SegmentClass:
			text += " (segment of another IPC namespace)"
		default:
			text += fmt.Sprintf(" (was %s)", m.Path)
		}
	}
	return kind.Text(text).Short()
}
