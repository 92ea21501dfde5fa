package filemap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// Create makes a new file of size bytes, all zero, and maps it for reading and writing.
// The name must be free (fs.ErrExist); a symbolic link takes it too.
//
// Unless Sparse is set the blocks of the file are reserved on the device, so that no
// later store can fail for want of room: a full disk is ENOSPC here, and more memory than
// there is, on a tmpfs, ENOMEM (it is asked for more than 64 MiB). The file gets its
// name last, complete and mapped: when Create fails, or the process is killed in it,
// nothing is left.
func Create(path string, size int64, o *Options) (*File, error) {
	opts, err := checked("create", path, o)
	if err != nil {
		return nil, err
	}
	return create(path, size, opts)
}

func create(path string, size int64, o Options) (*File, error) {
	o.Writable = true
	if o.Mode == 0 {
		o.Mode = 0o600
	}
	if size < 0 {
		return nil, &Error{Op: "create", Path: path, Err: syscall.EINVAL, Hint: fmt.Sprintf("size %d is negative", size)}
	}
	if err := checkMapped(o.Off, o.Len, size, o.Beyond); err != nil {
		return nil, named("create", path, err)
	}
	file, link, undo, err := newborn(path, o)
	if err != nil {
		return nil, fail("create", path, err)
	}
	f := newFile(path, file, o)
	made := false
	defer func() {
		if !made { // Init may have panicked
			undo()
			_ = f.Close()
		}
	}()
	err = f.fill(file, size)
	if err == nil {
		err = link()
	}
	if err != nil {
		return nil, fail("create", path, err)
	}
	made = true
	return f, nil
}

// fill makes a new file ready to be seen.
func (f *File) fill(file *os.File, size int64) error {
	if err := extend(file, 0, size, f.o.Sparse); err != nil {
		return err
	}
	span := f.o.span(size)
	if f.o.Init == nil || span == 0 {
		return f.show(span)
	}
	// What is stored in a private mapping would never get into the file.
	shared := f.o.main(span)
	shared.Private, shared.Reserve = false, 0
	m, err := f.f.Map(shared)
	if err != nil {
		return err
	}
	if err := fdmap.Init(m, f.o.Init); err != nil {
		return &Error{Op: "create", Path: f.path, Err: err}
	}
	return f.show(span)
}

// newborn opens a new file that has no name yet. link gives it its name; undo removes
// what stands there instead if the file system wants names from the beginning.
func newborn(path string, o Options) (f *os.File, link func() error, undo func(), err error) {
	dir, _ := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	// Where the name is taken anyway, no blocks are reserved first.
	if _, err := os.Lstat(path); err == nil {
		return nil, nil, nil, syscall.EEXIST
	}
	fd, err := sys.OpenTmpfile(dir, uint32(o.Mode))
	switch {
	case err == nil:
		f = os.NewFile(uintptr(fd), path)
		return f, func() error { return sys.LinkTmpfile(fd, path) }, func() {}, nil
	case !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.EISDIR):
		return nil, nil, nil, err
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, o.Mode)
	if err != nil {
		return nil, nil, nil, err
	}
	return f, func() error { return nil }, func() { _ = os.Remove(path) }, nil
}
