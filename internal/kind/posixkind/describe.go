package posixkind

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
	"github.com/shmkit/shmkit/posixshm"
)

// Stat implements kind.Stater.
func (k Objects) Stat(a address.Address) (kind.Object, error) {
	h, err := look(a)
	if err != nil {
		return kind.Object{}, err
	}
	defer h.Close()
	o := describe(a, h.Facts(), &kind.Names{})
	o.Fields = append(o.Fields, kind.Field{Name: "path", Value: kind.Text(path(a))})
	o.Fields = append(o.Fields, h.IdentityFields()...)
	return o, nil
}

// describe is what a list tells of an object.
func describe(a address.Address, f inode.Facts, names *kind.Names) kind.Object {
	o := kind.Object{Address: a, Owners: []uint32{f.UID}, Fields: []kind.Field{
		{Name: "kind", Value: kind.Text("posix"), Machine: true},
		{Name: "address", Value: kind.Text(a.String()), Machine: true},
		{Name: "name", Value: kind.Text(name(a)), Machine: true},
	}}
	o.Fields = append(o.Fields, f.Fields(names, false)...)
	return o
}

// Columns implements kind.Lister.
func (Objects) Columns() []kind.Column {
	return append([]kind.Column{{Heading: "ADDRESS", Field: "address"}}, inode.Columns()...)
}

// Describe implements kind.Inspected.
func (Objects) Describe(seen []inspect.Object) []kind.Object {
	names, all := &kind.Names{}, []kind.Object{}
	for i := range seen {
		o := describe(kind.AddressOf(&seen[i]), inode.Seen(&seen[i]), names)
		o.Set("name", kind.Text(seen[i].Name)) // of what has lost it, or has it elsewhere, the address does not tell
		all = append(all, o)
	}
	return all
}

// List implements kind.Lister.
func (Objects) List() ([]kind.Object, error) {
	all, err := posixshm.List()
	if err != nil {
		return nil, err
	}
	names, objects := &kind.Names{}, []kind.Object{}
	for _, i := range all {
		a := addressOf(i)
		h, err := inode.Open(path(a), a.String(), false)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, inode.ErrNotRegular) { // meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, describe(a, h.Facts(), names))
		h.Close()
	}
	return objects, nil
}

func addressOf(i posixshm.Info) address.Address {
	return address.Address{Kind: "posix", Target: address.Name(strings.TrimPrefix(i.Name, "/"))}
}

// Complete implements kind.Completer. A name may be typed with the slash or without.
func (Objects) Complete(text string) []string {
	all, err := posixshm.List()
	if err != nil {
		return nil // there is nobody to tell
	}
	typed := strings.TrimPrefix(text, "posix:")
	var found []string
	for _, i := range all {
		name := i.Name
		if typed != "" && typed[0] != '/' {
			name = strings.TrimPrefix(name, "/")
		}
		if strings.HasPrefix(name, typed) {
			found = append(found, "posix:"+name)
		}
	}
	return found
}
