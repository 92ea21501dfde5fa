package fdmap

import (
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
)

// Options is what to map of a file and how. Offsets and lengths are bytes of any
// value.
type Options struct {
	Off, Len int64 // Len at least 1; what lies behind the end of the file faults
	// Protection is what may be done; 0 is nothing at all.
	Protection shmkit.Protection
	Private    bool // copy on write: stores stay in this process
	// Populate brings all pages in at once, for writing if Protection has Write.
	Populate bool
	// NoReserve sets no swap space aside for a private mapping's copies.
	NoReserve bool
	// Reserve is how many bytes of address space, counted from Off, are kept for the
	// mapping to grow into.
	Reserve int64
	// Addr, if not 0, is where Off shall stand: as many bytes into a page as Off (EINVAL),
	// and free (EEXIST).
	Addr uintptr
	// Replace is a mapping in whose place the new one is put; see shmkit.ReplaceMapping.
	Replace *shmkit.Mapping
	// PageSize is that of a file of huge pages, in bytes; 0 is the base page.
	PageSize int
}

// Map maps a part of the file.
func (f *File) Map(o Options) (m *shmkit.Mapping, err error) {
	if o.PageSize == 0 {
		o.PageSize = os.Getpagesize()
	}
	switch {
	case o.Len < 1 || o.Off < 0 || o.Reserve < 0:
		return nil, f.fail("map", o, syscall.EINVAL)
	case max(o.Len, o.Reserve) > math.MaxInt64-int64(o.PageSize)-o.Off:
		return nil, f.fail("map", o, syscall.EOVERFLOW)
	case o.Addr != 0 && o.Addr%uintptr(o.PageSize) != uintptr(o.Off%int64(o.PageSize)):
		return nil, f.fail("map", o, syscall.EINVAL)
	case o.Addr != 0 && o.Addr < uintptr(o.PageSize): // 0, where its page would begin, is anywhere to the kernel
		return nil, f.fail("map", o, syscall.EINVAL)
	}
	err = f.Use(func(*os.File) error {
		if o.Replace != nil {
			m, err = f.replace(o)
			return err
		}
		addr := o.Addr
		if addr != 0 { // the first page begins before it
			addr -= uintptr(o.Off % int64(o.PageSize))
		}
		a, err := f.mapAt(o, addr)
		if err == nil {
			m = shmkit.NewMapping(a)
		}
		return err
	})
	if err == errClosed {
		err = f.fail("map", o, err)
	}
	return m, err
}

// replace maps over o.Replace, in one step.
func (f *File) replace(o Options) (*shmkit.Mapping, error) {
	if o.Addr != 0 || o.Reserve != 0 {
		return nil, &shmkit.OpError{Op: "map", Mapping: f.name, Off: o.Off, Len: o.Len, Err: syscall.EINVAL,
			Hint: "a mapping that takes another's place has its address, and no room to grow"}
	}
	return shmkit.ReplaceMapping(o.Replace, func(addr uintptr, size int) (vm.Area, error) {
		w := f.window(o)
		if w.size > size {
			return vm.Area{}, &shmkit.OpError{Op: "map", Mapping: f.name, Off: o.Off, Len: o.Len, Err: syscall.EINVAL,
				Hint: fmt.Sprintf("its %d bytes of whole pages do not fit the %d bytes of %s", w.size, size, o.Replace.Name())}
		}
		if err := w.MapAt(addr, 0, w.size, int(o.Protection)); err != nil {
			return vm.Area{}, f.fail("map", o, err)
		}
		return w.area(o, addr, w.size), nil
	})
}

