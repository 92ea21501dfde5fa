package model

// The page table says, for every page of address space, where its memory is. An area
// is a promise; the table is what was kept of it. A page has no entry until it is
// touched, so a mapping of a gigabyte costs nothing.

// An entry is what the page table has for one page.
type entry struct {
	state state
	copy  *frame // of a copied page: memory of this process alone
}

// A state is how a page is present, as the letter that Table shows.
type state byte

const (
	// absent: no entry. The next touch is a page fault, which asks the area.
	absent state = '-'
	// zero: the one page of zeros that all of the machine shares. Reading untouched
	// anonymous memory leads there.
	zero state = 'z'
	// copied: a private page. A write to private memory makes it, from the page of the
	// object or of zeros.
	copied state = 'c'
	// direct: the page of the page cache itself.
	direct state = 'f'
	// guard: not there, and not to be touched (MADV_GUARD_INSTALL).
	guard state = 'G'
)

// Letters of Table, for who reads the page table of the kernel.
const (
	Absent = byte(absent)
	Zero   = byte(zero)
	Copied = byte(copied)
	Direct = byte(direct)
	Guard  = byte(guard)
	// OnDisk is any state of a page of a file on disk.
	OnDisk = byte('?')
)

// entry returns the entry of a page; one with state absent if there is none.
func (s *space) entry(page int64) entry {
	if e := s.table[page]; e != nil {
		return *e
	}
	return entry{state: absent}
}

// zap forgets where a page is, so that the next touch looks again. Memory that was only
// there goes. Guards stay, and private copies do if copies is not set.
func (s *space) zap(page int64, copies bool) {
	switch s.entry(page).state {
	case guard:
	case copied:
		if copies {
			delete(s.table, page)
		}
	default:
		delete(s.table, page)
	}
}

// Table returns the page table of a process, a letter for each page of the arena: see
// state. Pages of disk files are '?', since the kernel brings in and drops those as it
// sees fit.
func (w *World) Table(process string) string {
	b := make([]byte, ArenaPages)
	for _, p := range w.procs {
		if p.Name != process {
			continue
		}
		for page := range int64(ArenaPages) {
			b[page] = byte(p.space.entry(page).state)
			if a := p.space.find(page); a != nil && a.object() != nil && a.object().kind == diskKind {
				b[page] = OnDisk
			}
		}
	}
	return string(b)
}
