// Package vm holds the description of a range of mapped memory that the sources
// of memory (sysv and the like) hand to the root package. It exists so that only
// this module can turn addresses into a Mapping: a caller outside cannot name New,
// and the fields of an Area can be set by nothing else.
package vm

// Area is a range of mapped memory and how to give it back. The zero Area is none. Its
// field is hidden because a struct of exported fields could be made outside, without
// a name, by whoever knows what they are called.
type Area struct{ spec *Spec }

// New makes an Area.
func New(s Spec) Area { return Area{&s} }

// Spec returns what the area was made of, nil for the zero Area.
func (a Area) Spec() *Spec { return a.spec }

// Spec says where an area is and what.
type Spec struct {
	Addr uintptr // first byte that the user sees
	Len  int     // bytes the user asked for or the segment has
	// Lead is how many bytes were mapped before Addr: what the user asked for need
	// not begin where a page does.
	Lead     int
	Mapped   int // bytes really mapped from Addr-Lead on: whole pages; 0 is Size
	Size     int // address space from Addr-Lead on: Mapped, and what is reserved to grow
	PageSize int // bytes; 0 is the machine's base page
	Readable bool
	Writable bool
	Exec     bool
	Name     string // address in the sense of the command, "sysv:0x5eed"

	// Unmap gives a range back to the kernel: the whole, or a part of whole pages. It
	// is not called for what is replaced by a reservation instead, which unmaps as
	// well.
	Unmap func(addr uintptr, size int) error

	// Backing is the object behind the mapping, nil if there is nothing to be done
	// with it but to map it.
	Backing Backing
}

// Backing is an object of which a mapping shows a part. Offsets count from what the
// first page of the mapping showed when it was made.
type Backing interface {
	// MapAt maps n bytes (whole pages) from offset off on over whatever is at addr. prot
	// are PROT_ bits.
	MapAt(addr uintptr, off, n, prot int) error

	// Cause says why the kernel could not supply the page at offset off, nil if the
	// object tells no reason. shmkit.ErrIO itself, not wrapped, is what is left when no
	// other reason is found.
	Cause(off int64) error

	// StartWriteback makes the kernel begin to write what is dirty of n bytes from
	// off on, and does not wait.
	StartWriteback(off, n int64) error

	// Object returns what two mappings have in common if they show parts of the same
	// object, something comparable, and at which offset of it this backing's offsets begin.
	Object() (object any, off int64)

	// Retain and Release count the mappings that need the object.
	Retain()
	Release() error
}

// Cut is the shortening of an object.
type Cut struct {
	Object any   // as Backing.Object returns it
	End    int64 // bytes that are left of it
	Do     func() error
}
