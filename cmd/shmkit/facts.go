package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/pshared"
)

// addFacts adds what is known of objects of every kind. What the kind has told itself stays, unless
// that was unknown.
func addFacts(o *kind.Object, seen *inspect.Object, users *kind.Names) {
	for _, f := range factsOf(seen, users) {
		if _, unknown := f.Value.(kind.Unknown); unknown && o.Value(f.Name) != nil {
			continue
		}
		if o.Value(f.Name) != nil {
			o.Set(f.Name, f.Value)
			continue
		}
		o.Fields = append(o.Fields, f)
	}
}

func factsOf(o *inspect.Object, users *kind.Names) []kind.Field {
	memory := o.ID != (inspect.ID{})
	var fields []kind.Field
	for _, f := range []struct {
		name   string
		amount inspect.Amount
	}{
		{"resident", o.Resident}, {"swapped", o.Swapped}, {"dirty", o.Dirty}, {"locked", o.Locked}, {"huge", o.Huge},
	} {
		v := kind.Amount(f.amount)
		if !memory && v == kind.Bytes(0) {
			v = kind.Unknown("it is no memory that is mapped")
		}
		fields = append(fields, kind.Field{Name: f.name, Value: v, Machine: !memory})
	}
	var inode, device kind.Value = kind.Unknown("it is no file"), kind.Unknown("it is no file")
	if memory {
		inode, device = kind.Count(o.ID.Inode), kind.Text(fmt.Sprintf("%d:%d", o.ID.Major, o.ID.Minor))
	}
	if o.Kind == inspect.KindSegment {
		device = kind.Unknown("it is the kernel's own")
	}
	var was kind.Value = kind.Unknown("it has not lost its name")
	if name := formerName(o); name != "" {
		was = kind.Text(name)
	}
	mapped := 0
	for _, u := range o.Users {
		if u.Mapped > 0 {
			mapped++
		}
	}
	return append(fields,
		kind.Field{Name: "inode", Value: inode, Machine: !memory},
		kind.Field{Name: "device", Value: device, Machine: !memory},
		kind.Field{Name: "removed", Value: kind.Flag(o.Removed)},
		kind.Field{Name: "was", Value: was, Machine: formerName(o) == ""},
		kind.Field{Name: "in_use", Value: use{o.Use, o.UseWhy}},
		kind.Field{Name: "in_use_why", Value: kind.Text(o.UseWhy), Machine: true},
		kind.Field{Name: "mapped_by", Value: kind.Count(mapped), Machine: true},
		kind.Field{Name: "processes_hidden", Value: kind.Count(o.Hidden), Machine: true},
		kind.Field{Name: "users_hidden", Value: hiddenUsers(o.Hidden), Machine: o.Hidden == 0},
		kind.Field{Name: "users", Value: userList(o, users)},
	)
}

// use is whether anybody uses an object: a word, and in a line of its own how that is known.
type use struct {
	use inspect.Use
	why string
}

func (u use) Short() string {
	switch u.use {
	case inspect.Used:
		return "yes"
	case inspect.Unused:
		return "no"
	}
	return "unknown"
}

func (u use) Long() string {
	if u.why == "" {
		return u.Short()
	}
	return u.Short() + ": " + u.why
}

func (u use) MarshalJSON() ([]byte, error) { return json.Marshal(u.Short()) }

// hiddenUsers is how many processes could not be looked at.
type hiddenUsers int

func (n hiddenUsers) Short() string { return strconv.Itoa(int(n)) }

func (n hiddenUsers) Long() string {
	return plural(int(n), "process does", "processes do") + " not let this user look"
}

// descriptors are numbers of them.
type descriptors []int

func (d descriptors) Short() string {
	if len(d) == 0 {
		return kind.Text("").Short()
	}
	words := make([]string, len(d))
	for i, fd := range d {
		words[i] = strconv.Itoa(fd)
	}
	return strings.Join(words, ",")
}

