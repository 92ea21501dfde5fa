package lockkind

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/pshared"
)

// Columns implements kind.Lister.
func (k shared) Columns() []kind.Column {
	columns := []kind.Column{
		{Heading: "ADDRESS", Field: "address"},
		{Heading: "STATE", Field: "state"},
		{Heading: "HOLDER", Field: "holder_pid", Right: true},
		{Heading: "COMMAND", Field: "holder_command"},
		{Heading: "HOLDERS", Field: "holders", Right: true},
	}
	if k.Word == "struct" { // of which each word has a state
		columns = []kind.Column{
			{Heading: "ADDRESS", Field: "address"},
			{Heading: "TYPE", Field: "type"},
			{Heading: "WORDS", Field: "words", Right: true},
			{Heading: "HELD", Field: "holders", Right: true},
		}
	}
	columns = append(columns, []kind.Column{
		{Heading: "WAITING", Field: "waiting", Right: true},
		{Heading: "MEMBERS", Field: "living", Right: true},
		{Heading: "DEAD", Field: "dead_members", Right: true},
	}...)
	return append(columns, named.FileColumns()...)
}

// List implements kind.Lister.
func (k shared) List() ([]kind.Object, error) {
	return k.Each(func(name string, users *kind.Names) (kind.Object, error) {
		i, err := pshared.Look(k.Word, name, "")
		if errors.Is(err, fs.ErrNotExist) {
			return kind.Object{}, err
		}
		return k.describe(k.Address(name), i, err, users), nil
	})
}

// Describe implements kind.Inspected.
func (k shared) Describe(seen []inspect.Object) []kind.Object {
	return named.Describe(seen, func(a address.Address, o *inspect.Object, users *kind.Names) kind.Object {
		i := pshared.Info{Path: o.Path, Size: int64(o.Size), UID: o.UID, GID: o.GID, Mode: o.Mode, Created: o.Created}
		if o.Shared != nil && o.Shared.Lock != nil {
			i = *o.Shared.Lock
		}
		return k.describe(a, i, o.Err, users)
	})
}

// Stat implements kind.Stater.
func (k shared) Stat(a address.Address) (kind.Object, error) {
	i, err := pshared.Look(k.Word, named.Of(a), "")
	if errors.Is(err, fs.ErrNotExist) {
		return kind.Object{}, kind.Missing(a, err)
	}
	o := k.describe(a, i, err, &kind.Names{})
	o.Fields = append(o.Fields,
		kind.Field{Name: "path", Value: kind.Text(i.Path)},
		kind.Field{Name: "slots", Value: named.Known(err, kind.Count(i.Slots))})
	if k.Word == "struct" {
		o.Fields = append(o.Fields, kind.Field{Name: "fields", Value: words(i)})
	}
	o.Fields = append(o.Fields, kind.Field{Name: "members", Value: members(i)})
	return o, nil
}

// describe is what a list tells of an object; why, if not nil, is why it tells no more.
func (k shared) describe(a address.Address, i pshared.Info, why error, users *kind.Names) kind.Object {
	living, waiting, holders := 0, 0, 0
	for _, m := range i.Members {
		if m.Alive {
			living++
			waiting += m.Waiting
		}
	}
	for _, w := range i.Words {
		holders += len(w.Holders)
	}
	known := func(v kind.Value) kind.Value { return named.Known(why, v) }
	o := kind.Object{Address: a, Owners: []uint32{i.UID}, Fields: named.Begin(a)}
	o.Fields = append(o.Fields, kind.Field{Name: "type", Value: known(kind.Text(i.Type))})
	if k.Word == "struct" {
		o.Fields = append(o.Fields, kind.Field{Name: "words", Value: known(kind.Count(len(i.Words)))})
	} else {
		var w pshared.WordInfo
		if len(i.Words) == 1 {
			w = i.Words[0]
		}
		var pid, command kind.Value = kind.None{}, kind.None{}
		if len(w.Holders) > 0 {
			m := i.Members[w.Holders[0].Member]
			pid, command = kind.PID(m.PID), kind.Text(m.Command)
		}
		o.Fields = append(o.Fields,
			kind.Field{Name: "state", Value: known(kind.Text(w.State))},
			kind.Field{Name: "holder_pid", Value: known(pid)},
			kind.Field{Name: "holder_command", Value: known(command)})
	}
	o.Fields = append(o.Fields, []kind.Field{
		{Name: "holders", Value: known(kind.Count(holders))},
		{Name: "waiting", Value: known(kind.Count(waiting))},
		{Name: "living", Value: known(kind.Count(living))},
		{Name: "dead_members", Value: known(kind.Count(len(i.Members) - living))},
		{Name: "size", Value: kind.Bytes(i.Size)},
		{Name: "persistent", Value: known(kind.Flag(i.Persistent))},
	}...)
	o.Fields = append(o.Fields, named.File{UID: i.UID, GID: i.GID, Mode: i.Mode, Created: kind.Time(i.Created)}.Fields(users)...)
	return o
}

// words is the table of what can be held or waited for in a struct.
func words(i pshared.Info) kind.List {
	list := kind.List{Columns: []kind.Column{
		{Heading: "OFFSET", Field: "offset", Right: true}, {Heading: "FIELD", Field: "field"}, {Heading: "KIND", Field: "kind"},
		{Heading: "STATE", Field: "state"}, {Heading: "HELD BY", Field: "held_by"},
	}}
	for _, w := range i.Words {
		list.Items = append(list.Items, kind.Object{Fields: []kind.Field{
			{Name: "offset", Value: kind.Count(w.Offset)},
			{Name: "field", Value: kind.Text(w.Path)},
			{Name: "kind", Value: kind.Text(w.Kind)},
			{Name: "state", Value: kind.Text(w.State)},
			{Name: "held_by", Value: kind.Text(heldBy(i, w))},
			{Name: "waiters", Value: kind.Flag(w.Waiters), Machine: true},
		}})
	}
	return list
}

// heldBy names the holders of a word: "812 (read 2), 990 (read)".
func heldBy(i pshared.Info, w pshared.WordInfo) string {
	var all []string
	for _, h := range w.Holders {
		text := strconv.Itoa(i.Members[h.Member].PID)
		switch how := howHeld(h); how {
		case "", "1":
		default:
			text += " (" + how + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// howHeld is how a member holds something: "write", "read 3", "2".
func howHeld(h pshared.Holder) string {
	switch {
	case h.Mode != "" && h.Count > 1:
		return fmt.Sprintf("%s %d", h.Mode, h.Count)
	case h.Mode != "":
		return h.Mode
	}
	return strconv.Itoa(h.Count)
}

// members is the table of who has the lock open, or had when it died.
func members(i pshared.Info) kind.List {
	return named.Members(i.Members, func(n int) kind.Value {
		var holds []string
		for _, w := range i.Words {
			for _, h := range w.Holders {
				switch {
				case h.Member != n:
				case w.Path != "":
					holds = append(holds, strings.TrimSuffix(w.Path+" "+howHeld(h), " 1"))
				case howHeld(h) == "1":
					holds = append(holds, "yes")
				default:
					holds = append(holds, howHeld(h))
				}
			}
		}
		return kind.Text(strings.Join(holds, ", "))
	})
}
