package topickind

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/topic"
)

// Columns implements kind.Lister.
func (Topics) Columns() []kind.Column {
	return append([]kind.Column{
		{Heading: "ADDRESS", Field: "address"},
		{Heading: "TYPE", Field: "type", Long: true},
		{Heading: "PUBS", Field: "living_publishers", Right: true},
		{Heading: "SUBS", Field: "living_subscribers", Right: true},
		{Heading: "SENT", Field: "sent", Right: true},
		{Heading: "BEHIND", Field: "behind", Right: true},
		{Heading: "MAXMSG", Field: "max_message", Right: true, Long: true},
		{Heading: "DEPTH", Field: "depth", Right: true, Long: true},
		{Heading: "HISTORY", Field: "history", Right: true, Long: true},
		{Heading: "WAITING", Field: "waiting", Right: true},
		{Heading: "MEMBERS", Field: "living", Right: true},
		{Heading: "DEAD", Field: "dead_members", Right: true},
		{Heading: "SIZE", Field: "size", Right: true},
	}, named.FileColumns()...)
}

// List implements kind.Lister.
func (k Topics) List() ([]kind.Object, error) {
	return k.Each(func(name string, users *kind.Names) (kind.Object, error) {
		v, err := topic.Look(name, "")
		if errors.Is(err, fs.ErrNotExist) {
			return kind.Object{}, err
		}
		return k.describe(k.Address(name), v, err, users), nil
	})
}

// Describe implements kind.Inspected.
func (k Topics) Describe(seen []inspect.Object) []kind.Object {
	return named.Describe(seen, func(a address.Address, o *inspect.Object, users *kind.Names) kind.Object {
		v := topic.Overview{Path: o.Path, UID: o.UID, GID: o.GID, Mode: o.Mode, Created: o.Created}
		v.Size = int64(o.Size)
		if o.Shared != nil && o.Shared.Topic != nil {
			v = *o.Shared.Topic
		}
		return k.describe(a, v, o.Err, users)
	})
}

// Stat implements kind.Stater.
func (k Topics) Stat(a address.Address) (kind.Object, error) {
	v, err := topic.Look(named.Of(a), "")
	if errors.Is(err, fs.ErrNotExist) {
		return kind.Object{}, kind.Missing(a, err)
	}
	o := k.describe(a, v, err, &kind.Names{})
	lists := []kind.Field{
		{Name: "publishers", Value: publishers(v)},
		{Name: "subscribers", Value: subscribers(v)},
	}
	if v.MessagesErr != nil {
		lists[0].Value = kind.Unknown(v.MessagesErr.Error())
	}
	o.Fields = append(o.Fields,
		kind.Field{Name: "path", Value: kind.Text(v.Path)},
		kind.Field{Name: "messages_path", Value: kind.Text(v.MessagesPath)},
		kind.Field{Name: "slots", Value: named.Known(err, kind.Count(v.Slots))})
	o.Fields = append(append(o.Fields, lists...), kind.Field{Name: "members", Value: members(v)})
	return o, nil
}

// describe is what a list tells of a topic; why, if not nil, is why it tells no more.
func (k Topics) describe(a address.Address, v topic.Overview, why error, users *kind.Names) kind.Object {
	unread := why // of the file of messages
	if unread == nil {
		unread = v.MessagesErr
	}
	var sent, behind, held uint64
	for _, l := range v.Lanes {
		sent += l.Sent
	}
	for _, s := range v.Seats {
		if s.Alive {
			behind = max(behind, s.Behind)
			held += uint64(s.Held)
		}
	}
	living, waiting := 0, 0
	for _, m := range v.Members {
		if m.Alive {
			living++
			waiting += m.Waiting
		}
	}
	o := kind.Object{Address: a, Owners: []uint32{v.UID}, Fields: named.Begin(a)}
	for _, f := range []struct {
		name  string
		why   error
		value kind.Value
	}{
		{"type", why, kind.Text(v.Type)},
		{"living_publishers", unread, kind.Count(v.Publishers)},
		{"living_subscribers", why, kind.Count(v.Subscribers)},
		{"sent", unread, kind.Count(sent)},
		{"behind", unread, kind.Count(behind)}, // who is furthest
		{"held", why, kind.Count(held)},
		{"max_message", why, kind.Bytes(v.MaxMessage)},
		{"depth", why, kind.Count(v.Depth)},
		{"history", why, kind.Count(v.History)},
		{"best_effort", why, kind.Flag(v.BestEffort)},
		{"timestamps", why, kind.Flag(v.Timestamps)},
		{"max_publishers", why, kind.Count(v.MaxPublishers)},
		{"max_subscribers", why, kind.Count(v.MaxSubscribers)},
		{"max_held", why, kind.Count(v.Held)},
		{"max_loans", why, kind.Count(v.Loans)},
		{"waiting", why, kind.Count(waiting)},
		{"living", why, kind.Count(living)},
		{"dead_members", why, kind.Count(len(v.Members) - living)},
	} {
		o.Fields = append(o.Fields, kind.Field{Name: f.name, Value: named.Known(f.why, f.value)})
	}
	o.Fields = append(o.Fields, kind.Field{Name: "size", Value: kind.Bytes(v.Size + v.MessagesSize)})
	o.Fields = append(o.Fields, memory(v, why)...)
	o.Fields = append(o.Fields, kind.Field{Name: "persistent", Value: named.Known(why, kind.Flag(v.Persistent))})
	o.Fields = append(o.Fields, named.File{UID: v.UID, GID: v.GID, Mode: v.Mode, Created: kind.Time(v.Created)}.Fields(users)...)
	o.Fields = append(o.Fields, kind.Field{Name: "publish_mode", Value: named.Known(why, kind.Mode(v.PublishMode))})
	return o
}

