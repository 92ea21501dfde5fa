package filemap

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
)

// Resize makes the file n bytes long, n ≥ 0, and lets the main mapping follow: it shows
// the part of the file that Off and Len of the Options say, as far as there is one (with
// Beyond: all of it). On an error neither is changed.
//
// Growing makes the file longer first, with its blocks reserved unless Sparse is set
// (ENOSPC), and then the mapping. What is new is zero. Views stay where they are if there
// is room behind the mapping, which Options.Reserve sets aside; without room the mapping
// moves, which views of it, and goroutines inside an accessor, do not allow (shmkit.ErrInUse).
//
// Shrinking is refused while a view of any mapping of this File, be it the main one or
// another, reaches beyond n (shmkit.ErrInUse). The mappings of Map keep their length, and
// fault (shmkit.ErrTruncated) behind the end. Slices from Bytes keep theirs, and fault
// with shmkit.ErrUnmapped.
//
// The file must have been opened for writing (EINVAL).
func (f *File) Resize(n int64) error {
	if n < 0 {
		return &Error{Op: "resize", Path: f.path, Err: syscall.EINVAL, Hint: fmt.Sprintf("size %d is negative", n)}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.mainClosed("resize"); err != nil {
		return err
	}
	size, err := f.f.Size()
	switch {
	case err != nil:
		return fail("resize", f.path, err)
	case n < size:
		return f.shrink(n)
	}
	return f.grow(size, n)
}

// Follow makes the main mapping fit what the file has become, for a file that others
// make longer or shorter, and returns the file's size. It does not change the file.
// When the mapping cannot follow, because a view is in the way (shmkit.ErrInUse), it is
// as before.
func (f *File) Follow() (size int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.mainClosed("follow"); err != nil {
		return 0, err
	}
	if size, err = f.f.Size(); err != nil {
		return 0, fail("follow", f.path, err)
	}
	return size, f.show(f.o.span(size))
}

// Truncate changes the size of the file alone, as truncate(2) does for everybody: mapping
// and views stay as they are, and what they show behind the end faults
// (shmkit.ErrTruncated) until the file is that long again. Growing leaves a hole.
func (f *File) Truncate(n int64) error {
	if n < 0 {
		return &Error{Op: "truncate", Path: f.path, Err: syscall.EINVAL, Hint: fmt.Sprintf("size %d is negative", n)}
	}
	return fail("truncate", f.path, f.f.Use(func(o *os.File) error { return o.Truncate(n) }))
}

// mainClosed refuses what would change a main mapping that somebody closed, instead of the
// File. f.mu is held.
func (f *File) mainClosed(op string) error {
	if m := f.main.Load(); m == nil || !m.Closed() || f.closed.Load() {
		return nil
	}
	return &Error{Op: op, Path: f.path, Err: shmkit.ErrClosed,
		Hint: "somebody closed what Mapping returned, which Close does; open the file anew"}
}

// grow makes the file n bytes long, which has size. f.mu is held.
func (f *File) grow(size, n int64) error {
	undo := func() error {
		// Only what was added, and only if nobody added more.
		if now, err := f.f.Size(); err != nil || now > n {
			return err
		}
		return f.f.Shrink(size, nil, 0, func(o *os.File) error { return o.Truncate(size) })
	}
	if n > size {
		if err := f.f.Use(func(o *os.File) error { return extend(o, size, n, f.o.Sparse) }); err != nil {
			return errors.Join(fail("resize", f.path, err), fail("shorten again", f.path, undo()))
		}
	}
	if err := f.show(f.o.span(n)); err != nil {
		if n > size {
			err = errors.Join(err, fail("shorten again", f.path, undo()))
		}
		return err
	}
	return nil
}

// shrink makes the file n bytes long, which has more. f.mu is held.
func (f *File) shrink(n int64) error {
	m, span := f.main.Load(), f.o.span(n)
	err := f.f.Shrink(n, m, span, func(o *os.File) error { return o.Truncate(n) })
	if err != nil {
		return fail("resize", f.path, err)
	}
	if m != nil && span == 0 {
		return f.drop(m)
	}
	return nil
}

// drop ends the main mapping, which shows nothing any more. f.mu is held.
func (f *File) drop(m *shmkit.Mapping) error {
	f.main.Store(nil)
	return m.Close()
}

// show makes the main mapping span bytes long. f.mu is held, or nobody else has f yet.
func (f *File) show(span int64) error {
	m := f.main.Load()
	switch {
	case m == nil && span == 0:
		return nil
	case m == nil:
		m, err := f.f.Map(f.o.main(span))
		if err == nil {
			m, err = advised(m, f.o.Advice)
		}
		if err != nil {
			return err
		}
		f.main.Store(m)
		return nil
	case span == int64(m.Len()):
		return nil
	case span > 0:
		old := int64(m.Len())
		if err := m.Resize(span); err != nil || span < old || f.o.Advice == shmkit.AdviseNormal {
			return err
		}
		return m.Advise(old, span-old, f.o.Advice) // the kernel has it for areas
	}
	// All of it, unless a view of it is open.
	if err := f.f.Shrink(math.MaxInt64, m, 0, func(*os.File) error { return nil }); err != nil {
		return err
	}
	return f.drop(m)
}
