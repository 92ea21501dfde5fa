package posixshm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// Options is how to make an object. The zero value makes one of zeros, reserved, that
// this user alone may open.
type Options struct {
	// Init fills the object before anybody can find it. The mapping is for reading and
	// writing and is closed when Init returns. An error ends the creation and is what it
	// fails with; a fault is an error too (see shmkit.Guard), and a panic goes on, with
	// nothing left behind.
	Init func(m *shmkit.Mapping) error
	// Replace puts the object in the place of one that has the name, if there is one,
	// in one step. In /dev/shm only the old one's owner and root may (EPERM).
	Replace bool
	// Mode is the nine permission bits, 0 for 0600. As for shm_open, those of the umask
	// are taken away.
	Mode fs.FileMode
	// ExactMode lets the umask not count.
	ExactMode bool
	// Sparse reserves no memory: pages come when they are first touched, and a touch on
	// a full tmpfs is a fault (shmkit.ErrNoSpace), also a reading one. For objects much
	// larger than what will be used of them.
	Sparse bool
	// AnyOwner is for OpenOrCreate: see OpenOptions.
	AnyOwner bool
}

// defaultMode is Mode 0.
const defaultMode = 0o600

// birth is an object that is being made. It has no name yet, and is gone when its file
// is closed, or this process dies.
type birth struct {
	place
	op   string
	size int64
	o    *Options
	file *fdmap.File // nil before build
}

func (d Dir) newBirth(op, name string, size int64, o *Options) (*birth, error) {
	p, err := d.place(op, name)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &Options{}
	}
	switch {
	case size < 0:
		return nil, p.fail(op, syscall.EINVAL, fmt.Sprintf("size %d is negative", size))
	case size == 0 && o.Init != nil:
		return nil, p.fail(op, syscall.EINVAL, "size 0 leaves nothing for Init to fill")
	case o.Mode&^0o777 != 0:
		return nil, p.fail(op, syscall.EINVAL, fmt.Sprintf("mode %#o has more than the nine permission bits", uint32(o.Mode)))
	}
	return &birth{place: p, op: op, size: size, o: o}, nil
}

// Create is the function Create in d.
func (d Dir) Create(name string, size int64, o *Options) (*Object, error) {
	b, err := d.newBirth("create", name, size, o)
	if err != nil {
		return nil, err
	}
	// Only to spare the work: link decides.
	if _, err := os.Lstat(b.path()); err == nil && !b.o.Replace {
		return nil, b.fail(b.op, syscall.EEXIST, "")
	}
	defer b.discard()
	if err := b.build(); err != nil {
		return nil, err
	}
	err = b.link()
	if errors.Is(err, fs.ErrExist) && b.o.Replace {
		err = b.replace()
	}
	if err != nil {
		return nil, err
	}
	return b.object()
}

// linkTries is how often OpenOrCreate believes that the object which was in the way of
// its own is gone when it looks.
const linkTries = 1000

