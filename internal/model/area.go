package model

import "fmt"

// Prot says what may be done with memory: a set of bits.
type Prot uint8

// Bits of Prot.
const (
	Read Prot = 1 << iota
	Write
	Exec
)

// String returns the protection as /proc/self/maps shows it: "rw-".
func (p Prot) String() string {
	b := []byte("---")
	for i, c := range "rwx" {
		if p&(1<<i) != 0 {
			b[i] = byte(c)
		}
	}
	return string(b)
}

// An area is a range of pages that are mapped alike: the kernel's vm_area_struct, one
// line of /proc/self/maps. It says what may be done and where the bytes come from. It
// holds no memory: that is in the page table (table.go) and the object.
type area struct {
	start, end int64 // pages; end is the first one after it
	traits
	file *File // nil: private anonymous memory
	// offset is the page of the object that the first page of the area shows. In
	// anonymous memory, which shows nothing, the kernel keeps a number there all the
	// same: the page at which the area was made. Moved memory that was never touched
	// gets a new number, touched memory keeps the old one and no longer merges with
	// what it comes to lie beside.
	offset int64
	// family is the kernel's anon_vma: what connects private copies with the areas that
	// may hold them. An area gets one with its first copy; 0 is none yet. Two different
	// families never merge.
	family int
}

// traits are what two areas must have in common to merge.
type traits struct {
	prot Prot
	may  Prot // what mprotect may ever allow
	// shared: writes go to the object. shown is the "s" in the list of mappings. They
	// differ for a shared mapping through a descriptor that was opened for reading: it
	// can never be written through, and the kernel treats it as private in all but name.
	shared, shown bool

	lock    lockMode
	charged bool // counts against the limit of promised memory: private and once writable
	free    bool // MAP_NORESERVE: never counts
	pattern string
	noFork  bool // MADV_DONTFORK
	noDump  bool // MADV_DONTDUMP
}

// A lockMode says whether the pages of an area have to stay in memory.
type lockMode uint8

const (
	unlocked      lockMode = iota
	locked                 // all pages are brought in at once, and stay
	lockedOnFault          // those that are touched stay
)

func (a *area) pages() int64 { return a.end - a.start }

// object is what the area shows, nil for private anonymous memory.
func (a *area) object() *Object {
	if a.file == nil {
		return nil
	}
	return a.file.object
}

// index is the page of the object that a page of the area shows.
func (a *area) index(page int64) int64 { return a.offset + page - a.start }

// segment is the System V segment that the area shows, if it does.
func (a *area) segment() *Segment {
	if o := a.object(); o != nil {
		return o.segment
	}
	return nil
}

// readable: on every processor that Linux runs on here, what can be written can be read.
func (t traits) readable() bool { return t.prot&(Read|Write) != 0 }

func (t traits) writable() bool { return t.prot&Write != 0 }

// private copies are what a write makes.
func (t traits) copies() bool { return !t.shared }

// mayShareWrites: the area is a way to change the object, now or after mprotect.
func (t traits) mayShareWrites() bool { return t.shared && t.may&Write != 0 }

// String returns the area as one line of /proc/self/maps, with page numbers.
func (a *area) String() string {
	mode := "p"
	if a.shown {
		mode = "s"
	}
	s := fmt.Sprintf("%d-%d %s%s", a.start, a.end, a.prot, mode)
	switch o := a.object(); {
	case o == nil:
		return s
	case o.segment != nil:
		return fmt.Sprintf("%s %s+%d", s, a.file.object.name, a.offset)
	default:
		return fmt.Sprintf("%s %s+%d", s, o.name, a.offset)
	}
}
