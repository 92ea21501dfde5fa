package memfd

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// MapOptions is what Map maps and how. The zero value is all of it, shared, for reading
// and writing. Offsets and lengths are bytes of any value.
type MapOptions struct {
	// Off and Len are the part to map; Len 0 is up to the end. It must lie in the memory:
	// to map more than there is, grow it first.
	Off, Len int64
	// ReadOnly: a store through the mapping faults with shmkit.ErrReadOnly. It is the only
	// shared mapping there is of memory sealed against writing.
	ReadOnly bool
	// Private: stores stay in this process (copy on write).
	Private bool
	// Exec: machine code in it can be called.
	Exec bool
	// Populate brings all pages in at once.
	Populate bool
	// Reserve is how many bytes of address space, counted from Off, are kept for the
	// mapping to be resized into without moving.
	Reserve int64
	// Addr, if not 0, is where Off shall stand: as many bytes into a page as Off is (EINVAL),
	// and free (EEXIST).
	Addr uintptr
	// Replace is a mapping in whose place the new one is put; see shmkit.ReplaceMapping.
	Replace *shmkit.Mapping
}

// Map maps the memory. The mapping stays when the File is closed.
//
// Errors: EPERM (fs.ErrPermission): it is sealed against writing, and ReadOnly or Private
// was not said. EACCES: the descriptor is read-only, and ReadOnly was not said.
// shmkit.ErrOutOfRange: the part does not lie in the memory. ENOMEM: too few huge
// pages, or address space.
func (f *File) Map(o *MapOptions) (*shmkit.Mapping, error) {
	if o == nil {
		o = &MapOptions{}
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	n := o.Len
	if n == 0 {
		n = max(size-o.Off, 0)
	}
	if o.Off < 0 || n <= 0 || o.Off > size || n > size-o.Off {
		return nil, f.fail(fmt.Sprintf("map %d bytes at offset %d of", n, o.Off), shmkit.ErrOutOfRange,
			fmt.Sprintf("it has %d bytes", size))
	}
	protection := shmkit.Read
	if !o.ReadOnly {
		protection |= shmkit.Write
	}
	if o.Exec {
		protection |= shmkit.Exec
	}
	options := fdmap.Options{
		Off: o.Off, Len: n, Protection: protection, Private: o.Private, Populate: o.Populate,
		Reserve: o.Reserve, Addr: o.Addr, Replace: o.Replace, PageSize: f.pageSize,
	}
	m, err := f.m.Map(options)
	if errors.Is(err, syscall.EPERM) && o.ReadOnly && !o.Private {
		if m, err := f.mapReadOnly(options); err == nil {
			return m, nil
		}
	}
	return m, err
}

// mapReadOnly maps through a read-only descriptor. Kernels before 6.7, and some 6.12,
// refuse a shared mapping of write-sealed memory, though read-only, if the descriptor
// could make it writable later.
func (f *File) mapReadOnly(o fdmap.Options) (m *shmkit.Mapping, err error) {
	err = f.use(func(*os.File) error {
		fd, err := sys.Reopen(f.fd, os.O_RDONLY)
		if err != nil {
			return err
		}
		file := fdmap.New(os.NewFile(uintptr(fd), f.name), f.Address())
		m, err = file.Map(o)
		return errors.Join(err, file.Close()) // the mapping keeps what it needs
	})
	return m, err
}
