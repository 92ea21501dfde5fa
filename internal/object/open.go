package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// errAgain: what was looked at has gone meanwhile; begin anew.
var errAgain = errors.New("again")

// Create makes an object and joins it as its first member. Its name must be free
// (fs.ErrExist); one that only dead members left behind is.
func Create(ctx context.Context, d Dir, name string, c Config) (*Object, error) {
	return open(ctx, d, name, c, true, true)
}

// Open joins an object that exists (fs.ErrNotExist). One that only dead members left
// behind, and that is not persistent, does not.
func Open(ctx context.Context, d Dir, name string, c Config) (*Object, error) {
	return open(ctx, d, name, c, false, false)
}

// OpenOrCreate is Open, or Create if there is none.
func OpenOrCreate(ctx context.Context, d Dir, name string, c Config) (*Object, error) {
	return open(ctx, d, name, c, true, false)
}

func open(ctx context.Context, d Dir, name string, c Config, create, exclusive bool) (*Object, error) {
	p := place{address: c.Kind.String() + ":" + name}
	op := "open" // until it turns out that there is none
	if exclusive {
		op = "create"
	}
	file, err := FileName(c.Kind, name)
	if err != nil {
		return nil, p.fail(op, err, "")
	}
	p.path = filepath.Join(d.path, file)
	for {
		if err := ctx.Err(); err != nil {
			return nil, p.fail(op, err, "")
		}
		trusted, err := d.check(create)
		if err != nil {
			return nil, p.fail(op, err, "")
		}
		trusted.anyone = trusted.anyone || c.AnyOwner
		o, err := p.join(ctx, c, trusted)
		if err == nil && exclusive {
			return nil, errors.Join(p.fail(op, fs.ErrExist, ""), o.Close())
		}
		if errors.Is(err, fs.ErrNotExist) && !create {
			d.tidy() // there may have been one that only the dead had
		}
		if errors.Is(err, fs.ErrNotExist) && create {
			o, err = p.create(c, trusted)
			if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) { // somebody was faster; or tidied the directory
				continue
			}
			if err != nil {
				d.tidy()
			}
			op = "create"
		}
		switch {
		case errors.Is(err, errAgain):
			continue
		case err != nil:
			return nil, p.fail(op, err, hint(err))
		}
		o.dir = d
		return o, nil
	}
}

// join opens the name and becomes a member.
func (p place) join(ctx context.Context, c Config, trusted owners) (*Object, error) {
	f, err := os.OpenFile(p.path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, foreign("it is a symbolic link")
	}
	if err != nil {
		return nil, err
	}
	if err := checkFile(f, trusted); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	point("join:opened")
	o := &Object{place: p, locks: locks{file: fdmap.New(f, p.address)}, recover: c.Recover, keep: c.Keep, trusted: trusted, slot: -1}
	if err := o.joinOpened(ctx, &c); err != nil {
		return nil, errors.Join(err, o.unmap())
	}
	return o, nil
}

// joinOpened is join from where the file is open.
func (o *Object) joinOpened(ctx context.Context, c *Config) error {
	if err := o.locks.join(ctx, sys.F_RDLCK); err != nil {
		return err
	}
	point("join:locked")
	alone, err := o.joinLocked(c)
	if e := o.locks.leave(); e != nil && err == nil {
		return errors.Join(e, o.leave())
	}
	if err != nil || !alone {
		return err
	}
	// Only the dead have it.
	gone, err := o.removeCheck(ctx, false)
	if err == nil && gone {
		err = fs.ErrNotExist
	} else if err == nil {
		err = errAgain
	}
	return err
}

// joinLocked is join with J held. alone: there is no living member, and the object is not
// one that outlives them.
func (o *Object) joinLocked(c *Config) (alone bool, err error) {
	if err := o.readNamed(); err != nil {
		return false, err
	}
	alive, err := o.locks.others(0, MaxMembers)
	if err != nil {
		return false, err
	}
	gone, err := o.annexGone()
	if err != nil {
		return false, err
	}
	if gone && alive {
		return false, fmt.Errorf("%w: its second file is gone", ErrCorrupt)
	}
	kept := false
	err = guard(func() error {
		kept = o.persistent || o.kept()
		return nil
	})
	if err != nil {
		return false, err
	}
	if gone || !alive && !kept {
		return true, nil
	}
	if err := o.fits(c); err != nil {
		return false, err
	}
	return false, guard(o.enter)
}

