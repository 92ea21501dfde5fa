package queuekind

import (
	"errors"
	"io/fs"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
)

// Columns implements kind.Lister.
func (Queues) Columns() []kind.Column {
	return append([]kind.Column{
		{Heading: "ADDRESS", Field: "address"},
		{Heading: "TYPE", Field: "type", Long: true},
		{Heading: "READY", Field: "ready", Right: true},
		{Heading: "CLAIMED", Field: "claimed", Right: true},
		{Heading: "WRITING", Field: "writing", Right: true, Long: true},
		{Heading: "CAP", Field: "capacity", Right: true},
		{Heading: "LETTERS", Field: "dead_letters", Right: true},
		{Heading: "DROPPED", Field: "dropped", Right: true, Long: true},
		{Heading: "WAITING", Field: "waiting", Right: true},
		{Heading: "MEMBERS", Field: "living", Right: true},
		{Heading: "DEAD", Field: "dead_members", Right: true},
		{Heading: "SIZE", Field: "size", Right: true},
	}, named.FileColumns()...)
}

// List implements kind.Lister.
func (k Queues) List() ([]kind.Object, error) {
	return k.Each(func(name string, users *kind.Names) (kind.Object, error) {
		i, err := queue.Look(name, "")
		if errors.Is(err, fs.ErrNotExist) {
			return kind.Object{}, err
		}
		return k.describe(k.Address(name), i, err, users), nil
	})
}

// Describe implements kind.Inspected.
func (k Queues) Describe(seen []inspect.Object) []kind.Object {
	return named.Describe(seen, func(a address.Address, o *inspect.Object, users *kind.Names) kind.Object {
		i := queue.Info{Path: o.Path, UID: o.UID, GID: o.GID, Mode: o.Mode, Created: o.Created}
		i.Size = int64(o.Size)
		if o.Shared != nil && o.Shared.Queue != nil {
			i = *o.Shared.Queue
		}
		return k.describe(a, i, o.Err, users)
	})
}

// Stat implements kind.Stater.
func (k Queues) Stat(a address.Address) (kind.Object, error) {
	i, err := queue.Look(named.Of(a), "")
	if errors.Is(err, fs.ErrNotExist) {
		return kind.Object{}, kind.Missing(a, err)
	}
	o := k.describe(a, i, err, &kind.Names{})
	o.Fields = append(o.Fields,
		kind.Field{Name: "path", Value: kind.Text(i.Path)},
		kind.Field{Name: "slots", Value: named.Known(err, kind.Count(i.Slots))},
		kind.Field{Name: "members", Value: members(i)})
	return o, nil
}

// describe is what a list tells of a queue; why, if not nil, is why it tells no more.
func (k Queues) describe(a address.Address, i queue.Info, why error, users *kind.Names) kind.Object {
	living, waiting := 0, 0
	for _, m := range i.Members {
		if m.Alive {
			living++
			waiting += m.Waiting
		}
	}
	o := kind.Object{Address: a, Owners: []uint32{i.UID}, Fields: named.Begin(a)}
	add := func(name string, v kind.Value) {
		o.Fields = append(o.Fields, kind.Field{Name: name, Value: named.Known(why, v)})
	}
	add("type", kind.Text(i.Type))
	for _, n := range []struct {
		name string
		n    int
	}{
		{"ready", i.Ready}, {"claimed", i.Claimed}, {"writing", i.Writing}, {"capacity", i.Capacity},
		{"dead_letters", i.Dead}, {"dead_letters_held", i.DeadHeld}, {"orphaned", i.Orphaned},
		{"max_deliveries", i.Deliveries}, {"max_dead_letters", i.DeadLetters},
	} {
		add(n.name, kind.Count(n.n))
	}
	add("max_item", kind.Bytes(i.MaxItem))
	add("pushed", kind.Count(i.Pushed))
	add("dropped", kind.Count(i.Dropped))
	add("waiting", kind.Count(waiting))
	add("living", kind.Count(living))
	add("dead_members", kind.Count(len(i.Members)-living))
	o.Fields = append(o.Fields, kind.Field{Name: "size", Value: kind.Bytes(i.Size)}, kind.Field{Name: "persistent", Value: named.Known(why, kind.Flag(i.Persistent))})
	o.Fields = append(o.Fields, named.File{UID: i.UID, GID: i.GID, Mode: i.Mode, Created: kind.Time(i.Created)}.Fields(users)...)
	return o
}

// members is the table of who has the queue open, or had when it died.
func members(i queue.Info) kind.List {
	all := make([]pshared.MemberInfo, len(i.Members))
	for n, m := range i.Members {
		all[n] = m.MemberInfo
	}
	return named.Members(all, func(n int) kind.Value { return kind.Count(i.Members[n].Held) })
}
