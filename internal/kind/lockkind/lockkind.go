// Package lockkind has the kinds of the objects of package pshared that have a name:
// lock:, struct: and the others.
package lockkind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/pshared"
)

// Kinds returns the kinds of this package, in the order in which they are shown.
func Kinds() []kind.Kind {
	all := []kind.Kind{Locks{newShared("lock", "locks")}}
	for _, k := range pshared.Kinds() {
		if k != "lock" {
			all = append(all, Others{newShared(k, titles[k])})
		}
	}
	return all
}

// titles are the headings of the lists.
var titles = map[string]string{
	"struct": "structs in shared memory", "semaphore": "semaphores between processes", "cond": "conditions",
	"event": "events", "barrier": "barriers", "once": "things to do once",
}

// Locks is the kind lock: locks that survive the death of who holds them.
type Locks struct{ shared }

// What locks can do.
var (
	_ kind.Creator    = Locks{}
	_ kind.Inspected  = Locks{}
	_ kind.Stater     = Locks{}
	_ kind.Disposable = Locks{}
	_ kind.Exclusion  = Locks{}
	_ kind.Recoverer  = Locks{}
	_ kind.Completer  = Locks{}
)

// OpenLock implements kind.Exclusion.
func (Locks) OpenLock(a address.Address, shared bool) (kind.Lock, error) {
	rw, err := pshared.OpenRWMutex(named.Of(a), nil)
	switch {
	case err == nil && shared:
		return reading{rw}, nil
	case err == nil:
		return rw, nil
	case !errors.Is(err, pshared.ErrType):
		return nil, err
	case shared:
		return nil, fmt.Errorf("%s is a mutex, which cannot be shared; it was made by a program, with pshared.OpenMutex", a)
	}
	return pshared.OpenMutex(named.Of(a), nil)
}

// reading is the reading side of a lock.
type reading struct{ *pshared.RWMutex }

// Lock, TryLock and Unlock are those for reading.
func (r reading) Lock(ctx context.Context) error { return r.RLock(ctx) }

// TryLock takes it for reading.
func (r reading) TryLock() (bool, error) { return r.TryRLock() }

// Unlock gives it back.
func (r reading) Unlock() error { return r.RUnlock() }

// CreateOptions implements kind.Creator.
func (Locks) CreateOptions() []kind.Option {
	return []kind.Option{
		{Name: "members", Type: kind.NumberOption, Placeholder: "N", Usage: "how many processes can have it open at once", Default: int64(pshared.DefaultMembers)},
		{Name: "mode", Type: kind.ModeOption, Placeholder: "MODE", Usage: "permissions, octal", Default: fs.FileMode(0o600)},
		{Name: "exclusive", Type: kind.SwitchOption, Usage: "fail if it exists"},
	}
}

// Create implements kind.Creator. What the command makes stays until it is removed: the
// command itself does not keep it.
func (k Locks) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	members := o.Int64("members")
	if members < 1 || members > 1024 {
		return kind.Object{}, false, kind.Usage("--members %d is not between 1 and 1024", members)
	}
	options := &pshared.Options{Members: int(members), Mode: o.Mode("mode"), Persistent: true, Exclusive: true}
	created := true
	var lock interface{ Close() error }
	lock, err := pshared.OpenRWMutex(named.Of(a), options)
	if errors.Is(err, fs.ErrExist) && !o.On("exclusive") {
		created, options.Exclusive, options.Existing = false, false, true
		lock, err = pshared.OpenMutex(named.Of(a), options)
	}
	if err != nil {
		return kind.Object{}, false, err
	}
	if err := lock.Close(); err != nil {
		return kind.Object{}, created, err
	}
	made, err := k.Stat(a)
	return made, created, err
}

// Recover implements kind.Recoverer.
func (Locks) Recover(ctx context.Context, a address.Address, reset bool) (done []string, err error) {
	swept, err := pshared.Sweep("lock", named.Of(a), "")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, kind.Missing(a, err)
	}
	if err != nil {
		return nil, err
	}
	done = sweptText(swept)
	m, err := pshared.OpenMutex(named.Of(a), &pshared.Options{Existing: true})
	if errors.Is(err, fs.ErrNotExist) { // nobody has it open, and it was in order: it is gone
		return done, nil
	}
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	held, err := m.TryLock()
	lost := errors.Is(err, pshared.ErrNotRecoverable) || errors.Is(err, pshared.ErrCorrupt)
	switch {
	case lost && !reset:
		return done, fmt.Errorf("%w; --reset makes it usable again, when what it guards is in order", err)
	case lost:
		return append(done, "it was not recoverable, and is unlocked"), m.Reset()
	case errors.Is(err, pshared.ErrOwnerDead) && !reset:
		// Unlocking without a repair would lose it. The next one shall be told, as it would
		// have been.
		return done, m.Abandon()
	case errors.Is(err, pshared.ErrOwnerDead):
		done = append(done, "its dead holder was forgotten, and it is unlocked")
		return done, errors.Join(m.MakeConsistent(), m.Unlock())
	case err != nil:
		return done, err
	case held:
		return done, m.Unlock()
	}
	return done, nil
}