// memory tells what the memory of a topic is for.
func memory(v topic.Overview, why error) []kind.Field {
	rings := v.MaxPublishers * v.Ring * v.SlotSize
	chunks := v.MaxPublishers * v.Chunks * v.ChunkSize
	fields := []kind.Field{
		{Name: "shared_size", Value: kind.Bytes(v.Size)},
		{Name: "messages_size", Value: kind.Bytes(v.MessagesSize)},
		{Name: "rings_size", Value: kind.Bytes(rings)},
		{Name: "chunks_size", Value: kind.Bytes(chunks)},
		{Name: "ring", Value: kind.Count(v.Ring)},
		{Name: "slot_size", Value: kind.Bytes(v.SlotSize)},
		{Name: "chunks", Value: kind.Count(v.Chunks)},
		{Name: "chunk_size", Value: kind.Bytes(v.ChunkSize)},
	}
	for i := range fields {
		fields[i].Value = named.Known(why, fields[i].Value)
	}
	return fields
}

// process are the fields that say whose something is.
func process(v topic.Overview, member int, alive bool) []kind.Field {
	f := []kind.Field{{Name: "pid", Value: kind.None{}}, {Name: "command", Value: kind.None{}}, {Name: "alive", Value: kind.Flag(alive)}}
	for _, m := range v.Members {
		if m.Slot == member {
			f[0].Value, f[1].Value = kind.PID(m.PID), kind.Text(m.Command)
		}
	}
	return f
}

var processColumns = []kind.Column{
	{Heading: "PID", Field: "pid", Right: true}, {Heading: "COMMAND", Field: "command"}, {Heading: "ALIVE", Field: "alive"},
}

// publishers is the table of them, and of those that have gone and left messages.
func publishers(v topic.Overview) kind.List {
	list := kind.List{Columns: append([]kind.Column{{Heading: "ID", Field: "id", Right: true}}, append(processColumns,
		kind.Column{Heading: "SENT", Field: "sent", Right: true}, kind.Column{Heading: "FREE", Field: "free", Right: true})...)}
	for _, l := range v.Lanes {
		f := append([]kind.Field{{Name: "id", Value: kind.Count(l.Publisher)}}, process(v, l.Member, l.Alive)...)
		list.Items = append(list.Items, kind.Object{Fields: append(f,
			kind.Field{Name: "sent", Value: kind.Count(l.Sent)}, kind.Field{Name: "free", Value: kind.Count(l.Free)})})
	}
	return list
}

// subscribers is the table of them, and of those that died.
func subscribers(v topic.Overview) kind.List {
	list := kind.List{Columns: append(append([]kind.Column{}, processColumns...),
		kind.Column{Heading: "RELIABLE", Field: "reliable"}, kind.Column{Heading: "BEHIND", Field: "behind", Right: true},
		kind.Column{Heading: "HELD", Field: "held", Right: true})}
	for _, s := range v.Seats {
		list.Items = append(list.Items, kind.Object{Fields: append(process(v, s.Member, s.Alive),
			kind.Field{Name: "reliable", Value: kind.Flag(s.Reliable)},
			kind.Field{Name: "behind", Value: named.Known(v.MessagesErr, kind.Count(s.Behind))},
			kind.Field{Name: "held", Value: kind.Count(s.Held)})})
	}
	return list
}

// members is the table of who has the topic open, or had when it died.
func members(v topic.Overview) kind.List {
	all := v.Members
	return named.Members(all, func(n int) kind.Value {
		lanes, seats := 0, 0
		for _, l := range v.Lanes {
			if l.Member == all[n].Slot {
				lanes++
			}
		}
		for _, s := range v.Seats {
			if s.Member == all[n].Slot {
				seats++
			}
		}
		var has []string
		for _, is := range []struct {
			n    int
			word string
		}{{lanes, "publisher"}, {seats, "subscriber"}} {
			switch {
			case is.n == 1:
				has = append(has, is.word)
			case is.n > 1:
				has = append(has, fmt.Sprintf("%d %ss", is.n, is.word))
			}
		}
		return kind.Text(strings.Join(has, ", "))
	})
}
