package object

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// making is the magic of an object that is being made in memory that was there before.
const making = magic ^ 1<<63

// zero reports whether b is all zeros.
func zero(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b) != 0 {
			return false
		}
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// An object without a name is found by a descriptor or a mapping that somebody was given.
// Nobody can come by otherwise, so nobody removes it: it goes with the memory. And it is
// never begun anew, also if all who had it open are dead.

// memfdSeals are those of an object in a memfd: its size is for ever.
const memfdSeals = sys.F_SEAL_SHRINK | sys.F_SEAL_GROW | sys.F_SEAL_SEAL

// namelessShape is shape of an object without a name, which has one file or none.
func (c *Config) namelessShape() (shape, error) {
	if c.Annex != 0 {
		return shape{}, fmt.Errorf("an object without a name has no second file: %w", errors.ErrUnsupported)
	}
	return c.shape()
}

// CreateMemfd makes an object in memory without a name, and joins it as its first member.
// label is for people, as of memfd_create(2).
func CreateMemfd(label string, c Config) (*Object, error) {
	p := place{address: c.Kind.String() + " in memfd:" + label}
	o, err := p.createMemfd(label, c)
	if err != nil {
		return nil, p.fail("create", err, hint(err))
	}
	return o, nil
}

func (p place) createMemfd(label string, c Config) (*Object, error) {
	s, err := c.namelessShape()
	if err != nil {
		return nil, err
	}
	const flags = sys.MFD_CLOEXEC | sys.MFD_ALLOW_SEALING
	fd, err := sys.MemfdCreate(label, flags|sys.MFD_NOEXEC_SEAL)
	if err == syscall.EINVAL { // as from a kernel before 6.3
		fd, err = sys.MemfdCreate(label, flags)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), label)
	o := &Object{shape: s, place: p, locks: locks{file: fdmap.New(f, p.address)}, recover: c.Recover, slot: -1}
	mode := c.Mode
	if mode == 0 {
		mode = 0o600
	}
	err = o.build(f, &c, mode)
	if err == nil {
		err = o.locks.file.Use(func(f *os.File) error { return sys.AddSeals(int(f.Fd()), memfdSeals) })
	}
	if err != nil {
		return nil, errors.Join(err, o.unmap())
	}
	return o, nil
}

// OpenMemfd joins the object in a memfd that f shows, which stays the caller's. The member
// gets an open file description of its own, for which the memfd's mode counts: this
// user's, or root.
func OpenMemfd(ctx context.Context, f *os.File, c Config) (*Object, error) {
	p := place{address: c.Kind.String() + " in " + f.Name()}
	own, err := reopen(f, owners{anyone: true})
	if err != nil {
		return nil, p.fail("open", err, "")
	}
	o := &Object{place: p, locks: locks{file: fdmap.New(own, p.address)}, recover: c.Recover, slot: -1}
	err = o.underJ(ctx, sys.F_RDLCK, func() error { return o.joinMemfd(own, &c) })
	if err != nil {
		return nil, p.fail("open", errors.Join(err, o.unmap()), hint(err))
	}
	return o, nil
}

func (o *Object) joinMemfd(f *os.File, c *Config) error {
	seals, err := sys.Seals(int(f.Fd()))
	if err != nil || seals&memfdSeals != memfdSeals {
		return foreign("it is no memfd sealed against another size, as objects are")
	}
	size, err := o.locks.file.Size()
	if err != nil {
		return err
	}
	if size < headerSize || size > maxSize {
		return notBegun(size, nil)
	}
	if err := o.readHeader(size); err != nil {
		return err
	}
	if err := o.mapObject(o.locks.file, size); err != nil {
		return err
	}
	return o.enterAs(c)
}