// readNamed reads and maps the object if its name still is this file's. J is held, so that both
// of its names are there, or none.
func (o *Object) readNamed() error {
	same, err := o.place.isNamed(&o.locks)
	if err != nil {
		return err
	}
	if !same {
		return errAgain
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
	return o.mapObject(o.locks.file, size)
}

// readHeader reads the header from the file and checks it: before the file is mapped, because
// that makes all of its memory present, which only an object is entitled to.
func (o *Object) readHeader(size int64) error {
	b := make([]byte, headerSize)
	var present int64
	err := o.locks.file.Use(func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		present = info.Sys().(*syscall.Stat_t).Blocks * 512
		_, err = f.ReadAt(b, 0)
		return err
	})
	if errors.Is(err, io.EOF) {
		return notBegun(size, nil)
	}
	if err != nil {
		return err
	}
	if o.shape, err = readShape(headerAt(b), size); err != nil {
		return err
	}
	if present < size { // whoever makes an object reserves it
		return fmt.Errorf("%w: it has holes: %d bytes of %d are there", ErrCorrupt, present, size)
	}
	return nil
}

// create makes the object and gives it its name. fs.ErrExist: somebody else did.
func (p place) create(c Config, trusted owners) (*Object, error) {
	s, err := c.shape()
	if err != nil {
		return nil, err
	}
	mode := c.Mode
	if mode == 0 {
		mode = 0o600
	}
	fd, err := sys.OpenTmpfile(filepath.Dir(p.path), uint32(mode.Perm()))
	if err != nil {
		return nil, err
	}
	point("create:opened")
	f := os.NewFile(uintptr(fd), p.path)
	o := &Object{shape: s, place: p, locks: locks{file: fdmap.New(f, p.address)}, recover: c.Recover, keep: c.Keep, trusted: trusted, slot: -1}
	if err := o.build(f, &c, mode); err != nil {
		return nil, errors.Join(err, o.unmap())
	}
	point("create:joined")
	if err := o.link(); err != nil {
		return nil, errors.Join(err, o.unmap())
	}
	point("create:unlocked")
	return o, nil
}

// build fills in a new object and joins it.
func (o *Object) build(f *os.File, c *Config, mode fs.FileMode) error {
	if err := f.Chmod(mode.Perm()); err != nil { // the umask is about files that people make
		return err
	}
	me := owners{uids: [3]uint32{uint32(os.Geteuid()), uint32(os.Geteuid()), uint32(os.Geteuid())}}
	if err := checkFile(f, me); err != nil {
		return err
	}
	// Nobody else is to find the file system full while we learn that it is too small.
	if space, err := sys.SpaceOf(int(f.Fd())); err == nil && space.Lacks(o.size+o.shape.annex) {
		return syscall.ENOSPC
	}
	if _, err := fdmap.Reserve(context.Background(), int(f.Fd()), 0, 0, o.size, int64(os.Getpagesize())); err != nil {
		return err
	}
	if o.shape.annex > 0 {
		annexMode := c.AnnexMode
		if annexMode == 0 {
			annexMode = mode
		}
		if err := o.makeAnnex(annexMode); err != nil {
			return err
		}
	}
	point("create:reserved")
	if err := o.mapObject(o.locks.file, o.size); err != nil {
		return err
	}
	return guard(func() error {
		if err := o.format(c); err != nil {
			return err
		}
		point("create:formatted")
		if c.Init != nil {
			if err := c.Init(o); err != nil {
				return err
			}
		}
		point("create:initialised")
		return o.enter()
	})
}

// hint says what to do about an error that opening or making an object met.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the file system is full; remove what is not needed, make the object smaller, or choose another directory with " + EnvDir
	case errors.Is(err, syscall.EMFILE):
		return "the process has as many files open as it may (ulimit -n)"
	case errors.Is(err, syscall.ENOLCK):
		return "the kernel has no memory for another file lock (there is no limit of their number), or the file system refuses it; choose another directory with " + EnvDir
	case errors.Is(err, syscall.EOPNOTSUPP):
		return "its file system cannot make files without a name; choose another directory with " + EnvDir
	}
	return ""
}