// mapAt maps at addr, or, if that is 0, where the kernel likes. The caller holds f.
func (f *File) mapAt(o Options, addr uintptr) (vm.Area, error) {
	w := f.window(o)
	total := max(w.size, roundUp(int64(w.lead)+o.Reserve, w.page))
	switch {
	case total > w.size:
		// The addresses first, and what is mapped over them.
		var err error
		if addr == 0 {
			addr, err = sys.ReserveAligned(total, w.page)
		} else {
			err = sys.ReserveAt(addr, total)
		}
		if err != nil {
			return vm.Area{}, f.fail("map", o, err)
		}
		if err := w.MapAt(addr, 0, w.size, int(o.Protection)); err != nil {
			_ = sys.Munmap(addr, total)
			return vm.Area{}, f.fail("map", o, err)
		}
		return w.area(o, addr, total), nil
	case addr != 0:
		if err := w.mmap(&addr, sys.MAP_FIXED_NOREPLACE, 0, w.size, int(o.Protection)); err != nil {
			return vm.Area{}, f.fail("map", o, err)
		}
	default:
		if err := w.mmap(&addr, 0, 0, w.size, int(o.Protection)); err != nil {
			return vm.Area{}, f.fail("map", o, err)
		}
	}
	return w.area(o, addr, total), nil
}

// window is the part of a file that a mapping shows: its backing.
type window struct {
	file       *File
	off        int64 // of the first page, bytes
	lead, size int
	page       int
	flags      int // of mmap
}

func (f *File) window(o Options) *window {
	lead := int(o.Off % int64(o.PageSize))
	w := &window{file: f, off: o.Off - int64(lead), lead: lead, size: roundUp(int64(lead)+o.Len, o.PageSize), page: o.PageSize, flags: sys.MAP_SHARED}
	if o.Private {
		w.flags = sys.MAP_PRIVATE
	}
	if o.NoReserve {
		w.flags |= sys.MAP_NORESERVE
	}
	if o.Populate {
		w.flags |= sys.MAP_POPULATE
	}
	return w
}

// area describes the mapping at addr, and counts it.
func (w *window) area(o Options, addr uintptr, total int) vm.Area {
	w.Retain()
	return vm.New(vm.Spec{
		Addr: addr + uintptr(w.lead), Len: int(o.Len), Lead: w.lead, Mapped: w.size, Size: total, PageSize: w.page,
		Readable: o.Protection&shmkit.Read != 0, Writable: o.Protection&shmkit.Write != 0, Exec: o.Protection&shmkit.Exec != 0,
		Name: w.file.name, Unmap: sys.Munmap, Backing: w,
	})
}

// mmap maps n bytes from off on, and stores where.
func (w *window) mmap(addr *uintptr, flags, off, n, prot int) error {
	at, err := sys.Mmap(*addr, uint64(n), prot, w.flags|flags, int(w.file.f.Fd()), w.off+int64(off))
	if err != nil {
		return err
	}
	if flags&sys.MAP_FIXED_NOREPLACE != 0 && at != *addr { // a kernel before 4.17 took it as a hint
		_ = sys.Munmap(at, n)
		return syscall.EEXIST
	}
	*addr = at
	return nil
}

// MapAt implements vm.Backing.
func (w *window) MapAt(addr uintptr, off, n, prot int) error {
	return w.mmap(&addr, sys.MAP_FIXED, off, n, prot)
}

// StartWriteback implements vm.Backing.
func (w *window) StartWriteback(off, n int64) error {
	if w.flags&sys.MAP_PRIVATE != 0 {
		return nil
	}
	return sys.SyncFileRange(int(w.file.f.Fd()), w.off+off, n, sys.SYNC_FILE_RANGE_WRITE)
}

// SyncUnwritable writes the file back if it was opened for reading alone, for then
// msync(2) does not: mmap takes VM_SHARED from such a mapping, which msync looks at.
func (w *window) SyncUnwritable() error {
	fd := int(w.file.f.Fd())
	mode, err := sys.AccessMode(fd)
	if err != nil || mode != os.O_RDONLY || w.flags&sys.MAP_PRIVATE != 0 {
		return err
	}
	for {
		if err := syscall.Fdatasync(fd); err != syscall.EINTR {
			return err
		}
	}
}

// Object implements vm.Backing.
func (w *window) Object() (object any, off int64) { return w.file, w.off }

// Retain implements vm.Backing.
func (w *window) Retain() { w.file.retain() }

// Release implements vm.Backing.
func (w *window) Release() error { return w.file.release() }

// roundUp returns n in whole pages.
func roundUp(n int64, page int) int { return int((n + int64(page) - 1) / int64(page) * int64(page)) }
