package filemap

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// The io interfaces that a File has.
var (
	_ io.ReaderAt = (*File)(nil)
	_ io.WriterAt = (*File)(nil)
	_ io.Closer   = (*File)(nil)
)

// File is an open file and its main mapping. Its methods may be called by any number of
// goroutines at once, Close among them.
type File struct {
	path string      // immutable
	o    Options     // immutable
	f    *fdmap.File // immutable

	mu     sync.Mutex  // held while the size or the main mapping changes
	closed atomic.Bool // set with mu held

	// main is the main mapping, nil while it would be empty. Stored with mu held.
	main atomic.Pointer[shmkit.Mapping]
}

// Modes of Flush; what each promises is in the comment of the package.
const (
	Sync       = shmkit.FlushSync
	Async      = shmkit.FlushAsync
	Invalidate = shmkit.FlushInvalidate
)

// Name returns the file's address in the words of the command, "file:prices.dat".
func (f *File) Name() string { return f.f.Name() }

// String describes the file for people.
func (f *File) String() string {
	if m := f.main.Load(); m != nil {
		return m.String()
	}
	return f.Name() + ", nothing mapped"
}

// Mapping returns the main mapping, nil while the file is empty or ends before Off.
// Resize to 0 bytes closes it, and growing again makes another; otherwise it is the same
// for the life of the File. Whoever closes it leaves the File without one for good: what
// needs it, Resize and Follow among them, is shmkit.ErrClosed then.
func (f *File) Mapping() *shmkit.Mapping { return f.main.Load() }

// Len returns the length of the main mapping in bytes, 0 if there is none.
func (f *File) Len() int {
	if m := f.main.Load(); m != nil {
		return m.Len()
	}
	return 0
}

// Bytes returns the memory of the main mapping as a slice; see shmkit.Mapping.Bytes.
func (f *File) Bytes() []byte {
	if m := f.main.Load(); m != nil {
		return m.Bytes()
	}
	return nil
}

// ReadAt copies from offset off of the main mapping into p; see shmkit.Mapping.ReadAt.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.onMain(func(m *shmkit.Mapping) error {
		n, err = m.ReadAt(p, off)
		return err
	}, func() error {
		switch {
		case off < 0:
			return f.outside("read", off, len(p))
		case len(p) == 0:
			return nil
		}
		return io.EOF
	})
	return n, err
}

// WriteAt copies p to offset off of the main mapping; see shmkit.Mapping.WriteAt. It
// does not make the file longer: Resize does.
func (f *File) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.onMain(func(m *shmkit.Mapping) error {
		n, err = m.WriteAt(p, off)
		return err
	}, func() error {
		if off != 0 || len(p) > 0 {
			return f.outside("write", off, len(p))
		}
		return nil
	})
	return n, err
}

// Flush writes n bytes of any alignment from offset off of the main mapping back to the
// device. The modes are Sync, Async and Invalidate.
//
// Errors are those of shmkit.Mapping.Flush: EIO, ENOSPC or EDQUOT from the device, EBUSY
// from Invalidate on a locked range.
func (f *File) Flush(off, n int64, mode shmkit.FlushMode) error {
	return f.onMain(func(m *shmkit.Mapping) error { return m.Flush(off, n, mode) }, func() error {
		if off != 0 || n != 0 {
			return f.outside("flush", off, int(n))
		}
		return nil
	})
}

// onMain calls do with the main mapping, or empty if there is none.
func (f *File) onMain(do func(*shmkit.Mapping) error, empty func() error) error {
	for {
		m := f.main.Load()
		if m == nil {
			if f.closed.Load() {
				return fail("use", f.path, f.f.Use(func(*os.File) error { return nil })) // which says it is closed
			}
			return empty()
		}
		err := do(m)
		// Resize may just have closed it for another.
		if err == nil || !errors.Is(err, shmkit.ErrClosed) || f.main.Load() == m {
			return err
		}
	}
}

func (f *File) outside(op string, off int64, n int) error {
	return &shmkit.AccessError{Op: op, Mapping: f.Name(), Off: off, Len: int64(n), Err: shmkit.ErrOutOfRange}
}

// Size returns how long the file is now, in bytes, whoever made it so.
func (f *File) Size() (int64, error) {
	n, err := f.f.Size()
	return n, fail("size of", f.path, err)
}

// Sync writes everything of the file that is not on the device yet, whoever wrote it and
// how, with its size, times, mode and owner: fsync(2). An error that the device reported
// for earlier writing surfaces here or in a Flush, once.
func (f *File) Sync() error {
	return fail("sync", f.path, f.f.Use((*os.File).Sync))
}

// Map maps another part of the file: n bytes from offset off on, 0 ≤ off, or with n 0
// all there is from there on. The mapping is independent of the File, and of its main
// mapping: it keeps its length when the file changes its own, and lives on when the File
// is closed.
//
// Errors: shmkit.ErrTruncated for a part that does not lie in the file, is empty, or has
// been cut off; those of mmap(2).
func (f *File) Map(off, n int64, o *MapOptions) (*shmkit.Mapping, error) {
	if o == nil {
		o = &MapOptions{}
	}
	part := Options{Off: off, Len: n, Reserve: o.Reserve, Advice: o.Advice}
	err := part.check()
	if err != nil {
		return nil, named("map", f.path, err)
	}
	size, err := f.f.Size()
	if err != nil {
		return nil, fail("map", f.path, err)
	}
	if err := checkMapped(off, n, size, o.Beyond); err != nil {
		return nil, named("map", f.path, err)
	}
	if n == 0 {
		n = size - off
	}
	if n == 0 {
		return nil, &Error{Op: "map", Path: f.path, Err: shmkit.ErrTruncated, Hint: "there is nothing from there on"}
	}
	m, err := f.f.Map(fdmap.Options{Off: off, Len: n, Protection: protection(o.Writable, o.Exec), Private: o.Private,
		Populate: o.Populate, NoReserve: o.NoReserve, Reserve: o.Reserve, Addr: o.Addr, Replace: o.Replace})
	if err != nil {
		return nil, err
	}
	return advised(m, o.Advice)
}

// advised gives advice about a new mapping.
func advised(m *shmkit.Mapping, a shmkit.Advice) (*shmkit.Mapping, error) {
	if a == shmkit.AdviseNormal {
		return m, nil
	}
	if err := m.Advise(0, int64(m.Len()), a); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Close closes the file and its main mapping. Views of it, and the mappings that Map
// made, go on working; the last of them closes the descriptor. Nothing is written back
// by it. A second Close does nothing.
func (f *File) Close() error {
	if f.f == nil { // a zero File
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed.Swap(true) {
		return nil
	}
	var err error
	if m := f.main.Load(); m != nil {
		err = m.Close()
	}
	return errors.Join(err, f.f.Close())
}
