package filemap

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// Open opens a regular file and maps it. nil options open it for reading and map the
// whole of it.
//
// Errors are those of open(2) and mmap(2): fs.ErrNotExist, fs.ErrPermission,
// ErrNotRegular for a folder, pipe, socket or device, which is not touched,
// shmkit.ErrTruncated for a part that does not lie in the file.
func Open(path string, o *Options) (*File, error) {
	opts, err := checked("open", path, o)
	if err != nil {
		return nil, err
	}
	return open(path, opts, opts.Writable && !opts.Private)
}

// OpenOrCreate is Open for reading and writing, or Create if nothing has the name. size
// is that of a file that is created; an existing one keeps its own.
func OpenOrCreate(path string, size int64, o *Options) (*File, error) {
	opts, err := checked("open", path, o)
	if err != nil {
		return nil, err
	}
	opts.Writable = true
	for attempt := 0; ; attempt++ {
		f, err := open(path, opts, true)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		f, err = create(path, size, opts)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
		const enough = 100 // others that create and remove it between our two looks
		if attempt == enough {
			return nil, &Error{Op: "open", Path: path, Err: syscall.ENOENT,
				Hint: "the name is taken, and what it leads to does not exist: a dangling symbolic link"}
		}
	}
}

// checked returns a copy of the options, checked as far as they can be without the
// file.
func checked(op, path string, o *Options) (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	return opts, named(op, path, opts.check())
}

// named completes an Error that does not know yet what failed.
func named(op, path string, err error) error {
	if e, ok := err.(*Error); ok && e.Op == "" {
		e.Op, e.Path = op, path
	}
	return err
}

// open opens and maps an existing file.
func open(path string, o Options, write bool) (*File, error) {
	file, err := openRegular(path, write, o.NoFollow)
	if err != nil {
		return nil, fail("open", path, err)
	}
	info, err := file.Stat()
	if err == nil {
		err = checkMapped(o.Off, o.Len, info.Size(), o.Beyond)
	}
	if err != nil {
		_ = file.Close()
		return nil, fail("open", path, named("open", path, err))
	}
	f := newFile(path, file, o)
	if err := f.show(o.span(info.Size())); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// openRegular opens a regular file. What it is is looked at first, because opening alone
// waits for the other side of a pipe, and makes some devices do something.
func openRegular(path string, write, nofollow bool) (*os.File, error) {
	fd, err := sys.OpenPath(path, nofollow)
	if err != nil {
		return nil, err
	}
	look := os.NewFile(uintptr(fd), path)
	defer look.Close()
	info, err := look.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkKind(info.Mode()); err != nil {
		return nil, err
	}
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	if fd, err = sys.Reopen(fd, flags); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func newFile(path string, f *os.File, o Options) *File {
	return &File{path: path, o: o, f: fdmap.New(f, "file:"+path)}
}
