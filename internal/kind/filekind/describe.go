package filekind

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
)

func (k Files) proc() string {
	if k.Proc == "" {
		return "/proc"
	}
	return k.Proc
}

// Stat implements kind.Stater.
func (k Files) Stat(a address.Address) (kind.Object, error) {
	o, _, err := k.stat(a)
	return o, err
}

func (k Files) stat(a address.Address) (o kind.Object, size int64, err error) {
	h, err := look(a)
	if err != nil {
		return o, 0, err
	}
	defer h.Close()
	maps := inode.Mappings(k.proc())
	absolute, err := filepath.Abs(path(a))
	if err != nil {
		absolute = path(a)
	}
	o = describe(a, absolute, h, &kind.Names{}, maps)
	o.Fields = append(o.Fields, h.IdentityFields()...)
	o.Fields = append(o.Fields, maps.ListField(inode.IDOf(h.Info())))
	return o, h.Size(), nil
}

// describe is what a list tells of a file.
func describe(a address.Address, absolute string, h *inode.Handle, names *kind.Names, maps inode.All) kind.Object {
	info := h.Info()
	o := kind.Object{Address: a, Owners: inode.Owners(info), Fields: begin(a, absolute)}
	o.Fields = append(o.Fields, inode.SizeFields(info)...)
	o.Fields = append(o.Fields, h.CacheFields()...)
	o.Fields = append(o.Fields, inode.OwnerFields(names, info)...)
	o.Fields = append(o.Fields, inode.TimeFields(info)...)
	o.Fields = append(o.Fields, maps.CountFields(inode.IDOf(info))...)
	return o
}

func begin(a address.Address, absolute string) []kind.Field {
	return []kind.Field{
		{Name: "kind", Value: kind.Text("file"), Machine: true},
		{Name: "address", Value: kind.Text(a.String()), Machine: true},
		{Name: "path", Value: kind.Text(absolute)},
	}
}

// Columns implements kind.Lister.
func (Files) Columns() []kind.Column {
	return append(append([]kind.Column{{Heading: "ADDRESS", Field: "address"}}, inode.Columns()...),
		kind.Column{Heading: "MARKS", Field: "marks"})
}

// List implements kind.Lister: the files that processes map shared.
func (k Files) List() ([]kind.Object, error) {
	maps := inode.Mappings(k.proc())
	if maps.Err != nil {
		return nil, maps.Err
	}
	names, objects := &kind.Names{}, []kind.Object{}
	for _, id := range maps.IDs() {
		m := maps.Files[id]
		if !m.Shared() || notFile(m.Path) {
			continue
		}
		a := address.Address{Kind: "file", Target: address.Path(m.Path)}
		h, err := inode.Open(m.Path, a.String(), false)
		if errors.Is(err, inode.ErrNotRegular) && !m.Deleted { // a device
			continue
		}
		switch {
		case err == nil && inode.IDOf(h.Info()) == id:
			o := describe(a, m.Path, h, names, maps)
			objects = append(objects, marked(o, nil))
		case m.Deleted || errors.Is(err, fs.ErrNotExist) || err == nil:
			objects = append(objects, marked(unseen(a, m.Path, "its name is gone, or leads elsewhere", maps, id), kind.Marks{"deleted"}))
		default:
			objects = append(objects, marked(unseen(a, m.Path, err.Error(), maps, id), kind.Marks{"unseen"}))
		}
		if h != nil {
			h.Close()
		}
	}
	return objects, nil
}

func marked(o kind.Object, marks kind.Marks) kind.Object {
	o.Fields = append(o.Fields, kind.Field{Name: "marks", Value: marks})
	return o
}

// unseen describes a file of which no more is known than that it is mapped.
func unseen(a address.Address, path, why string, maps inode.All, id inode.ID) kind.Object {
	o := kind.Object{Address: a, Fields: begin(a, path)}
	for _, name := range []string{
		"size", "allocated", "resident", "dirty", "mode", "owner", "owner_uid", "group", "group_gid", "access_time", "modify_time", "change_time",
	} {
		o.Fields = append(o.Fields, kind.Field{Name: name, Value: kind.Unknown(why)})
	}
	o.Fields = append(o.Fields, maps.CountFields(id)...)
	return o
}

// notFile tells what is mapped under a path and is another kind's, or nothing that has
// the path: System V segments, anonymous shared memory, memory without a name, POSIX
// objects, rings of asynchronous input and output.
func notFile(path string) bool {
	for _, prefix := range []string{"/SYSV", "/dev/zero", "/memfd:", "/dev/shm/", "/[aio]", "/anon_hugepage", "/dmabuf", "/drm mm object", "/i915"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
