package posixshm

import (
	"fmt"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// MapOptions is what to map of an object, and how. The zero value maps all of it, for
// reading, and for writing if the object was opened for that.
type MapOptions struct {
	// ReadOnly gives a mapping without Write.
	ReadOnly bool
	// Exec gives a mapping with Exec; EPERM where /dev/shm is mounted noexec.
	Exec bool
	// Private keeps what is stored in this process (copy on write), which may then write
	// to an object that was opened read-only.
	Private bool
	// Off and Len say which bytes, of any alignment; Len 0 is what there is from Off on.
	Off, Len int64
	// Prefault makes all pages present at once, so that touching them costs no page
	// fault later.
	Prefault bool
	// Reserve is how many bytes of address space, from Off on, are kept so that
	// Mapping.Resize can grow in place.
	Reserve int64
	// Addr, if not 0, is where Off shall stand: as many bytes into a page as Off is
	// (EINVAL), and free (EEXIST).
	Addr uintptr
	// Replace is an open mapping without views that is closed, and in whose place this
	// one is put in the same step (shmkit.ErrInUse); Addr and Reserve must be 0.
	Replace *shmkit.Mapping
}

// emptyHint says what to do about ErrEmpty.
const emptyHint = "whoever made it has not given it a size yet, or died before; WaitSize waits for it, Resize gives it one, Remove removes it"

// Map maps the object. nil options are the zero value. The mapping needs the handle no
// more, and its name is the object's address.
//
// Errors: ErrEmpty; EINVAL for bytes that the object does not have; EACCES; ENOMEM when
// the address space is used up; those of the fields of MapOptions.
func (o *Object) Map(options *MapOptions) (*shmkit.Mapping, error) {
	if options == nil {
		options = &MapOptions{}
	}
	size, err := o.Size()
	if err != nil {
		return nil, err
	}
	off, n := options.Off, options.Len
	if n == 0 {
		n = size - off
	}
	switch {
	case size == 0:
		return nil, o.fail("map", because{ErrEmpty, syscall.EINVAL}, emptyHint)
	case off < 0 || n <= 0 || off > size || n > size-off:
		return nil, o.fail("map", syscall.EINVAL,
			fmt.Sprintf("%d bytes from offset %d on are not in its %d bytes", options.Len, off, size))
	}
	m := fdmap.Options{
		Off: off, Len: n, Protection: shmkit.Read, Private: options.Private, Populate: options.Prefault,
		Reserve: options.Reserve, Addr: options.Addr, Replace: options.Replace,
	}
	if !options.ReadOnly && (o.writable || options.Private) {
		m.Protection |= shmkit.Write
	}
	if options.Exec {
		m.Protection |= shmkit.Exec
	}
	return o.file.Map(m)
}
