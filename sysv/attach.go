package sysv

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
)

// AttachOptions is how to attach a segment. The zero value attaches it for
// reading and writing wherever the kernel likes.
type AttachOptions struct {
	ReadOnly bool // no Write; needs read permission only
	Exec     bool // Exec as well; needs execute permission in the mode
	// Addr, if not 0, is where to attach: a multiple of the page size, with free
	// address space behind it (EINVAL). A closed mapping of which a pointer was
	// shown may still take the addresses it had; see package shmkit.
	Addr uintptr
	// Round rounds Addr down to a multiple of the page size (SHMLBA) first.
	Round bool
	// Replace, if not nil, is an open mapping without views, which no goroutine is
	// just using (shmkit.ErrInUse), at least as long as the segment in whole pages.
	// It is closed, and the segment attached at its address in the same step
	// (SHM_REMAP). Addr must be 0. What the old mapping had beyond the end of the
	// segment is unmapped.
	Replace *shmkit.Mapping
}

// Attach maps the whole segment. The mapping's length is the size the segment
// was made with. Closing the mapping detaches.
//
// Errors are those of shmat(2): EACCES without permission, EINVAL for a bad
// address, EIDRM or EINVAL (both fs.ErrNotExist) if the segment is gone.
func (s *Segment) Attach(o *AttachOptions) (*shmkit.Mapping, error) {
	if o == nil {
		o = &AttachOptions{}
	}
	flags := 0
	if o.ReadOnly {
		flags |= sys.SHM_RDONLY
	}
	if o.Exec {
		flags |= sys.SHM_EXEC
	}
	if o.Round {
		flags |= sys.SHM_RND
	}
	if o.Round && o.Addr != 0 && o.Addr < uintptr(os.Getpagesize()) {
		// The kernel lets root attach there, and nil pointers reach the segment.
		return nil, s.refused("attach", fmt.Sprintf("address %#x rounds down to 0", o.Addr))
	}
	if o.Replace == nil {
		a, err := s.attach(o.Addr, flags, o)
		if err != nil {
			return nil, err
		}
		return shmkit.NewMapping(vm.New(*a)), nil
	}
	if o.Addr != 0 {
		return nil, s.refused("attach", "Replace says the address, Addr must be 0")
	}
	return shmkit.ReplaceMapping(o.Replace, func(addr uintptr, size int) (vm.Area, error) {
		// Anywhere first. While it is attached its identifier cannot come to mean
		// another segment, so that its length is known before it overwrites what
		// stands at addr, and nothing is left to fail afterwards.
		a, err := s.attach(0, flags, o)
		if err != nil {
			return vm.Area{}, err
		}
		defer detach(a.Addr, a.Size)
		if a.Size > size {
			return vm.Area{}, s.refused("attach", fmt.Sprintf("its %d bytes do not fit the %d bytes of %s", a.Size, size, o.Replace.Name()))
		}
		if _, err := sys.Shmat(s.id.num(), addr, flags|sys.SHM_REMAP); err != nil {
			return vm.Area{}, s.attachError(err, addr, o)
		}
		a.Addr = addr
		return vm.New(*a), nil
	})
}

// attach is shmat and the size. The size is asked for afterwards: once attached,
// the segment cannot go and another take its identifier.
func (s *Segment) attach(addr uintptr, flags int, o *AttachOptions) (*vm.Spec, error) {
	at, err := sys.Shmat(s.id.num(), addr, flags)
	if err != nil {
		return nil, s.attachError(err, addr, o)
	}
	var ds sys.ShmidDS
	if err := s.look(&ds); err != nil { // the mode may have changed since
		_ = sys.Shmdt(at)
		return nil, s.fail("attach", err)
	}
	name := s.String()
	if s.key == Private && ds.Perm.Key != 0 { // opened by id without permission to look
		name = address("sysv", Key(ds.Perm.Key), s.id.num())
	}
	page := sys.PageSizeAt(at) // of huge pages, more is mapped than the segment's size
	return &vm.Spec{
		Addr: at, Len: int(ds.Segsz), Size: (int(ds.Segsz) + page - 1) / page * page, PageSize: page,
		Readable: true, Writable: !o.ReadOnly, Exec: o.Exec, Name: name,
		Unmap: detach,
	}, nil
}

// detach unmaps an attached segment. munmap(2) goes by the address range, and the
// kernel counts it as a detach; shmdt(2) knows the length of a segment of huge
// pages, which the segment's size does not tell.
func detach(addr uintptr, size int) error {
	err := sys.Munmap(addr, size)
	if errors.Is(err, syscall.EINVAL) {
		err = sys.Shmdt(addr)
	}
	return err
}

func (s *Segment) attachError(err error, addr uintptr, o *AttachOptions) error {
	e, ok := s.fail("attach", err).(*Error)
	if ok && addr != 0 && errors.Is(err, syscall.EPERM) {
		e.Hint = fmt.Sprintf("address %#x is below vm.mmap_min_addr", addr)
	}
	if !ok || !errors.Is(err, syscall.EINVAL) {
		return e
	}
	page := uintptr(os.Getpagesize())
	_, exists := findSegment(func(i SegmentInfo) bool { return i.ID == s.id.num() })
	switch {
	case !exists:
	case addr > math.MaxInt64:
		e.Err, e.Hint = err, fmt.Sprintf("address %#x belongs to the kernel", addr)
	case addr%page != 0 && !o.Round:
		e.Err, e.Hint = err, fmt.Sprintf("address %#x is no multiple of the page size %d", addr, page)
	default:
		e.Err, e.Hint = err, fmt.Sprintf("the address range at %#x is not free", addr)
	}
	return e
}
