package inspect

import (
	"context"
	"fmt"
	"os"

	"github.com/shmkit/shmkit/internal/sys"
)

// attach attaches a segment for reading. Where the kernel lets us have a descriptor of what is mapped it is
// detached again at once; else it stays until Close, and f is nil.
func (p *Pages) attach(object *Object, root string) (f *os.File, err error) {
	if root != "/proc" {
		return nil, fmt.Errorf("segments of %s are not of this machine", root)
	}
	addr, err := sys.Shmat(object.IPC, 0, sys.SHM_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	p.Attached = true
	detach := func() error { return sys.Shmdt(addr) }
	length, ok := sys.MappedLength(addr)
	if !ok {
		length = int((object.Size + pageBytes - 1) / pageBytes * pageBytes)
	}
	path := fmt.Sprintf("/proc/self/map_files/%x-%x", addr, addr+uintptr(length))
	if f, err := openQuietly(path, 0); err == nil {
		if err := detach(); err != nil {
			return nil, fmt.Errorf("detach: %w", err)
		}
		return f, nil
	}
	p.close = append(p.close, detach)
	p.Object = newAttachedView(addr, uint64(length), object)
	return nil, nil
}

// newAttachedView asks mincore(2) of memory that is mapped here, and that nothing touches.
func newAttachedView(addr uintptr, length uint64, object *Object) *PageView {
	v := &PageView{walk: unknownPages}
	if object.PageSize > pageBytes {
		v.blind(blindHugePage)
		return v
	}
	absent := PageHole
	if object.Swapped.Unknown != "" || object.Swapped.Bytes > 0 {
		absent = PageUnknown
		v.blind("which of the pages that are not in memory are in swap, and which were never used, is told to root only")
	}
	v.walk = func(ctx context.Context, from, to int64, emit func(PageRun) bool) error {
		for from < to {
			n := min(to-from, mincoreWindow/4096)
			vec := make([]byte, n)
			at := uint64(from) * pageBytes
			if at+uint64(n)*pageBytes > length {
				emit(PageRun{from, to - from, Page{State: PageUnknown}})
				return nil
			}
			if err := mincore(addr+uintptr(at), uint64(n)*pageBytes, vec); err != nil {
				return err
			}
			for i, b := range vec {
				s := absent
				if b&1 != 0 {
					s = PagePresent
				}
				if !emit(PageRun{from + int64(i), 1, Page{State: s}}) {
					return nil
				}
			}
			from += n
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	}
	return v
}
