package explain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// What the kernel shows of pages that a device does not have yet.

const (
	factCache      = "pages to be written back"
	factFrameDirty = "frame marked dirty"
)

func factMappingDirty(proc string) string { return fmt.Sprintf("dirty in the mapping of %s, kB", proc) }

// A ledger looks for dirty pages of a file of a stage, at one page of a process.
type ledger struct {
	st     *stage
	fd     string // of the process: "d0"
	place  place
	counts bool // cachestat knows
}

// cache predicts by the model whether the page cache has pages to be written back, after
// the operation of the step.
func (l ledger) cache() []expectation {
	out := l.st.world.Do(model.Op{Proc: l.place.proc, Call: "dirty", FD: l.fd})
	return []expectation{expect(factCache, is, out.String() == "dirty").byModel()}
}

// marks predicts how much of the mapping is marked dirty, and whether the frame is.
func (l ledger) marks(kB int) []expectation {
	return []expectation{expect(factMappingDirty(l.place.proc), is, kB), expect(factFrameDirty, is, kB > 0)}
}

func (l ledger) show(s *step, all views) {
	l.showCache(s)
	l.showMapping(s)
	l.showFrame(s, all)
}

// showMapping shows how much of the mapping is marked dirty in the page table.
func (l ledger) showMapping(s *step) {
	pid := l.st.pid(l.place.proc)
	kB, ok, err := smapsOf(pid, live.Address(l.place.page), "Shared_Dirty", "Private_Dirty")
	s.lab.check(err)
	if ok {
		s.show(factMappingDirty(l.place.proc), kB, fmt.Sprintf("/proc/%d/smaps, Shared_Dirty and Private_Dirty", pid))
	}
}

// showCache shows what cachestat counts.
func (l ledger) showCache(s *step) {
	const from = "cachestat, nr_dirty and nr_writeback"
	if !l.counts {
		s.unseen(factCache, "this file system keeps the pages in the page cache of another file", from)
		return
	}
	// What another process has open is opened again through /proc.
	f, err := os.Open(fmt.Sprintf("/proc/%d/fd/%d", l.st.pid(l.place.proc), live.Descriptor(l.fd)))
	s.lab.check(err)
	defer f.Close()
	use, err := sys.CacheStat(int(f.Fd()))
	if errors.Is(err, syscall.ENOSYS) {
		s.unseen(factCache, "this kernel has no cachestat; it came with Linux 6.5", from)
		return
	}
	s.lab.check(err)
	s.show(factCache, use.Dirty+use.Writeback > 0, from)
}

// flagDirty is KPF_DIRTY of /proc/kpageflags.
const flagDirty = 4

// showFrame shows what the kernel keeps of the frame, which only root may see.
func (l ledger) showFrame(s *step, all views) {
	const from = "/proc/kpageflags, bit 4"
	frame := l.place.in(all).Frame()
	if frame == 0 {
		s.unseen(factFrameDirty, needsRoot, from)
		return
	}
	f, err := os.Open("/proc/kpageflags")
	if err != nil {
		s.unseen(factFrameDirty, err.Error(), from)
		return
	}
	defer f.Close()
	var word [8]byte
	if _, err := f.ReadAt(word[:], int64(frame)*8); err != nil {
		s.unseen(factFrameDirty, err.Error(), from)
		return
	}
	s.show(factFrameDirty, binary.NativeEndian.Uint64(word[:])>>flagDirty&1 != 0, from)
}

// dirties is the note of a store after which the page is dirty. The kernel may write it
// back between the store and the look, in its own time; then it is stored again.
func (l ledger) dirties(n note, line string) {
	op, err := model.ParseOp(line)
	l.st.lab.check(err)
	n.foretell = l.cache
	n.expect = append(n.expect, l.marks(4)...)
	n.look = func(s *step, all views) {
		l.show(s, all)
		if !s.agrees() {
			_, err := l.st.cast.Do(op)
			s.lab.check(err)
		}
	}
	l.st.do(n, line)
}