// OpenOrCreate is the function OpenOrCreate in d.
func (d Dir) OpenOrCreate(name string, size int64, o *Options) (*Object, error) {
	b, err := d.newBirth("open or create", name, size, o)
	if err != nil {
		return nil, err
	}
	if b.o.Replace {
		return nil, b.fail(b.op, syscall.EINVAL, "Replace is for Create")
	}
	defer b.discard()
	for range linkTries {
		obj, err := b.open(&OpenOptions{AnyOwner: b.o.AnyOwner})
		if err == nil {
			return b.largeEnough(obj)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if b.file == nil { // else it was made and somebody was faster
			if err := b.build(); err != nil {
				return nil, err
			}
		}
		if err = b.link(); err == nil {
			return b.object()
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, b.fail(b.op, syscall.EEXIST, "others make and remove it all the time")
}

// largeEnough returns an object that was there before, if it has the bytes asked for.
func (b *birth) largeEnough(obj *Object) (*Object, error) {
	n, err := obj.Size()
	if err == nil && n < b.size {
		err = b.fail(b.op, syscall.EINVAL, fmt.Sprintf("it exists with %d bytes, %d were asked for", n, b.size))
		if n == 0 {
			err = b.fail(b.op, because{ErrEmpty, syscall.EINVAL}, emptyHint)
		}
	}
	if err != nil {
		_ = obj.Close()
		return nil, err
	}
	return obj, nil
}

// build makes the object, without its name.
func (b *birth) build() error {
	sweep(b.dir)
	mode := b.o.Mode
	if mode == 0 {
		mode = defaultMode
	}
	fd, err := sys.OpenTmpfile(b.dir, uint32(mode))
	if errors.Is(err, syscall.EISDIR) { // a kernel or file system that knows no such flag
		err = syscall.EOPNOTSUPP
	}
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return b.fail(b.op, err, fmt.Sprintf("the file system of %s has no files without a name (O_TMPFILE); tmpfs, ext4, xfs, btrfs and overlay have", b.dir))
	}
	if err != nil {
		return b.fail(b.op, err, "")
	}
	f := os.NewFile(uintptr(fd), b.path())
	b.file = fdmap.New(f, b.String())
	point("open")
	if b.o.ExactMode {
		if err := f.Chmod(mode); err != nil {
			return b.fail(b.op, err, "")
		}
	}
	if b.o.Sparse {
		err = truncate(f, b.size)
	} else {
		err = reserve(f, 0, 0, b.size)
	}
	if err != nil {
		return b.fail(b.op, err, roomHint(err, f, b.place, b.size))
	}
	point("reserved")
	if b.o.Init != nil {
		if err := b.init(); err != nil {
			return &Error{Op: b.op, Object: b.String(), Err: fmt.Errorf("initialise: %w", err)}
		}
		point("initialised")
	}
	return nil
}

// init calls Init.
func (b *birth) init() error {
	m, err := b.file.Map(fdmap.Options{Len: b.size, Protection: shmkit.Read | shmkit.Write})
	if err != nil {
		return err
	}
	return fdmap.Init(m, b.o.Init)
}

// discard lets go of what has become no object.
func (b *birth) discard() {
	if b.file != nil {
		_ = b.file.Close()
	}
}

// link gives the object its name, if that is free (fs.ErrExist).
func (b *birth) link() error {
	err := b.linkAs(b.path())
	if err == nil {
		point("linked")
		return nil
	}
	return b.fail(b.op, err, b.linkHint(err))
}

// linkHint explains what nothing else does.
func (b *birth) linkHint(err error) string {
	if _, e := os.Stat("/proc/self/fd"); e != nil && errors.Is(err, syscall.ENOENT) {
		return "/proc is not mounted; without it this takes CAP_DAC_READ_SEARCH or Linux 6.10"
	}
	return ""
}

// linkAs gives the file a name.
func (b *birth) linkAs(path string) error {
	return b.file.Use(func(f *os.File) error {
		err := sys.LinkTmpfile(int(f.Fd()), path)
		if errors.Is(err, syscall.ENOENT) { // perhaps there is no /proc
			err = sys.LinkTmpfileDirectly(int(f.Fd()), path)
		}
		return err
	})
}

// object makes the handle of an object that has its name. A file that was opened
// without a name is called "#123 (deleted)" in /proc for ever, in the list of mappings
// too, so it is opened again by the name, if that is still its own.
func (b *birth) object() (*Object, error) {
	var own Info
	if err := b.file.Use(func(f *os.File) error {
		info, err := f.Stat()
		if err == nil {
			own = infoOf(b.name(), info)
		}
		return err
	}); err != nil {
		return nil, b.fail(b.op, err, "")
	}
	obj, err := b.open(&OpenOptions{AnyOwner: true})
	if err == nil && (obj.device != own.Device || obj.inode != own.Inode) {
		_ = obj.Close()
		err = fs.ErrNotExist
	}
	if err != nil { // removed or replaced already, or its mode does not let us
		obj = &Object{place: b.place, file: b.file, device: own.Device, inode: own.Inode, writable: true}
		b.file = nil
	}
	obj.created, obj.sparse = true, b.o.Sparse
	return obj, nil
}