// OpenMapping joins the object at the beginning of m, and makes it if the memory there is
// zero. companion is a file that all who share the memory have, and that has no other use
// of this kind: the members' locks are on it. m stays the caller's, and open until the
// object is closed; f stays the caller's too.
func OpenMapping(ctx context.Context, m *shmkit.Mapping, companion *os.File, c Config) (*Object, error) {
	p := place{address: c.Kind.String() + " in " + m.Name()}
	own, err := reopen(companion, owners{anyone: true})
	if err != nil {
		return nil, p.fail("open", fmt.Errorf("its companion %s: %w", companion.Name(), err), "")
	}
	o := &Object{place: p, locks: locks{file: fdmap.New(own, p.address)}, recover: c.Recover, slot: -1, borrowed: true}
	// For writing: whoever finds zeros makes the object, alone.
	err = o.underJ(ctx, sys.F_WRLCK, func() error { return o.joinMapping(m, &c) })
	if err != nil {
		return nil, p.fail("open", errors.Join(err, o.unmap()), hint(err))
	}
	return o, nil
}

func (o *Object) joinMapping(m *shmkit.Mapping, c *Config) error {
	wanted, err := c.namelessShape()
	if err != nil {
		return err
	}
	if m.Protection()&shmkit.Write == 0 {
		return shmkit.ErrReadOnly
	}
	if int64(m.Len()) < wanted.size {
		return fmt.Errorf("%d bytes, the object needs %d: %w", m.Len(), wanted.size, syscall.ENOSPC)
	}
	v, err := shmkit.ViewSlice[byte](m, 0, m.Len())
	if err != nil {
		return err
	}
	o.m, o.view, o.mem = m, v, v.Data()
	o.h = headerAt(o.mem)
	return guard(func() error {
		switch v := o.h.magic.Load(); {
		case v == making, v == magic && o.h.ready.Load() == 0, v == 0 && zero(o.mem[:wanted.size]):
			return o.makeIn(wanted, c)
		}
		size := int64(min(o.h.size.Load(), uint64(m.Len())))
		if o.shape, err = readShape(o.h, size); err != nil {
			return err
		}
		o.mem = o.mem[:size:size]
		return o.enterAs(c)
	})
}

// makeIn makes the object in memory that is there already. J is held for writing. If the
// maker dies before the header is ready the next one begins anew.
func (o *Object) makeIn(s shape, c *Config) error {
	o.shape = s
	o.mem = o.mem[:s.size:s.size]
	o.h.magic.Store(making)
	point("make:begun")
	clear(o.mem[8:])
	if c.Init != nil {
		if err := c.Init(o); err != nil {
			return err
		}
	}
	point("make:initialised")
	if err := o.format(c); err != nil {
		return err
	}
	point("make:formatted")
	return o.enter()
}

// enterAs joins an object that is mapped, and was checked, if it is what c wants.
func (o *Object) enterAs(c *Config) error {
	if err := o.fits(c); err != nil {
		return err
	}
	return guard(o.enter)
}

// underJ runs f with J held. If f made this handle a member and J cannot be given back it
// leaves again.
func (o *Object) underJ(ctx context.Context, kind int16, f func() error) error {
	if err := o.locks.join(ctx, kind); err != nil {
		return err
	}
	err := f()
	if e := o.locks.leave(); e != nil && err == nil {
		return errors.Join(e, o.leave())
	}
	return err
}

// Descriptor returns an open file for others to find the object by, with an open file
// description of its own: the locks of this member are not on it. The caller closes it.
func (o *Object) Descriptor() (f *os.File, err error) {
	err = o.locks.file.Use(func(own *os.File) error {
		f, err = reopen(own, owners{anyone: true})
		return err
	})
	if err != nil {
		return nil, o.fail("open", err, "")
	}
	return f, nil
}

// reopen opens the file of f anew.
func reopen(f *os.File, trusted owners) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	if e := raw.Control(func(old uintptr) { fd, err = sys.Reopen(int(old), os.O_RDWR|syscall.O_NONBLOCK) }); e != nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	own := os.NewFile(uintptr(fd), f.Name())
	if err := checkFile(own, trusted); err != nil {
		return nil, errors.Join(err, own.Close())
	}
	return own, nil
}
