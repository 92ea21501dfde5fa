package shmkit

import (
	"errors"
	"fmt"
	"iter"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Protect cuts the mapping into several areas, as the kernel calls them, and mremap(2)
// takes one at a time. So moving a mapping is many steps, of which any may fail.

// piece is a part of an area, in the addresses of the mapping that moves.
type piece struct {
	begin, end      uintptr
	prot            int
	shared          bool
	locked, onFault bool
}

// moveAreas moves every area of the first n bytes of the mapping to the size bytes at
// to, which are reserved, with all its properties and private pages; or none of them,
// and gives up those addresses. The old addresses stay mapped, so that nothing else takes
// them in between.
func (m *Mapping) moveAreas(to uintptr, n, size int) error {
	from := m.base()
	pieces, err := m.pieces(from, from+uintptr(n))
	if err != nil {
		return errors.Join(err, sys.Munmap(to, size))
	}
	for i, p := range pieces {
		moved, err := m.movePiece(p, to+(p.begin-from))
		if err == nil {
			continue
		}
		if moved {
			i++
		}
		// What lies behind the pieces that moved goes first. It makes room for one area
		// more, which moving them back may need.
		var done uintptr
		if i > 0 {
			done = pieces[i-1].end - from
		}
		return errors.Join(err, sys.Munmap(to+done, size-int(done)), moveBack(pieces[:i], from, to))
	}
	return nil
}

// movePiece moves one piece to target. With an error too it may have moved.
func (m *Mapping) movePiece(p piece, target uintptr) (moved bool, err error) {
	const how = sys.MREMAP_MAYMOVE | sys.MREMAP_FIXED | sys.MREMAP_DONTUNMAP
	size := uint64(p.end - p.begin)
	// The kernel counts what it moves in this way as locked a second time, and for ever
	// (seen in Linux 6.18): the process would be at its limit after a few moves.
	if p.locked {
		if err := sys.Munlock(p.begin, size); err != nil {
			return false, err
		}
	}
	_, err = sys.Mremap(p.begin, size, size, how, target)
	if err == syscall.EINVAL && p.shared {
		// A kernel before 5.13, or huge pages. What is shared is there as well if it is
		// mapped anew; only advice is lost.
		err = m.backing.MapAt(target, m.from+int(p.begin-m.base()), int(size), p.prot)
	}
	if err != nil {
		return false, errors.Join(err, p.lock(p.begin))
	}
	return true, p.lock(target)
}

// lock locks what stands at addr as the piece was.
func (p piece) lock(addr uintptr) error {
	size := uint64(p.end - p.begin)
	if !p.locked || !p.onFault && sys.Mlock(addr, size) == nil {
		return nil
	}
	// A page that cannot be brought in, as behind the end of the file, is an error of mlock
	// but no reason not to lock the others.
	return sys.Mlock2(addr, size, sys.MLOCK_ONFAULT)
}

// moveBack is the way back when a later step failed: private pages are at to, and
// nowhere else. It leaves nothing mapped there.
func moveBack(pieces []piece, from, to uintptr) error {
	for _, p := range pieces {
		size, at := uint64(p.end-p.begin), to+(p.begin-from)
		_, err := sys.Mremap(at, size, size, sys.MREMAP_MAYMOVE|sys.MREMAP_FIXED, p.begin)
		switch {
		case err == nil:
		case p.shared: // the old addresses show it all the same
			_ = sys.Munmap(at, int(size))
			_ = p.lock(p.begin)
		default:
			return fmt.Errorf("what was written to the private pages at %#x is lost: moving back: %w", p.begin, err)
		}
	}
	return nil
}

// pieces returns the areas between two addresses, cut to them. It is an error if
// they leave a gap.
func (m *Mapping) pieces(begin, end uintptr) (all []piece, err error) {
	at := begin
	for e, err := range m.areas(begin, end) {
		if err != nil {
			return nil, err
		}
		if e.Start > at {
			break
		}
		p := piece{begin: at, end: min(e.End, end), prot: e.Prot(), shared: e.Shared()}
		p.locked, p.onFault = e.Locked()
		all, at = append(all, p), p.end
	}
	if at < end {
		return nil, fmt.Errorf("nothing is mapped at %#x: %w", at, syscall.EFAULT)
	}
	return all, nil
}

// areas asks the kernel: about locks, which takes long, only if there may be some.
func (m *Mapping) areas(begin, end uintptr) iter.Seq2[sys.SmapsEntry, error] {
	if m.everLocked.Load() {
		return sys.ReadSmaps(begin, end)
	}
	return func(yield func(sys.SmapsEntry, error) bool) {
		for e, err := range sys.ReadMaps(begin, end) {
			if !yield(sys.SmapsEntry{MapsEntry: e}, err) {
				return
			}
		}
	}
}
