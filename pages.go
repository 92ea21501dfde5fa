package shmkit

import (
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// The methods here control the pages of a mapping, or of the n bytes from offset off
// on. The kernel works on whole pages. What does no harm to its neighbours is done
// to every page that the range touches; what changes contents or protection wants a
// range that begins and ends where pages do, or at the mapping's end
// (ErrMisaligned). A range that does not lie in the mapping is ErrOutOfRange, and
// one of 0 bytes is nothing to do. What the kernel refuses is an *OpError with its
// errno.

// Protect changes what may be done with a range: mprotect(2). 0 is nothing at all.
// EACCES (fs.ErrPermission): the descriptor that the memory was mapped from was not
// opened for writing. ENOMEM: the process has as many areas as it may
// (vm.max_map_count).
func (m *Mapping) Protect(off, n int64, p Protection) error {
	return m.onPages("protect", off, n, exactly, func(addr uintptr, size uint64) error {
		if p&^(Read|Write|Exec) != 0 {
			return syscall.EINVAL
		}
		// Not while Resize cuts off the range: what is reserved must stay beyond reach.
		m.views.mu.Lock()
		defer m.views.mu.Unlock()
		mapped := uint64(mappings.mappedBytes(m))
		if end := uint64(addr-m.base()) + size; end > mapped {
			return m.outOfRange("protect", off, int(n))
		}
		err := sys.Mprotect(addr, int(size), int(p))
		switch {
		case err == nil && size == mapped:
			m.prot.Store(uint32(p))
		case err == nil:
			m.prot.Or(uint32(p))
		case err != syscall.EACCES: // it may have done a part
			m.prot.Or(uint32(m.protectionOf(addr, size)))
		}
		return err
	})
}

// protectionOf asks the kernel what may be done with some part of a range.
func (m *Mapping) protectionOf(addr uintptr, size uint64) (p Protection) {
	for e := range sys.Maps(addr, addr+uintptr(size)) {
		p |= Protection(e.Prot()) // the bits have the same values
	}
	return p
}

// Advise tells the kernel what will be done with a range, or does something to its
// pages: madvise(2). EINVAL: this memory or this kernel doesn't know the advice.
func (m *Mapping) Advise(off, n int64, a Advice) error {
	how := touched
	if a.Destructive() {
		how = exactly
	}
	return m.onPages("advise "+a.String()+" of", off, n, how, func(addr uintptr, size uint64) error {
		if int64(a) != int64(int32(a)) { // the kernel would look at 32 bits of it
			return syscall.EINVAL
		}
		return madvise(addr, size, int(a))
	})
}

// Collapse copies the pages of a range into huge pages now: madvise(2) with
// MADV_COLLAPSE, since Linux 6.1. Only what fills a huge page (2 MiB on most machines)
// is taken. EINVAL: there are no huge pages for this memory. ENOMEM, EAGAIN: there is
// none free just now.
func (m *Mapping) Collapse(off, n int64) error { return m.Advise(off, n, AdviseCollapse) }

// Resident tells which pages of a range are in memory: mincore(2). The first is the
// page that off lies in. Of a file it is the page cache that is asked, and only
// whoever may write the file, or owns it, is told; others see all pages as present.
func (m *Mapping) Resident(off, n int64) (pages []bool, err error) {
	err = m.onPages("residency of", off, n, touched, func(addr uintptr, size uint64) error {
		page := uint64(os.Getpagesize()) // also of huge pages
		vec := make([]byte, (size+page-1)/page)
		err := sys.Mincore(addr, size, vec)
		for err == syscall.EAGAIN {
			err = sys.Mincore(addr, size, vec)
		}
		if err != nil {
			return err
		}
		pages = make([]bool, len(vec))
		for i, v := range vec {
			pages[i] = v&1 != 0
		}
		return nil
	})
	return pages, err
}

// rounding is what becomes of a range that does not begin and end where pages do.
type rounding int

const (
	touched rounding = iota // every page that it touches
	exactly                 // it is refused, but for an end at the end of the mapping
)

// onPages runs f on the pages of a range, with the mapping held.
func (m *Mapping) onPages(op string, off, n int64, how rounding, f func(addr uintptr, size uint64) error) (err error) {
	if err := m.pin(); err != nil {
		return m.refuse(op, err, "")
	}
	defer func() {
		if e := m.unpin(); err == nil {
			err = e
		}
	}()
	length := m.length.Load()
	if off < 0 || n < 0 || off > length || n > length-off {
		return &AccessError{Op: op, Mapping: m.name, Off: off, Len: n, Size: length, Err: ErrOutOfRange}
	}
	if n == 0 {
		return nil
	}
	page := int64(m.pageSize)
	begin, end := off+int64(m.lead), off+int64(m.lead)+n
	if how == exactly {
		// The mapping's own ends may lie within a page, and nobody else's bytes beside them.
		if begin%page != 0 && off != 0 {
			return m.refuse(op, ErrMisaligned, m.nearestPage(off))
		}
		if end%page != 0 && off+n != length {
			return m.refuse(op, ErrMisaligned, m.nearestPage(off+n))
		}
	}
	begin -= begin % page
	end = (end + page - 1) / page * page
	err = f(m.base()+uintptr(begin), uint64(end-begin))
	if errno, ok := err.(syscall.Errno); ok {
		return &OpError{Op: op, Mapping: m.name, Off: off, Len: n, Err: err, Hint: m.pagesHint(op, errno)}
	}
	return err
}

// pagesHint says what to do about an errno.
func (m *Mapping) pagesHint(op string, errno syscall.Errno) string {
	switch {
	case op == "lock" && lockHint(errno) != "":
		return lockHint(errno)
	case op == "protect" && errno == syscall.EACCES:
		return "what the memory was mapped from was not opened for that"
	case op == "protect" && errno == syscall.ENOMEM:
		return "the process has as many areas as vm.max_map_count allows"
	case op == "advise "+AdviseRemove.String()+" of" && errno == syscall.EACCES:
		return "only who may write the object, through a shared mapping, can remove its pages"
	case op == "protect" && errno == syscall.EINVAL:
		return "there are Read, Write and Exec"
	case op == "flush" && errno == syscall.EINVAL:
		return "there are FlushSync, FlushAsync and FlushInvalidate"
	case errno == syscall.EINVAL:
		return "this memory (some advice is not for locked or huge pages), or this kernel, does not know that"
	}
	return ""
}
