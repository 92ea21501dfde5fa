package pshared

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
)

// DefaultMembers is how many handles can have a new object open at once, in all
// processes together, unless Options say otherwise.
const DefaultMembers = 256

// Options is how to open a lock or struct by name. The zero value makes it if there is
// none, for this user, and removes it with the last handle.
type Options struct {
	// Dir is the directory that the name is in: "" is what the environment variable
	// SHMKIT_DIR says, or /dev/shm/shmkit-UID.
	Dir string
	// Existing opens only what exists (fs.ErrNotExist); Exclusive makes only what doesn't
	// (fs.ErrExist).
	Existing, Exclusive bool
	// Members is how many handles can have it open at once, 1 to 1,024; 0 is
	// DefaultMembers. Like Persistent and Mode it counts when it is made.
	Members int
	// Persistent keeps the object when nobody has it open, until it is removed. (A lock
	// whose owner or writer died is kept anyway, until the next one has been told.)
	Persistent bool
	// Mode is the permission bits of the file; 0 is 0600. The umask does not count.
	Mode fs.FileMode
	// AnyOwner opens objects of any user: whoever made it, or may write to it, is trusted.
	AnyOwner bool
}

// configure returns what an object with a body of type t is made of.
func configure(kind object.Kind, t reflect.Type, o *Options) (object.Config, []place) {
	places, entries := placesOf(t)
	c := object.Config{Kind: kind, Members: o.Members, Persistent: o.Persistent, Mode: o.Mode, AnyOwner: o.AnyOwner,
		Type: t.String(), Fingerprint: object.Fingerprint(t), BodySize: int64(t.Size())}
	if c.Members == 0 {
		c.Members = DefaultMembers
	}
	c.Stride = object.RecordHeader + (entries*entrySize+63)/64*64
	c.Recover = func(o *object.Object, slot int) error { return recoverRecord(o, slot, places) }
	if kind == object.Struct {
		addTable(&c, places)
	}
	return c, places
}

// open opens the object of a kind, with a body of type t. keep is as of object.Config.
func open(kind object.Kind, name string, t reflect.Type, o *Options, keep func(*object.Object) bool) (*handle, error) {
	return openIf(nil, kind, name, t, o, keep)
}

// openIf is open, which makes nothing if check, if not nil, says why there can be no such body.
func openIf(check func(*object.Object) error, kind object.Kind, name string, t reflect.Type, o *Options, keep func(*object.Object) bool) (*handle, error) {
	if o == nil {
		o = &Options{}
	}
	c, places := configure(kind, t, o)
	c.Keep = keep
	if fill := c.Init; check != nil {
		c.Init = func(o *object.Object) error { // it has no name yet
			if err := check(o); err != nil || fill == nil {
				return err
			}
			return fill(o)
		}
	}
	d, get := object.ChooseDir(o.Dir), object.OpenOrCreate
	switch {
	case o.Existing && o.Exclusive:
		return nil, fmt.Errorf("open %s:%s: Existing and Exclusive exclude each other: %w", kind, name, fs.ErrInvalid)
	case o.Existing:
		get = object.Open
	case o.Exclusive:
		get = object.Create
	}
	obj, err := get(context.Background(), d, name, c)
	if err != nil {
		return nil, err
	}
	return newHandle(obj, places, kind != object.Struct)
}

// OpenMutex opens the lock of a name, or makes it; nil options are the zero Options.
// Names are any text but "", up to some 240 bytes. If the lock of that name is an RWMutex,
// as that of shmkit run is, the result is its writing side.
func OpenMutex(name string, o *Options) (*Mutex, error) {
	h, err := open(object.Lock, name, reflect.TypeFor[MutexWord](), o, unsettled)
	if errors.Is(err, ErrType) {
		if rw, e := OpenRWMutex(name, o); e == nil {
			return rw.writingSide(), nil
		}
	}
	if err != nil {
		return nil, err
	}
	return obtain(h, 0, h.newMutex), nil
}

