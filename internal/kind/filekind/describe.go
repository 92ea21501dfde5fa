package filekind

import (
	"path/filepath"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
)

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
	absolute, err := filepath.Abs(path(a))
	if err != nil {
		absolute = path(a)
	}
	o = describe(a, absolute, h.Facts(), &kind.Names{})
	o.Fields = append(o.Fields, h.IdentityFields()...)
	return o, h.Size(), nil
}

// describe is what a list tells of a file.
func describe(a address.Address, absolute string, f inode.Facts, names *kind.Names) kind.Object {
	o := kind.Object{Address: a, Owners: []uint32{f.UID}, Fields: []kind.Field{
		{Name: "kind", Value: kind.Text("file"), Machine: true},
		{Name: "address", Value: kind.Text(a.String()), Machine: true},
		{Name: "path", Value: kind.Text(absolute)},
	}}
	o.Fields = append(o.Fields, f.Fields(names, true)...)
	return o
}

// Columns implements kind.Lister.
func (Files) Columns() []kind.Column {
	return append(append([]kind.Column{{Heading: "ADDRESS", Field: "address"}}, inode.Columns()...),
		kind.Column{Heading: "MARKS", Field: "marks"})
}

// Describe implements kind.Inspected.
func (Files) Describe(seen []inspect.Object) []kind.Object {
	names, all := &kind.Names{}, []kind.Object{}
	for i := range seen {
		s := &seen[i]
		o := describe(kind.AddressOf(s), s.Path, inode.Seen(s), names)
		var marks kind.Marks
		if s.Removed {
			marks = append(marks, "deleted")
		}
		if s.Err != nil {
			marks = append(marks, "unseen")
			o.Owners = nil
		}
		o.Fields = append(o.Fields, kind.Field{Name: "marks", Value: marks})
		all = append(all, o)
	}
	return all
}

// List implements kind.Lister. Of files there is no end: those that are of interest because
// of who maps them are seen by Describe.
func (Files) List() ([]kind.Object, error) { return nil, nil }
