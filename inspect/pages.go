package inspect

import (
	"math/bits"
	"strings"
)

// PageState is what is known of a page, as bits. What a bit means depends on who is asked: the
// object itself (PageView.PID is 0) or a process that maps it.
type PageState uint32

// Bits of PageState.
const (
	// PagePresent: the object has the page in memory; the page table of the process leads to a frame.
	PagePresent PageState = 1 << iota
	// PageSwapped: its content is in swap. Of a process: that of a copy of its own, for where a page that
	// is shared has gone the object knows, and not the page table.
	PageSwapped
	// PageHole: nothing was ever stored there, and it reads as zeros. Of an object.
	PageHole
	// PageReserved: memory was set aside for it before anything was stored (fallocate). Of an object.
	PageReserved
	// PageOutside: the process does not map this page of the object.
	PageOutside
	// PageUnknown: the page could not be looked at; PageView.Blind says why.
	PageUnknown
	// PageCopy: the process has a copy of its own, made when it stored into a private mapping, or
	// anonymous memory that is nobody's but its own.
	PageCopy
	// PageExclusive: no other page table leads to the frame.
	PageExclusive
	// PageZero: the one page of zeros that all processes share until they store something.
	PageZero
	// PageGuard: touching it is a fault (MADV_GUARD_INSTALL).
	PageGuard
	// PageHuge: a huge page, which one entry of the page table maps.
	PageHuge
	// PageLarge: it is part of a block of several pages that the kernel treats as one.
	PageLarge
	// PageSoftDirty: stored to since /proc/PID/clear_refs was last written, or mapped since.
	PageSoftDirty
	// PageDirty: it differs from what the device has. Memory that has no device is dirty when it was
	// stored to, and only root is told.
	PageDirty
	// PageWriteback: it is on its way to the device.
	PageWriteback
	// PageReferenced: used since the kernel last looked for pages to take away.
	PageReferenced
	// PageActive: on the list of those that are taken away last.
	PageActive
	// PageLocked: not to be taken away: mlock(2), SHM_LOCK.
	PageLocked
	// PageSwapBacked: it goes to swap, and not to a file.
	PageSwapBacked

	pageStates = iota
)

// pageStateNames are in the order of the bits.
var pageStateNames = [pageStates]string{
	"present", "swapped", "hole", "reserved", "outside", "unknown", "copy", "exclusive", "zero", "guard", "huge", "large",
	"soft-dirty", "dirty", "writeback", "referenced", "active", "locked", "swap-backed",
}

// Names returns the words for the bits that are set, in the order above: "present", "dirty".
func (s PageState) Names() []string {
	names := []string{}
	for rest := s & (1<<pageStates - 1); rest != 0; rest &= rest - 1 {
		names = append(names, pageStateNames[bits.TrailingZeros32(uint32(rest))])
	}
	return names
}

// String returns the words for the bits that are set: "present dirty", or "empty".
func (s PageState) String() string {
	if s == 0 {
		return "empty"
	}
	return strings.Join(s.Names(), " ")
}

// A Page is one page as somebody has it.
type Page struct {
	State PageState
	// Frame is the number of the page frame, of the size of a page of memory. 0: it is in none, or that is
	// not told. Two processes that have the same frame have the same memory.
	Frame uint64
	// Mapped is how many entries of page tables lead to the frame, of all processes of the machine. 0: not
	// told. Of a block of several pages it may be an average.
	Mapped int
}

// A PageRun is pages one after the other that are in the same state, and whose frames follow each
// other as well.
type PageRun struct {
	First, Count int64 // number of the first page, and how many there are
	Page               // the first of them
}

// End is the number of the page behind the run.
func (r PageRun) End() int64 { return r.First + r.Count }

// At returns one page of the run.
func (r PageRun) At(number int64) Page {
	p := r.Page
	if p.Frame != 0 {
		p.Frame += uint64(number - r.First)
	}
	return p
}

// part is the run as far as it lies before a page.
func (r PageRun) part(from, to int64) PageRun {
	return PageRun{First: from, Count: to - from, Page: r.At(from)}
}

// follows reports whether a run goes on with the next one.
func (r PageRun) follows(next PageRun) bool {
	return next.First == r.End() && next.Page == r.At(next.First)
}