// unsettled reports whether a lock that nobody has open is more than unlocked: whoever
// held it died, and what it guards may be half changed, which the next one is told.
func unsettled(o *object.Object) bool {
	if len(o.Body()) < 8 {
		return false
	}
	v := wordAt[MutexWord](o.Body(), 0).state.Load() &^ waiters
	return v != 0 && (v&inconsistent != 0 || !o.Left(slotOf(v), generationOf(v))) // see Mutex.ownerLeft
}

// newMutex makes a handle of the lock at a place of the object.
func (h *handle) newMutex(at *place) *Mutex {
	m := &Mutex{real: wordAt[MutexWord](h.o.Body(), at.offset)}
	m.init(h, at)
	m.word.Store(m.real)
	return m
}

// OpenRWMutex opens the readers/writers lock of a name, or makes it, as OpenMutex does. The
// names are those of locks: one is either a Mutex or an RWMutex.
func OpenRWMutex(name string, o *Options) (*RWMutex, error) {
	h, err := open(object.Lock, name, reflect.TypeFor[RWMutexWord](), o, unsettled)
	if err != nil {
		return nil, err
	}
	return obtain(h, 0, h.newRWMutex), nil
}

// writingSide returns a Mutex that is rw for writing.
func (rw *RWMutex) writingSide() *Mutex {
	m := &Mutex{real: &rw.word.writers, rw: rw}
	m.init(rw.in, rw.at)
	m.word.Store(closedWord) // so that nobody takes what is behind without asking rw
	return m
}

// Close ends the use of what was opened by name: those who wait for it in this process
// get ErrClosed. What is held is not closed (ErrHeld). The last handle to be closed, in
// whatever process, removes the name. What stands in a Shared is closed with it, and its
// own Close does nothing. A second Close does nothing.
func (c *core) Close() error {
	if !c.in.alone {
		return nil
	}
	return c.in.close()
}

// Shared is a handle of a named struct in shared memory.
type Shared[T any] struct {
	in   *handle
	data *T
}

// Open opens the struct of a name, or makes one of zeros; nil options are the zero
// Options. T must be free of pointers and the like, as for shmkit.View, and everybody
// must use the same: another layout, or other names, is ErrType.
func Open[T any](name string, o *Options) (*Shared[T], error) {
	t := reflect.TypeFor[T]()
	h, err := openIf(checkType[T], object.Struct, name, t, o, nil)
	if err != nil {
		return nil, err
	}
	return newShared[T](h)
}

// checkType reports why there can be no T in an object.
func checkType[T any](o *object.Object) error {
	v, err := shmkit.View[T](o.Mapping(), o.BodyOffset())
	if err != nil {
		return err
	}
	return v.Close()
}

func newShared[T any](h *handle) (*Shared[T], error) {
	v, err := shmkit.View[T](h.o.Mapping(), h.o.BodyOffset())
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	s := &Shared[T]{in: h, data: v.Data()}
	return s, v.Close() // the object holds the mapping longer
}

// Data returns the struct in shared memory. It may be used until Close.
func (s *Shared[T]) Data() *T { return s.data }

// Mutex returns a handle of a lock in the struct: w points into Data. It is closed with
// the struct. Of one word there is one handle.
func (s *Shared[T]) Mutex(w *MutexWord) *Mutex {
	return obtain(s.in, offsetIn(s.data, w), s.in.newMutex)
}

// RWMutex returns a handle of a readers/writers lock in the struct, as Mutex does.
func (s *Shared[T]) RWMutex(w *RWMutexWord) *RWMutex {
	return obtain(s.in, offsetIn(s.data, w), s.in.newRWMutex)
}

// Close ends the use of the struct and of the locks in it, as Mutex.Close does.
func (s *Shared[T]) Close() error { return s.in.close() }
