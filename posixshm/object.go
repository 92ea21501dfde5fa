package posixshm

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
)

// Object is a handle of a shared memory object. Its methods may be called by any number
// of goroutines at once. The functions of this package make it; the zero value is
// none.
type Object struct {
	place
	file *fdmap.File

	// Immutable.
	device, inode uint64
	writable      bool
	created       bool
	sparse        bool
}

// Name returns the name: "/frames".
func (o *Object) Name() string { return o.name() }

// Created reports whether this handle's call made the object.
func (o *Object) Created() bool { return o.created }

// Size returns how many bytes the object has now.
func (o *Object) Size() (int64, error) {
	n, err := o.file.Size()
	if err != nil {
		return 0, o.fail("stat", err, "")
	}
	return n, nil
}

// Stat returns what the kernel knows of the object, also when its name is gone.
func (o *Object) Stat() (info Info, err error) {
	err = o.use("stat", func(f *os.File) error {
		i, err := f.Stat()
		if err == nil {
			info = infoOf(o.name(), i)
		}
		return err
	})
	return info, err
}

// Chmod sets the nine permission bits; the umask does not count. Handles and mappings
// that exist keep what they have. EPERM: only the owner and root may.
func (o *Object) Chmod(mode fs.FileMode) error {
	return o.use("chmod", func(f *os.File) error {
		if mode&^0o777 != 0 {
			return o.fail("chmod", syscall.EINVAL, fmt.Sprintf("mode %#o has more than the nine permission bits", uint32(mode)))
		}
		return f.Chmod(mode)
	})
}

// Chown gives the object to another user and group; -1 leaves one as it is. EPERM: only
// root may give it away, and the owner to a group that he is in.
func (o *Object) Chown(uid, gid int) error {
	return o.use("chown", func(f *os.File) error {
		for _, n := range []int{uid, gid} {
			if n < -1 || n >= math.MaxUint32 { // the kernel would cut it to 32 bits, and 1<<32 would be root
				return o.fail("chown", syscall.EINVAL, fmt.Sprintf("uid %d gid %d are not both -1 or a number of 32 bits", uid, gid))
			}
		}
		return f.Chown(uid, gid)
	})
}

// Remove removes the object's name, if it still is this object's; if it was removed or
// given to another object it is fs.ErrNotExist. It works after Close too. Somebody who
// replaces the object in the very moment between that look and the removal loses the new
// name: where that may happen, agree on a lock.
func (o *Object) Remove() error {
	info, err := os.Lstat(o.path())
	if err != nil {
		return o.fail("remove", err, "")
	}
	// After Close nothing keeps the kernel from giving the number to another file, but on
	// tmpfs numbers are not used again.
	if st := statOf(info); st.Dev != o.device || st.Ino != o.inode {
		return o.fail("remove", syscall.ENOENT, "the name belongs to another object now")
	}
	if err := syscall.Unlink(o.path()); err != nil {
		return o.fail("remove", err, "")
	}
	return nil
}

// Close ends the use of the handle; mappings stay. It never removes the name. A second
// Close does nothing and returns nil. All other methods then fail with fs.ErrClosed, but
// for Name, String, Created and Remove.
func (o *Object) Close() error {
	if o.file == nil { // a zero Object
		return nil
	}
	if err := o.file.Close(); err != nil {
		return o.fail("close", err, "")
	}
	return nil
}

// use calls do with the open file, and tells what it was about if that fails.
func (o *Object) use(op string, do func(*os.File) error) error {
	err := o.file.Use(do)
	if _, told := err.(*Error); err == nil || told {
		return err
	}
	return o.fail(op, err, "")
}

// Remove is the function Remove in d.
func (d Dir) Remove(name string) error {
	p, err := d.place("remove", name)
	if err != nil {
		return err
	}
	err = syscall.Unlink(p.path())
	if err == syscall.EISDIR {
		return p.fail("remove", because{ErrNotObject, syscall.EINVAL}, "it is a directory")
	}
	if err != nil {
		return p.fail("remove", err, "")
	}
	return nil
}
