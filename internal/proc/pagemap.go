package proc

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// A PagemapEntry is what /proc/PID/pagemap has of a page.
type PagemapEntry uint64

// Bits of an entry.
const (
	PagemapPresent   PagemapEntry = 1 << 63 // the page table leads to a frame
	PagemapSwapped   PagemapEntry = 1 << 62
	PagemapFile      PagemapEntry = 1 << 61 // of a file, or shared; else anonymous
	PagemapGuard     PagemapEntry = 1 << 58 // since Linux 6.15
	PagemapExclusive PagemapEntry = 1 << 56 // no other page table leads to it; since Linux 4.2
	PagemapSoftDirty PagemapEntry = 1 << 55 // stored to since it was last cleared

	pagemapFrame PagemapEntry = 1<<55 - 1
)

// Frame is the number of the frame of a page that is present. 0: it is not told, as
// to all without CAP_SYS_ADMIN.
func (e PagemapEntry) Frame() uint64 {
	if e&PagemapPresent == 0 {
		return 0
	}
	return uint64(e & pagemapFrame)
}

// Pagemap reads a /proc/PID/pagemap. It is about the memory that the process had when
// the file was opened: after exec, or its end, there is no more of it.
type Pagemap struct {
	f    *os.File
	page uint64
	// plain: the kernel, or the file, does not know PAGEMAP_SCAN.
	plain bool
	buf   []byte
}

// NewPagemap reads f, which stays the caller's.
func NewPagemap(f *os.File) *Pagemap {
	return &Pagemap{f: f, page: uint64(os.Getpagesize())}
}

// Read reads the entries of the pages from addr on. Less than asked for without an error:
// there is no more, because the process has ended.
func (p *Pagemap) Read(addr uint64, into []PagemapEntry) (n int, err error) {
	if len(p.buf) < len(into)*8 {
		p.buf = make([]byte, len(into)*8)
	}
	b := p.buf[:len(into)*8]
	got, err := p.f.ReadAt(b, int64(addr/p.page*8))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	for i := range got / 8 {
		into[i] = PagemapEntry(binary.NativeEndian.Uint64(b[i*8:]))
	}
	return got / 8, err
}

// A PageRange is pages of which some have an entry.
type PageRange struct {
	Start, End uint64 // addresses
	Huge, Zero bool   // a huge page, the page of zeros: known since Linux 6.7
}

// Populated returns, in order, the parts of a range that are not empty: all pages that
// are present, swapped or guarded are in them, though with others where the kernel does
// not know PAGEMAP_SCAN. It takes the time of what is there and not that of the range.
func (p *Pagemap) Populated(start, end uint64) iter.Seq2[PageRange, error] {
	return func(yield func(PageRange, error) bool) {
		if !p.plain {
			at, ok := p.scan(start, end, yield)
			if ok || at == end {
				return
			}
			start = at
		}
		p.readAll(start, end, yield)
	}
}

// scan asks PAGEMAP_SCAN. It returns where it stopped, and whether it is over.
func (p *Pagemap) scan(start, end uint64, yield func(PageRange, error) bool) (at uint64, over bool) {
	regions := make([]sys.PageRegion, 512)
	for start < end {
		n, stopped, err := sys.PagemapScan(int(p.f.Fd()), start, end,
			sys.PageIsPresent|sys.PageIsSwapped, sys.PageIsPresent|sys.PageIsHuge|sys.PageIsZero, regions)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.ESRCH: // its memory is gone, and reading says so as it does otherwise
			return start, false
		case err != nil: // ENOTTY, EINVAL: there is no such call
			p.plain = true
			return start, false
		}
		for _, r := range regions[:n] {
			if !yield(PageRange{r.Start, r.End, r.Categories&sys.PageIsHuge != 0, r.Categories&sys.PageIsZero != 0}, nil) {
				return start, true
			}
		}
		if n == 0 && stopped <= start || stopped > end {
			stopped = end
		}
		start = stopped
	}
	return end, true
}

// ErrNoMemory: the process has no memory any more.
var ErrNoMemory = errors.New("the process has ended, or executes another program")

// pagemapChunk is how many entries are read at a time.
const pagemapChunk = 1 << 14

// readAll reads every entry.
func (p *Pagemap) readAll(start, end uint64, yield func(PageRange, error) bool) {
	entries := make([]PagemapEntry, min(pagemapChunk, (end-start)/p.page))
	for start < end {
		n, err := p.Read(start, entries[:min(pagemapChunk, (end-start)/p.page)])
		if n == 0 && err == nil {
			err = ErrNoMemory
		}
		if err != nil {
			yield(PageRange{}, err)
			return
		}
		first, last := -1, -1
		for i, e := range entries[:n] {
			if e&(PagemapPresent|PagemapSwapped|PagemapGuard) != 0 {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
		if first >= 0 && !yield(PageRange{Start: start + uint64(first)*p.page, End: start + uint64(last+1)*p.page}, nil) {
			return
		}
		start += uint64(n) * p.page
	}
}
