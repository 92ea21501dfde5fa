package object

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// Object is this process's membership of an object. Its methods may be called by any
// number of goroutines at once.
type Object struct {
	shape // immutable

	place   place // immutable, like all below but closed
	dir     Dir
	recover func(*Object, int) error
	keep    func(*Object) bool // nil: never
	locks   locks
	m       *shmkit.Mapping
	view    *shmkit.SliceView[byte] // holds the mapping
	mem     []byte                  // the object's bytes, as view shows them
	h       *header
	slot    int
	gen     uint32
	// borrowed: the mapping is somebody else's.
	borrowed bool
	trusted  owners // whose files are, in the directory
	second   annex

	closed atomic.Bool

	// sweeping is held while the dead are cleaned up after: two goroutines of one handle
	// would both get a lifeline, and the first to drop it would drop it for the other.
	sweeping sync.Mutex
}

// place is where an object is found: what it is called, and under which name in the
// file system, if any.
type place struct {
	address string // "lock:orders"
	path    string // "": it has no name
}

// Slot and Generation say which member this is.
func (o *Object) Slot() int { return o.slot }

// Generation returns how often the slot was taken, this time included.
func (o *Object) Generation() uint32 { return o.gen }

// Address returns the name of the object in the words of the command.
func (o *Object) Address() string { return o.place.address }

// Path returns the file of the object, "" if it has no name.
func (o *Object) Path() string { return o.place.path }

// Mapping returns the mapping of the whole object.
func (o *Object) Mapping() *shmkit.Mapping { return o.m }

// Body returns the body: memory that every member may change at any moment, and a
// peer may truncate.
func (o *Object) Body() []byte { return o.mem[o.body : o.body+o.bodySize : o.body+o.bodySize] }

// BodyOffset returns where in the mapping the body begins.
func (o *Object) BodyOffset() int64 { return o.body }

// Members returns how many slots there are.
func (o *Object) Members() int { return o.members }

// Kind and Type return what the object is, and the name of the type in its body.
func (o *Object) Kind() Kind { return o.kind }

// Type returns the name of the type in the body.
func (o *Object) Type() string { return o.typeName }

// Words returns the kind's settings, as they were checked by nobody.
func (o *Object) Words() [16]uint64 { return o.words }

// Part returns the kind's part of the record in a slot, which is below Members.
func (o *Object) Part(slot int) []byte {
	begin := headerSize + slot*o.stride
	return o.mem[begin+RecordHeader : begin+o.stride : begin+o.stride]
}

// Highest returns a number below which all slots in use lie.
func (o *Object) Highest() int { return int(min(o.h.highest.Load(), uint32(o.members))) }

// record returns the common part of the record in a slot.
func (o *Object) record(slot int) *record {
	begin := headerSize + slot*o.stride
	return recordAt(o.mem[begin : begin+RecordHeader])
}

// Waiting adds n to the number of goroutines of this member that sleep, which is for
// people to read.
func (o *Object) Waiting(n int) { o.record(o.slot).waiting.Add(uint32(n)) }

// Closed reports whether Leave or Close was called.
func (o *Object) Closed() bool { return o.closed.Load() }

// mapObject maps the whole of a file as the object's memory.
func (o *Object) mapObject(file *fdmap.File, size int64) error {
	m, err := file.Map(fdmap.Options{Len: size, Protection: shmkit.Read | shmkit.Write, Populate: true})
	if err != nil {
		return err
	}
	v, err := shmkit.ViewSlice[byte](m, 0, int(size))
	if err != nil {
		return errors.Join(err, m.Close())
	}
	o.m, o.view, o.mem = m, v, v.Data()
	o.h = headerAt(o.mem)
	return nil
}

// unmap gives mapping and descriptor back.
func (o *Object) unmap() error { return errors.Join(o.Unmap(), o.locks.file.Close()) }

// Unmap gives the memory back, after Leave.
func (o *Object) Unmap() error {
	err := o.unmapAnnex()
	if o.view == nil {
		return err
	}
	if o.borrowed {
		return errors.Join(err, o.view.Close())
	}
	return errors.Join(err, o.view.Close(), o.m.Close())
}

// Close is Leave and Unmap, for who knows that nobody uses the memory.
func (o *Object) Close() error { return errors.Join(o.Leave(), o.Unmap()) }

// Leave ends the membership, and the last member of an object that is not persistent
// removes its name. Whoever calls it has seen to it that nothing is held any more. The
// memory stays mapped until Unmap, for those who may still be about to touch it. A
// second Leave does nothing.
func (o *Object) Leave() error {
	if o.closed.Swap(true) {
		return nil
	}
	errs := []error{o.leave()}
	if o.place.path != "" {
		removed, err := o.removeCheck(context.Background(), false)
		if removed {
			o.dir.tidy()
		}
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, o.locks.file.CloseNow())...); err != nil {
		return o.fail("close", err, "")
	}
	return nil
}

func (o *Object) fail(op string, err error, detail string) error {
	return o.place.fail(op, err, detail)
}

func (p place) fail(op string, err error, detail string) error {
	if e, ok := err.(*Error); ok {
		return e
	}
	if n := (noObject{}); detail == "" && p.path != "" && errors.As(err, &n) {
		detail = fmt.Sprintf("something else made %s; if nobody needs it, remove it, or take another name", p.path)
	}
	return &Error{Op: op, Object: p.address, Err: unwrapPath(err), Detail: detail}
}

// unwrapPath returns what went wrong without the path it went wrong with, which the
// address says better.
func unwrapPath(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

// File returns device and inode of the object's file, which say that two mappings are of
// one memory.
func (o *Object) File() (device, inode uint64, err error) {
	err = o.locks.file.Use(func(f *os.File) error {
		info, err := f.Stat()
		if err == nil {
			st := info.Sys().(*syscall.Stat_t)
			device, inode = st.Dev, st.Ino
		}
		return err
	})
	return device, inode, err
}
