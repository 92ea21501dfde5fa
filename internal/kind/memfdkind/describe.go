package memfdkind

import (
	"fmt"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
	"github.com/shmkit/shmkit/memfd"
)

// link is the path under which the memory can be opened.
func link(a address.Address) string {
	pid, fd := number(a)
	return fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
}

// stat looks at the memory; what is no memfd is refused.
func stat(a address.Address) (memfd.Info, error) {
	pid, fd := number(a)
	i, err := memfd.StatPID(pid, fd)
	return i, called(a, err)
}

// Stat implements kind.Stater.
func (Descriptors) Stat(a address.Address) (kind.Object, error) {
	i, err := stat(a)
	if err != nil {
		return kind.Object{}, err
	}
	o := describe(a, i, &kind.Names{})
	h, err := inode.Open(link(a), a.String(), true)
	if err != nil {
		return kind.Object{}, err
	}
	defer h.Close()
	o.Fields = append(o.Fields, kind.Field{Name: "resident", Value: h.Resident()})
	return o, nil
}

// noDescriptor is the descriptor of memory that is mapped and that no descriptor leads to any more.
const noDescriptor = -1

// describe is what a list tells of memory.
func describe(a address.Address, i memfd.Info, names *kind.Names) kind.Object {
	o := kind.Object{Address: a, Fields: []kind.Field{
		{Name: "kind", Value: kind.Text("memfd"), Machine: true},
		{Name: "address", Value: kind.Text(a.String()), Machine: true},
		{Name: "name", Value: kind.Text(i.Name)},
		{Name: "pid", Value: kind.PID(i.PID)},
		{Name: "fd", Value: kind.Count(i.FD)},
	}}
	if i.FD == noDescriptor {
		o.Set("fd", kind.None{})
	}
	if i.Visible {
		o.Owners = []uint32{i.UID}
	}
	const hidden = "the kernel does not show the memory to this user"
	shown := func(v kind.Value) kind.Value {
		if i.Visible {
			return v
		}
		return kind.Unknown(hidden)
	}
	var seals kind.Value = kind.Unknown("it may not be opened")
	if i.SealsVisible {
		seals = SealMarks(i.Seals)
	}
	o.Fields = append(o.Fields,
		kind.Field{Name: "size", Value: shown(kind.Bytes(i.Size))},
		kind.Field{Name: "allocated", Value: shown(kind.Bytes(i.Allocated))},
		kind.Field{Name: "page_size", Value: shown(kind.Bytes(i.PageSize))},
		kind.Field{Name: "seals", Value: seals},
		kind.Field{Name: "mode", Value: shown(kind.Mode(i.Mode))},
	)
	for _, f := range append(names.User("owner", "owner_uid", i.UID), names.Group("group", "group_gid", i.GID)...) {
		f.Value = shown(f.Value)
		o.Fields = append(o.Fields, f)
	}
	o.Fields = append(o.Fields,
		kind.Field{Name: "modify_time", Value: shown(kind.Time(i.Modified))},
		kind.Field{Name: "inode", Value: shown(kind.Count(i.Inode))},
	)
	o.Fields = append(o.Fields, kind.Field{Name: "command", Value: kind.CommandOf(i.PID)})
	return o
}

// SealMarks are the names of the seals.
func SealMarks(s memfd.Seals) kind.Marks {
	if s == 0 {
		return nil
	}
	return strings.Split(s.String(), "|")
}

// Columns implements kind.Lister.
func (Descriptors) Columns() []kind.Column {
	return []kind.Column{
		{Heading: "ADDRESS", Field: "address"},
		{Heading: "NAME", Field: "name"},
		{Heading: "OWNER", Field: "owner"},
		{Heading: "GROUP", Field: "group", Long: true},
		{Heading: "MODE", Field: "mode"},
		{Heading: "SIZE", Field: "size", Right: true},
		{Heading: "ALLOC", Field: "allocated", Right: true},
		{Heading: "SEALS", Field: "seals"},
		{Heading: "PROCS", Field: "mapped_by", Right: true},
		{Heading: "INODE", Field: "inode", Right: true},
		{Heading: "MODIFIED", Field: "modify_time", Long: true},
		{Heading: "COMMAND", Field: "command"},
	}
}

// Describe implements kind.Inspected: memory is called by one of those who have it.
func (Descriptors) Describe(seen []inspect.Object) []kind.Object {
	names, all := &kind.Names{}, []kind.Object{}
	for n := range seen {
		o := &seen[n]
		i := memfd.Info{
			Name: o.Name, Visible: o.Err == nil && o.ModeUnknown == "", Inode: o.ID.Inode, Size: int64(o.Size), Allocated: int64(o.Allocated.Bytes), PageSize: int(o.PageSize),
			Mode: o.Mode.Perm(), UID: o.UID, GID: o.GID, Modified: o.Modified,
		}
		if o.Memfd != nil {
			i.Seals, i.SealsVisible = o.Memfd.Seals, o.Memfd.SealsUnknown == ""
		}
		a := kind.AddressOf(o)
		switch at := a.Target.(type) {
		case address.Descriptor:
			i.PID, i.FD = at.PID, at.FD
		case address.Region: // it is mapped, and has no descriptor any more
			i.PID, i.FD = at.PID, noDescriptor
		}
		all = append(all, describe(a, i, names))
	}
	return all
}

// List implements kind.Lister: the descriptors of the processes that let this one look.
func (Descriptors) List() ([]kind.Object, error) {
	all, _, err := memfd.List()
	if err != nil {
		return nil, err
	}
	names, objects := &kind.Names{}, []kind.Object{}
	for _, i := range all {
		a := address.Address{Kind: "memfd", Target: address.Descriptor{PID: i.PID, FD: i.FD}}
		objects = append(objects, describe(a, i, names))
	}
	return objects, nil
}