func (d descriptors) Long() string { return d.Short() }

func (d descriptors) MarshalJSON() ([]byte, error) { return json.Marshal(append([]int{}, d...)) }

// userList is who uses an object: who maps it or has a descriptor of it, and the living members
// of an object of shmkit, seen or not.
func userList(o *inspect.Object, names *kind.Names) kind.List {
	list := kind.List{Columns: []kind.Column{
		{Heading: "PID", Field: "pid", Right: true}, {Heading: "USER", Field: "user"}, {Heading: "COMMAND", Field: "command"},
		{Heading: "MAPPED", Field: "mapped", Right: true}, {Heading: "RESIDENT", Field: "resident", Right: true}, {Heading: "HOW", Field: "how"},
		{Heading: "FDS", Field: "descriptors"},
	}}
	var listed []int
	for i := range o.Users {
		u := &o.Users[i]
		if u.Self {
			continue
		}
		listed = append(listed, u.PID)
		fields := []kind.Field{
			{Name: "pid", Value: kind.PID(u.PID)},
			{Name: "command", Value: kind.Text(u.Command)},
		}
		fields = append(fields, names.User("user", "uid", u.UID)...)
		resident := kind.Amount(u.Resident)
		list.Items = append(list.Items, kind.Object{Fields: append(fields,
			kind.Field{Name: "mapped", Value: kind.Bytes(u.Mapped)},
			kind.Field{Name: "resident", Value: resident},
			kind.Field{Name: "shared", Value: kind.Flag(u.Shared)},
			kind.Field{Name: "writable", Value: kind.Flag(u.Writable)},
			kind.Field{Name: "executable", Value: kind.Flag(u.Executable)},
			kind.Field{Name: "descriptors", Value: descriptors(u.Descriptors)},
			kind.Field{Name: "other_namespace", Value: kind.Flag(u.OtherNamespace)},
			kind.Field{Name: "member", Value: kind.Flag(isMember(o, u.PID))},
			kind.Field{Name: "how", Value: how(o, u), Machine: true},
		)})
	}
	if o.Shared == nil {
		return list
	}
	for _, m := range o.Shared.Members {
		if !m.Alive || slices.Contains(listed, m.PID) {
			continue
		}
		unseen := kind.Unknown("it does not let this user look")
		list.Items = append(list.Items, kind.Object{Fields: []kind.Field{
			{Name: "pid", Value: kind.PID(m.PID)}, {Name: "command", Value: kind.Text(m.Command)}, {Name: "user", Value: unseen}, {Name: "uid", Value: unseen},
			{Name: "mapped", Value: unseen}, {Name: "resident", Value: unseen}, {Name: "shared", Value: unseen}, {Name: "writable", Value: unseen},
			{Name: "executable", Value: unseen}, {Name: "descriptors", Value: unseen}, {Name: "other_namespace", Value: unseen},
			{Name: "member", Value: kind.Flag(true)}, {Name: "how", Value: kind.Marks{"member"}, Machine: true},
		}})
	}
	return list
}

// isMember reports whether a process is a living member of an object of shmkit.
func isMember(o *inspect.Object, pid int) bool {
	return o.Shared != nil && slices.ContainsFunc(o.Shared.Members, func(m pshared.MemberInfo) bool { return m.Alive && m.PID == pid })
}

// how is in which ways a process uses an object.
func how(o *inspect.Object, u *inspect.User) kind.Marks {
	var how kind.Marks
	switch {
	case u.Mapped == 0:
	case u.Shared:
		how = append(how, "shared")
	default:
		how = append(how, "private")
	}
	for _, f := range []struct {
		is   bool
		word string
	}{
		{u.Writable, "writable"}, {u.Executable, "executable"}, {isMember(o, u.PID), "member"}, {u.OtherNamespace, "other IPC namespace"},
	} {
		if f.is {
			how = append(how, f.word)
		}
	}
	return how
}
