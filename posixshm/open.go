package posixshm

import (
	"errors"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// OpenOptions is how to open an object. The zero value opens it for reading and
// writing if it belongs to this process's user or to root.
type OpenOptions struct {
	// ReadOnly asks for no permission to write, and gives none.
	ReadOnly bool
	// AnyOwner opens objects of other users too. What is in them, and whether they keep
	// their size, is up to whoever may write them.
	AnyOwner bool
}

// Open is the function Open in d.
func (d Dir) Open(name string, o *OpenOptions) (*Object, error) {
	p, err := d.place("open", name)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &OpenOptions{}
	}
	return p.open(o)
}

func (p place) open(o *OpenOptions) (*Object, error) {
	flags := os.O_RDWR
	if o.ReadOnly {
		flags = os.O_RDONLY
	}
	fd, err := sys.OpenNoFollow(p.path(), flags)
	if err != nil {
		return nil, p.openError(err)
	}
	// What is checked is what was opened, whatever the name means by now.
	f := os.NewFile(uintptr(fd), p.path())
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, p.fail("open", err, "")
	}
	if err := p.acceptable(info, o); err != nil {
		_ = f.Close()
		return nil, err
	}
	st := statOf(info)
	return &Object{place: p, file: fdmap.New(f, p.String()), device: st.Dev, inode: st.Ino, writable: !o.ReadOnly}, nil
}

// acceptable refuses what is no object, or whose object it is.
func (p place) acceptable(info os.FileInfo, o *OpenOptions) error {
	if err := p.regular("open", info); err != nil {
		return err
	}
	if owner := statOf(info).Uid; !o.AnyOwner && owner != 0 && owner != uint32(os.Geteuid()) {
		return p.fail("open", because{ErrForeign, syscall.EACCES},
			"it"+ownerOf(info)+"; "+thisProcess()+"; AnyOwner opens it nevertheless")
	}
	return nil
}

// openError explains why something was not opened. Some kinds of file tell what they
// are by their errno.
func (p place) openError(err error) error {
	switch {
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		if info, e := os.Lstat(p.path()); e == nil {
			if e := p.regular("open", info); e != nil {
				return e
			}
		}
	case errors.Is(err, syscall.EROFS):
		return p.fail("open", err, "its file system is mounted read-only; ReadOnly opens it")
	}
	return p.fail("open", err, "")
}
