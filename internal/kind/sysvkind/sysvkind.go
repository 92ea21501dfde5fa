// Package sysvkind has the three kinds of System V IPC: sysv: (shared memory
// segments), sem: (semaphore sets) and msg: (message queues).
//
// Listing, stat and everything that finds an object by key or identifier work for
// objects that the caller may not read: the kernel tells their state to everybody
// (the STAT_ANY commands, as /proc/sysvipc does). Only what is inside, the values
// of semaphores, needs permission.
package sysvkind

import (
	"errors"
	"io/fs"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

// Kinds returns the kinds of System V IPC, for a registry.
func Kinds() []kind.Kind { return []kind.Kind{Segments{}, SemaphoreSets{}, Queues{}} }

// keyOf returns the key that an address means, Private for one without; ok is
// false if it means an identifier. Errors are those of finding the path of ftok=.
func keyOf(a address.Address) (key sysv.Key, ok bool, err error) {
	switch t := a.Target.(type) {
	case address.Key:
		return sysv.Key(t), true, nil
	case address.FromPath:
		key, err := sysv.FromPath(t.Path, t.Project)
		return key, true, err
	case address.Private:
		return sysv.Private, true, nil
	}
	return 0, false, nil
}

// open finds the object that an address means.
func open[T any](a address.Address, byKey func(sysv.Key) (T, error), byID func(int) (T, error)) (T, error) {
	var none T
	if id, ok := a.Target.(address.ID); ok {
		return byID(int(id))
	}
	key, ok, err := keyOf(a)
	switch {
	case err != nil:
		return none, err
	case !ok:
		return none, kind.Usage("%s is no key and no identifier", a)
	case key == sysv.Private:
		return none, kind.Usage("%s names no object that exists; say %s:id=N", a, a.Kind)
	}
	return byKey(key)
}

// create makes the object that a names, or opens it. get is the Get function of
// the object with all options but those that create sets.
func create[T any](a address.Address, o kind.Options, get func(sysv.Key, sysv.GetOptions) (T, error)) (made T, created bool, err error) {
	key, ok, err := keyOf(a)
	if err != nil {
		return made, false, err
	}
	if !ok {
		return made, false, kind.Usage("%s names an object that exists; what is new gets its identifier from the kernel", a)
	}
	mode := o.Mode("mode")
	for {
		// One step at a time, so that it is known which of them it was.
		made, err = get(key, sysv.GetOptions{Create: true, Exclusive: true, Mode: mode})
		if err == nil || o.On("exclusive") || !errors.Is(err, fs.ErrExist) {
			return made, err == nil, err
		}
		made, err = get(key, sysv.GetOptions{Mode: mode})
		if !errors.Is(err, fs.ErrNotExist) { // else it went between the two
			return made, false, err
		}
	}
}

// createOptions are the options that all three kinds have in common.
var createOptions = []kind.Option{
	{Name: "mode", Type: kind.ModeOption, Placeholder: "MODE", Default: fs.FileMode(0o600),
		Usage: "permission bits, octal"},
	{Name: "exclusive", Type: kind.SwitchOption, Usage: "fail if it exists"},
}

// setOptions are the same for set.
var setOptions = []kind.Option{
	{Name: "owner", Type: kind.UserOption, Placeholder: "USER", Usage: "new owner, by name or number"},
	{Name: "group", Type: kind.GroupOption, Placeholder: "GROUP", Usage: "new group, by name or number"},
	{Name: "mode", Type: kind.ModeOption, Placeholder: "MODE", Usage: "new permission bits, octal"},
}

// owned is what setOptions act on.
type owned interface {
	SetOwner(uid, gid int) error
	SetMode(mode fs.FileMode) error
}

// setCommon does what setOptions say: the owner last, since who gives an object
// away may lose the right to change it.
func setCommon(x owned, o kind.Options, done []string) error {
	if mode, ok := kind.Given[fs.FileMode](o, "mode"); ok {
		if err := x.SetMode(mode); err != nil {
			return kind.After(done, err)
		}
		done = append(done, "mode")
	}
	uid, gid := -1, -1
	if u, ok := kind.Given[uint32](o, "owner"); ok {
		uid = int(u)
	}
	if g, ok := kind.Given[uint32](o, "group"); ok {
		gid = int(g)
	}
	if uid < 0 && gid < 0 {
		return nil
	}
	return kind.After(done, x.SetOwner(uid, gid))
}

// AllRemovable implements kind.Disposable: all that List tells of is shared memory, or
// what belongs to it.
func (Segments) AllRemovable() {}

// AllRemovable implements kind.Disposable likewise.
func (SemaphoreSets) AllRemovable() {}

// AllRemovable implements kind.Disposable likewise.
func (Queues) AllRemovable() {}
