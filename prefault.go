package shmkit

import (
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
)

// Prefault makes the pages of a range present, so that touching them later costs no
// page fault: for reading, or, with Write, for writing, which also allocates what a
// file has holes for and makes private copies. What would have been a fault is a
// *FaultError at the first page that cannot be had; those before it are present.
func (m *Mapping) Prefault(off, n int64, access Protection) error {
	advice, op, what := sys.MADV_POPULATE_READ, "prefault", Read
	if access&Write != 0 {
		advice, op, what = sys.MADV_POPULATE_WRITE, "prefault for writing", Write
	}
	return m.onPages(op, off, n, touched, func(addr uintptr, size uint64) error {
		err := madvise(addr, size, advice)
		if err == syscall.EFAULT {
			page := m.firstMissing(addr, size, advice)
			if page == addr+uintptr(size) { // somebody has mended it
				return nil
			}
			return m.missing(max(page, m.Addr()+uintptr(off)), what)
		}
		if err != syscall.EINVAL {
			return err
		}
		// The protection of some page, or a kernel before 5.14.
		for e := range sys.Maps(addr, addr+uintptr(size)) {
			if Protection(e.Prot())&what == 0 {
				return m.missing(max(e.Start, m.Addr()+uintptr(off)), what)
			}
		}
		return m.touch(addr, size, what)
	})
}

// madvise hides that the Go runtime's own signals interrupt it.
func madvise(addr uintptr, size uint64, advice int) error {
	for {
		if err := sys.Madvise(addr, size, advice); err != syscall.EINTR {
			return err
		}
	}
}

// firstMissing finds the first page that cannot be populated, by halves: what is present
// already is looked at again quickly. It returns the end of the range if there is none.
func (m *Mapping) firstMissing(addr uintptr, size uint64, advice int) uintptr {
	page := uint64(m.pageSize)
	good, bad := uint64(0), size/page // the first good pages can be had, the first bad+1 not
	for good < bad {
		half := (good + bad) / 2
		if madvise(addr+uintptr(good*page), (half+1-good)*page, advice) == nil {
			good = half + 1
		} else {
			bad = half
		}
	}
	return addr + uintptr(good*page)
}

// missing is the error for a page that an access would fault on.
func (m *Mapping) missing(addr uintptr, access Protection) error {
	at := int(addr - m.base())
	f := &FaultError{Mapping: m.name, Off: int64(m.start + at - m.lead), Addr: addr, Err: m.cause(addr, at), m: m}
	f.knownAs(access)
	return f
}

// touch is Prefault by hand.
func (m *Mapping) touch(addr uintptr, size uint64, access Protection) error {
	err := Guard(func() {
		for page := addr; page < addr+uintptr(size); page += uintptr(m.pageSize) {
			word := at[uint32](sys.Bytes(page, 4))
			if access == Write {
				words.Add32(word, 0)
			} else {
				words.Load32(word)
			}
		}
	})
	if fault, ok := err.(*FaultError); ok {
		fault.Access = access
	}
	return err
}
