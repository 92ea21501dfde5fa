// Package named is what the kinds of shmkit's own objects have in common: locks, queues and
// whatever else stands under a name in the user's directory, or in SHMKIT_DIR.
package named

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/pshared"
)

// Kind is one kind of them. It is part of the kinds that commands see.
type Kind struct {
	Word    string // that addresses begin with
	Heading string // of several of them
	// NamesOf and RemoveOne are those of its package. dir is "".
	NamesOf   func(dir string) ([]string, error)
	RemoveOne func(name, dir string) error
}

// Name implements kind.Kind; the methods below implement the capabilities.
func (k Kind) Name() string { return k.Word }

// Title implements kind.Kind.
func (k Kind) Title() string { return k.Heading }

// Of is what the object of an address is called.
func Of(a address.Address) string { return string(a.Target.(address.ObjectName)) }

// Address is the address of the object of a name.
func (k Kind) Address(name string) address.Address {
	return address.Address{Kind: k.Word, Target: address.ObjectName(name)}
}

// Remove implements kind.Remover.
func (k Kind) Remove(a address.Address) ([]address.Address, error) {
	return nil, Missing(a, k.RemoveOne(Of(a), ""))
}

// Missing is err in words for people if it says that the object isn't there.
func Missing(a address.Address, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return kind.Missing(a, err)
	}
	return err
}

// AllRemovable implements kind.Disposable.
func (Kind) AllRemovable() {}

// Complete implements kind.Completer.
func (k Kind) Complete(text string) []string {
	names, err := k.NamesOf("")
	if err != nil {
		return nil // there is nobody to tell
	}
	var found []string
	for _, n := range names {
		if a := k.Address(n).String(); strings.HasPrefix(a, text) {
			found = append(found, a)
		}
	}
	return found
}

// Each describes every object of the kind; one that goes meanwhile is left out.
func (k Kind) Each(describe func(name string, users *kind.Names) (kind.Object, error)) ([]kind.Object, error) {
	names, err := k.NamesOf("")
	if err != nil {
		return nil, err
	}
	users, objects := &kind.Names{}, []kind.Object{}
	for _, n := range names {
		o, err := describe(n, users)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// Describe describes the objects that package inspect saw.
func Describe(seen []inspect.Object, describe func(a address.Address, o *inspect.Object, users *kind.Names) kind.Object) []kind.Object {
	users, all := &kind.Names{}, []kind.Object{}
	for i := range seen {
		a := address.Address{Kind: seen[i].Kind, Target: address.ObjectName(seen[i].Name)}
		o := describe(a, &seen[i], users)
		o.Address = kind.AddressOf(&seen[i]) // another user's is called by its file
		o.Set("address", kind.Text(o.Address.String()))
		all = append(all, o)
	}
	return all
}

// Known is a value, or if why is not nil that it is unknown, and why.
func Known(why error, v kind.Value) kind.Value {
	if why != nil {
		return kind.Unknown(why.Error())
	}
	return v
}

// Begin are the fields that every description begins with.
func Begin(a address.Address) []kind.Field {
	return []kind.Field{
		{Name: "kind", Value: kind.Text(a.Kind), Machine: true},
		{Name: "address", Value: kind.Text(a.String()), Machine: true},
		{Name: "name", Value: kind.Text(Of(a)), Machine: true},
	}
}

// File is what there is to tell of the file that an object is in.
type File struct {
	UID, GID uint32
	Mode     fs.FileMode
	Created  kind.Time
}

// Fields tells it.
func (f File) Fields(users *kind.Names) []kind.Field {
	var made kind.Value = f.Created
	if f.Created == (kind.Time{}) { // its header was not read
		made = kind.None{}
	}
	fields := append(users.User("owner", "owner_uid", f.UID), users.Group("group", "group_gid", f.GID)...)
	return append(fields,
		kind.Field{Name: "mode", Value: kind.Mode(f.Mode)},
		kind.Field{Name: "create_time", Value: made})
}

// FileColumns are the columns for it.
func FileColumns() []kind.Column {
	return []kind.Column{
		{Heading: "OWNER", Field: "owner"}, {Heading: "MODE", Field: "mode"}, {Heading: "CREATED", Field: "create_time", Long: true},
	}
}

// Members is the table of who has an object open, or had when it died. holds says what each of
// them holds, by its place in the list.
func Members(all []pshared.MemberInfo, holds func(n int) kind.Value) kind.List {
	list := kind.List{Columns: []kind.Column{
		{Heading: "SLOT", Field: "slot", Right: true}, {Heading: "PID", Field: "pid", Right: true},
		{Heading: "COMMAND", Field: "command"}, {Heading: "ALIVE", Field: "alive"}, {Heading: "HOLDS", Field: "holds"},
		{Heading: "WAITING", Field: "waiting", Right: true}, {Heading: "JOINED", Field: "joined"},
	}}
	for n, m := range all {
		list.Items = append(list.Items, kind.Object{Fields: []kind.Field{
			{Name: "slot", Value: kind.Count(m.Slot)},
			{Name: "pid", Value: kind.PID(m.PID)},
			{Name: "pid_namespace", Value: kind.Count(m.PIDNS), Machine: true},
			{Name: "command", Value: kind.Text(m.Command)},
			{Name: "alive", Value: kind.Flag(m.Alive)},
			{Name: "holds", Value: holds(n)},
			{Name: "waiting", Value: kind.Count(m.Waiting)},
			{Name: "joined", Value: kind.Time(m.Joined)},
		}})
	}
	return list
}
