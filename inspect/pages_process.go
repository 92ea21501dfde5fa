package inspect

import (
	"context"
	"fmt"
	"os"

	"github.com/shmkit/shmkit/internal/proc"
)

// pageBytes is the size of a page of memory, which /proc counts in, of huge pages too.
var pageBytes = uint64(os.Getpagesize())

// What is not told, and why.
const (
	blindFrames = "frame numbers are told to root only (CAP_SYS_ADMIN)"
	blindFlags  = "dirty, referenced, active, locked, zero pages and how many share a frame are told to root only (/proc/kpageflags, /proc/kpagecount)"
)

// processPages reads what a process has of an object.
type processPages struct {
	view    *PageView
	pagemap *proc.Pagemap
	kpages  *proc.KPages // nil: not allowed
	entries []proc.PagemapEntry
	frames  []uint64
	kernel  []proc.KPage
}

// chunkPages is how many pages are looked at together.
const chunkPages = 4096

// walk implements PageView. Ranges are in the order of their offsets, and don't overlap.
func (p *processPages) walk(ctx context.Context, from, to int64, emit func(PageRun) bool) error {
	outside := func(upTo int64) bool {
		n := min(upTo, to) - from
		if n <= 0 {
			return true
		}
		first := from
		from += n
		return emit(PageRun{first, n, Page{State: PageOutside}})
	}
	for _, r := range p.view.Ranges {
		first := int64(r.Offset / pageBytes)
		end := min(first+int64(r.Len()/pageBytes), to)
		if end <= from {
			continue
		}
		if !outside(first) {
			return nil
		}
		if from >= to {
			return nil
		}
		if more, err := p.walkRange(ctx, r, from, end, emit); !more || err != nil {
			return err
		}
		from = end
	}
	outside(to)
	return nil
}

// walkRange looks at pages from to end, which lie in a range.
func (p *processPages) walkRange(ctx context.Context, r Range, from, end int64, emit func(PageRun) bool) (more bool, err error) {
	if p.pagemap == nil {
		return emit(PageRun{from, end - from, Page{State: PageUnknown}}), nil
	}
	address := func(number int64) uint64 { return r.Start + uint64(number)*pageBytes - r.Offset }
	number := func(address uint64) int64 { return int64((address - r.Start + r.Offset) / pageBytes) }
	for part, err := range p.pagemap.Populated(address(from), address(end)) {
		if err != nil {
			return false, err
		}
		first, last := number(part.Start), number(part.End)
		if first > from && !emit(PageRun{from, first - from, Page{}}) {
			return false, nil
		}
		from = last
		for first < last {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			n := min(last-first, chunkPages)
			if more, err := p.chunk(first, n, address(first), part, emit); !more || err != nil {
				return more, err
			}
			first += n
		}
	}
	if from < end && !emit(PageRun{from, end - from, Page{}}) {
		return false, nil
	}
	return true, nil
}

// chunk looks at some pages, of which some are not empty.
func (p *processPages) chunk(first, n int64, address uint64, part proc.PageRange, emit func(PageRun) bool) (more bool, err error) {
	if p.entries == nil {
		p.entries, p.frames, p.kernel = make([]proc.PagemapEntry, chunkPages), make([]uint64, chunkPages), make([]proc.KPage, chunkPages)
	}
	entries := p.entries[:n]
	got, err := p.pagemap.Read(address, entries)
	if err != nil {
		return false, err
	}
	if got == 0 {
		return false, proc.ErrNoMemory
	}
	for i, e := range entries[:got] {
		p.frames[i] = e.Frame()
		if e&proc.PagemapPresent != 0 && p.frames[i] == 0 {
			p.view.blind(blindFrames)
		}
	}
	clear(p.kernel[:got])
	if p.kpages != nil {
		if err := p.kpages.Read(p.frames[:got], p.kernel); err != nil {
			p.view.blind(blindFlags)
			p.kpages = nil
		}
	}
	for i, e := range entries[:got] {
		page := Page{State: entryState(e) | frameState(p.kernel[i].Flags), Frame: p.frames[i], Mapped: int(p.kernel[i].Maps)}
		if e&proc.PagemapPresent != 0 {
			if part.Huge {
				page.State |= PageHuge
			}
			if part.Zero {
				page.State |= PageZero
			}
		}
		if page.State&PageZero != 0 { // it is not counted
			page.State &^= PageCopy | PageExclusive
			page.Mapped = 0
		}
		if !emit(PageRun{first + int64(i), 1, page}) {
			return false, nil
		}
	}
	if int64(got) < n {
		return false, proc.ErrNoMemory
	}
	return true, nil
}

// entryState is what /proc/PID/pagemap tells.
func entryState(e proc.PagemapEntry) (s PageState) {
	set := func(bit proc.PagemapEntry, state PageState) {
		if e&bit != 0 {
			s |= state
		}
	}
	set(proc.PagemapGuard, PageGuard)
	if s != 0 { // it is kept as what is swapped is
		return s
	}
	set(proc.PagemapPresent, PagePresent)
	set(proc.PagemapSwapped, PageSwapped)
	set(proc.PagemapSoftDirty, PageSoftDirty)
	if s&PagePresent != 0 {
		set(proc.PagemapExclusive, PageExclusive)
	}
	if s&(PagePresent|PageSwapped) != 0 && e&proc.PagemapFile == 0 {
		s |= PageCopy
	}
	return s
}

// frameState is what /proc/kpageflags tells.
func frameState(f proc.KPageFlags) (s PageState) {
	for _, k := range kernelStates {
		if f&k.flags != 0 {
			s |= k.state
		}
	}
	return s
}

var kernelStates = []struct {
	flags proc.KPageFlags // one of them
	state PageState
}{
	{proc.KPageDirty, PageDirty}, {proc.KPageReferenced, PageReferenced}, {proc.KPageActive, PageActive},
	{proc.KPageWriteback, PageWriteback}, {proc.KPageSwapBacked, PageSwapBacked}, {proc.KPageZero, PageZero},
	{proc.KPageHuge, PageHuge}, {proc.KPageMlocked | proc.KPageUnevictable, PageLocked},
	{proc.KPageCompoundHead | proc.KPageCompoundTail | proc.KPageTHP | proc.KPageHuge, PageLarge},
}

// newProcessView opens what is needed to look at pages that a process maps.
func newProcessView(root string, u *User, ranges []Range, kpages *proc.KPages) (*PageView, *os.File) {
	v := &PageView{PID: u.PID, Command: u.Command, Ranges: ranges}
	p := &processPages{view: v, kpages: kpages}
	v.walk = p.walk
	f, err := os.Open(fmt.Sprintf("%s/%d/pagemap", root, u.PID))
	if err != nil {
		v.blind(fmt.Sprintf("the page table of process %d: %v", u.PID, why(err)))
		return v, nil
	}
	p.pagemap = proc.NewPagemap(f)
	if kpages == nil {
		v.blind(blindFlags)
	}
	return v, f
}
