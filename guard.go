package shmkit

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Guard runs f and returns a *FaultError if f faults inside a mapping: a write
// to a read-only one, a use after Close, a page the kernel cannot supply. Every
// other panic, and a fault anywhere else, goes on as if Guard were not there.
//
// What f did before the fault stays done. Guards nest.
//
// Guard covers the loads and stores of f in its own goroutine. It does not cover
// goroutines that f starts (a fault there ends the program), and system calls,
// which answer EFAULT. Nor does it, in a program built with -race, cover an atomic
// access by sync/atomic through a view: the race detector does it in C, and a fault
// there ends the program. (The atomic methods of Mapping do it in assembly, and are
// covered.) A Go map or string that f builds out of bytes in the mapping is not made
// safe by it: copy what must outlive f.
func Guard(f func()) (err error) {
	old := debug.SetPanicOnFault(true)
	done := false
	defer func() {
		debug.SetPanicOnFault(old)
		if done {
			return // recover costs a third of it all
		}
		// runtime.Goexit leaves nothing to recover.
		if r := recover(); r != nil {
			if err = faultOf(r); err == nil {
				panic(r)
			}
		}
	}()
	f()
	done = true
	return nil
}

// copyGuarded is copy with faults as errors; access is what the copy does to m.
// Nothing is known of how much was copied before a fault.
func (m *Mapping) copyGuarded(dst, src []byte, access Protection) error {
	err := Guard(func() { copy(dst, src) })
	if err == nil {
		return nil
	}
	// The other side of the copy may be a mapping too.
	if f, ok := err.(*FaultError); ok && f.m == m {
		f.knownAs(access)
	} else if ok {
		f.knownAs((Read | Write) &^ access)
	}
	return err
}

// faultOf returns the error for a recovered value, nil if the value is no fault
// in a mapping.
func faultOf(r any) error {
	e, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok {
		return nil
	}
	m, at := mappings.find(e.Addr())
	if m == nil {
		return nil
	}
	f := &FaultError{Mapping: m.name, Off: int64(m.start + at - m.lead), Addr: e.Addr(), Err: m.cause(e.Addr(), at), m: m}
	if f.Err == ErrReadOnly {
		f.Access = Write
	}
	return f
}

// cause says why an access to addr, which lies at bytes behind where m's first page
// begins, faulted. The kernel does not tell a Go program whether it was a read or a
// write, so it is derived.
func (m *Mapping) cause(addr uintptr, at int) error {
	switch {
	case m.moved:
		return ErrUnmapped
	case m.gone():
		return ErrClosed
	case at >= mappings.mappedBytes(m):
		return ErrUnmapped
	}
	err := m.pageCause(addr, at)
	if m.gone() { // meanwhile, and what was asked is no longer there
		return ErrClosed
	}
	return err
}

// gone reports whether the mapping was closed and nobody holds it any more. While a view
// of a closed mapping is open, a fault has other causes.
func (m *Mapping) gone() bool { return m.state.Load() == closedBit }

// pageCause is cause for memory that is mapped. What is looked at in one moment may
// change until the next: if nothing is wrong and yet there is no page, it looks again.
func (m *Mapping) pageCause(addr uintptr, at int) (err error) {
	const attempts = 100
	for range attempts {
		if err = m.lookForCause(addr, at); err != ErrNoMemory && err != ErrIO || m.backing == nil {
			break
		}
	}
	return err
}

func (m *Mapping) lookForCause(addr uintptr, at int) error {
	area := m.areaAt(addr)
	prot := Protection(area.Prot()) // the bits have the same values
	if m.backing != nil && prot == 0 && area.Inode == 0 {
		// Merely reserved, for what is mapped of a file names it: Resize cut it off, and may
		// have mapped it again since.
		return ErrUnmapped
	}
	if prot == 0 {
		return ErrNotReadable
	}
	if prot&Write == 0 {
		// A page that was there was written to; one that was not may have been missing when it
		// was read, and be there now.
		p, _ := sys.Pagemap(addr)
		if sys.Readable(addr) {
			if m.backing == nil || p&sys.PagemapPresent != 0 {
				return ErrReadOnly
			}
			return errReadOnlyOrPassing
		}
	}
	if prot == Exec {
		return ErrNotReadable
	}
	// What may only be written can be read on all machines that there are.
	if p, ok := sys.Pagemap(addr); ok && p&sys.PagemapGuard != 0 {
		return ErrGuardPage
	}
	if m.backing == nil {
		return ErrNoMemory
	}
	err := m.backing.Cause(int64(m.from + at))
	if err != nil && err != ErrIO {
		return err
	}
	// A write to what is private would make a copy, which nobody asked for.
	if m.pageSize == os.Getpagesize() && m.suppliable(addr, prot&Write != 0 && area.Shared()) {
		return errPassing
	}
	if err == nil {
		err = ErrNoMemory
	}
	return err
}

// errPassing: a page that faulted can be had now, so that it was the end of the file
// that came and went.
var errPassing = fmt.Errorf("%w a moment ago; it has grown again since", ErrTruncated)

// errReadOnlyOrPassing: nothing tells a write to a page that was not there from a read of
// one that came back.
var errReadOnlyOrPassing = fmt.Errorf("%w; or, if it was read, it was %w", ErrReadOnly, errPassing)

// suppliable reports whether the kernel can supply the page at addr now, to read and,
// with write, to write.
func (m *Mapping) suppliable(addr uintptr, write bool) bool {
	page := addr - addr%uintptr(m.pageSize)
	switch err := madvise(page, uint64(m.pageSize), sys.MADV_POPULATE_READ); {
	case err == syscall.EINVAL: // a kernel before 5.14
		return sys.Readable(addr)
	case err != nil:
		return false
	}
	return !write || madvise(page, uint64(m.pageSize), sys.MADV_POPULATE_WRITE) == nil
}

// knownAs says what the access was. A page that is there now and may not be written was
// not the obstacle to reading it.
func (f *FaultError) knownAs(access Protection) {
	f.Access = access
	switch {
	case access == Read && errors.Is(f.Err, ErrReadOnly):
		f.Err = errPassing
	case f.Err == errReadOnlyOrPassing:
		f.Err = ErrReadOnly
	}
}

// areaAt asks the kernel, which knows what Protect did to a part. Where it does not tell,
// an area is made up of what is known.
func (m *Mapping) areaAt(addr uintptr) sys.MapsEntry {
	for e := range sys.Maps(addr, addr+1) {
		return e
	}
	return sys.MapsEntry{Perms: m.Protection().String() + "p", Inode: 1}
}
