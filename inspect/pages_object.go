package inspect

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// objectPages asks for the pages of an object by a descriptor of it, whoever maps it. It maps nothing where
// cachestat(2) tells, and else maps parts of it without any right to touch them, for mincore(2).
type objectPages struct {
	f       *os.File
	size    int64
	memory  bool // a tmpfs: there is no device, and what is not in memory is in swap
	mincore bool // the kernel has no cachestat
}

// Why nothing is told of the pages of an object.
const (
	blindNotMine  = "which pages of it are in memory is told to who may write it, or owns it"
	blindHugePage = "which of its huge pages there are is not told; what processes map of it is"
	blindOld      = "pages that are reserved, dirty or being written back are told since Linux 6.5"
)

// newObjectView looks at the pages of a file of whatever sort.
func newObjectView(f *os.File, size int64) *PageView {
	v := &PageView{}
	o := &objectPages{f: f, size: size}
	unknown := func(reason string) *PageView {
		v.blind(reason)
		v.walk = unknownPages
		return v
	}
	magic, _, _, err := sys.FileSystem(int(f.Fd()))
	if err != nil {
		return unknown("what file system it is on: " + why(err).Error())
	}
	if uint32(magic) == sys.HUGETLBFS_MAGIC {
		return unknown(blindHugePage)
	}
	o.memory = uint32(magic) == sys.TMPFS_MAGIC
	switch _, err := sys.CacheStatRange(int(f.Fd()), 0, 1); {
	case err == nil:
	case errors.Is(err, syscall.EPERM):
		return unknown(blindNotMine)
	case !mayWrite(f): // mincore would say that all of it is there
		return unknown(blindNotMine)
	default:
		o.mincore = true
		v.blind(blindOld)
	}
	v.walk = o.walk
	return v
}

// unknownPages is the walk of who can tell nothing.
func unknownPages(_ context.Context, from, to int64, emit func(PageRun) bool) error {
	emit(PageRun{from, to - from, Page{State: PageUnknown}})
	return nil
}

// mayWrite reports whether mincore(2) tells the truth of a file.
func mayWrite(f *os.File) bool {
	const writing = 2 // W_OK
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == uint32(os.Geteuid()) || syscall.Access(descriptorPath(f), writing) == nil)
}

// walk implements PageView. What lies behind the end of the file is a hole.
func (o *objectPages) walk(ctx context.Context, from, to int64, emit func(PageRun) bool) error {
	page := int64(pageBytes)
	last := min(to, (o.size+page-1)/page)
	for from < last {
		data, hole, err := o.nextData(from*page, last*page)
		if err != nil {
			return err
		}
		// A page of which a part is data is data.
		first, end := max(from, data/page), min(last, (hole+page-1)/page)
		if more, err := o.part(ctx, from, first, PageHole, emit); err != nil || !more {
			return err
		}
		if more, err := o.part(ctx, first, end, 0, emit); err != nil || !more {
			return err
		}
		from = max(end, first)
	}
	if from < to {
		emit(PageRun{from, to - from, Page{State: PageHole}})
	}
	return nil
}

// nextData returns where the next data of the file is from off on, and where it ends: at limit if there is
// none. A file system that does not tell has data everywhere.
func (o *objectPages) nextData(off, limit int64) (data, hole int64, err error) {
	data, err = sys.SeekData(int(o.f.Fd()), off)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return limit, limit, nil
	case errors.Is(err, syscall.EINVAL):
		return off, limit, nil
	case err != nil:
		return 0, 0, err
	case data >= limit:
		return limit, limit, nil
	}
	hole, err = sys.SeekHole(int(o.f.Fd()), data)
	if errors.Is(err, syscall.ENXIO) { // it was cut meanwhile
		return data, limit, nil
	}
	return data, max(data+1, min(hole, limit)), err
}

// part looks at pages that are all data, or all hole.
func (o *objectPages) part(ctx context.Context, from, to int64, hole PageState, emit func(PageRun) bool) (more bool, err error) {
	switch {
	case from >= to:
		return true, nil
	case !o.mincore:
		return o.halve(ctx, from, to, hole, emit)
	case hole != 0:
		return emit(PageRun{from, to - from, Page{State: hole}}), nil
	}
	return o.ask(ctx, from, to, emit)
}

// halve asks cachestat(2) for counts, and again for each half of what is not all alike. It is asked for what
// is there, not for every page: what is empty, or full, is one question.
func (o *objectPages) halve(ctx context.Context, from, to int64, hole PageState, emit func(PageRun) bool) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	use, err := sys.CacheStatRange(int(o.f.Fd()), uint64(from)*pageBytes, uint64(to-from)*pageBytes)
	if err != nil {
		return false, err
	}
	n := uint64(to - from)
	alike := func(count uint64) bool { return count == 0 || count >= n }
	swapped := use.Evicted
	if !o.memory {
		swapped = 0
	}
	if n > 1 && !(alike(use.Cached) && alike(use.Dirty) && alike(use.Writeback) && alike(swapped)) {
		middle := from + (to-from)/2
		if more, err := o.halve(ctx, from, middle, hole, emit); err != nil || !more {
			return more, err
		}
		return o.halve(ctx, middle, to, hole, emit)
	}
	return emit(PageRun{from, to - from, Page{State: o.state(use.Cached > 0, use.Dirty > 0, use.Writeback > 0, swapped > 0, hole)}}), nil
}

// state is that of a page which is data or a hole.
func (o *objectPages) state(cached, dirty, writeback, swapped bool, hole PageState) (s PageState) {
	switch {
	case cached && hole != 0 && o.memory: // fallocate made it, and nobody stored there
		return PagePresent | PageReserved
	case cached:
		s = PagePresent | hole
	case swapped:
		return PageSwapped
	case hole != 0:
		return PageHole
	case o.memory:
		return PageSwapped // data that is not in memory
	}
	if dirty {
		s |= PageDirty
	}
	if writeback {
		s |= PageWriteback
	}
	return s
}

// mincoreWindow is how much of a file is mapped at a time.
const mincoreWindow = 1 << 30

// ask asks mincore(2) of pages that are data.
func (o *objectPages) ask(ctx context.Context, from, to int64, emit func(PageRun) bool) (more bool, err error) {
	const most = mincoreWindow / 4096
	for from < to {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := min(to-from, most)
		length := uint64(n) * pageBytes
		// PROT_NONE: whatever goes wrong, nothing is touched.
		addr, err := sys.Mmap(0, length, sys.PROT_NONE, sys.MAP_SHARED, int(o.f.Fd()), from*int64(pageBytes))
		if err != nil {
			return false, err
		}
		vec := make([]byte, n)
		err = mincore(addr, length, vec)
		if e := sys.Munmap(addr, int(length)); err == nil {
			err = e
		}
		if err != nil {
			return false, err
		}
		for i, b := range vec {
			if !emit(PageRun{from + int64(i), 1, Page{State: o.state(b&1 != 0, false, false, false, 0)}}) {
				return false, nil
			}
		}
		from += n
	}
	return true, nil
}

// mincore is mincore(2), which may be asked to try again.
func mincore(addr uintptr, n uint64, vec []byte) error {
	for {
		if err := sys.Mincore(addr, n, vec); !errors.Is(err, syscall.EAGAIN) {
			return err
		}
	}
}
