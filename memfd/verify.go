package memfd

import (
	"fmt"
	"os"

	"github.com/shmkit/shmkit/internal/sys"
)

// Want is what memory from somebody else must be like. The zero value, as nil, wants it
// sealed against shrinking and of any size.
type Want struct {
	// Seals must all be on; others may be. 0 is SealShrink, NoSeals none.
	Seals Seals
	// Size is how many bytes it must have exactly; 0 is any number. Memory of huge pages
	// has whole ones.
	Size int64
	// MinSize and MaxSize bound the number of bytes; 0 is no bound.
	MinSize, MaxSize int64
}

// Verify checks the memory against want, of which nil is SealShrink and any size. What
// it finds then holds for ever, but for what seals that were not wanted could have kept
// from changing: without SealGrow the memory may be longer soon after.
//
// Errors: ErrUnsealed, ErrWrongSize.
func (f *File) Verify(want *Want) error {
	err := f.use(func(file *os.File) error {
		if reason := want.check(file); reason != nil {
			return reason
		}
		return nil
	})
	if r, ok := err.(*refusal); ok {
		return f.fail("verify", r.err, r.why)
	}
	if err != nil {
		return f.fail("verify", err, "")
	}
	return nil
}

// A refusal is why memory is not what was wanted.
type refusal struct {
	err error
	why string
}

func (r *refusal) Error() string { return r.err.Error() + ": " + r.why }

// check looks at the seals first: what is sealed cannot change between the two.
func (w *Want) check(file *os.File) *refusal {
	if w == nil {
		w = &Want{}
	}
	n, err := sys.Seals(int(file.Fd()))
	if err != nil {
		return &refusal{errnoOf(err), "the descriptor gives no access to the content (O_PATH)"}
	}
	have, seals := Seals(n), w.Seals.or(SealShrink)
	if missing := seals &^ have; missing != 0 {
		return &refusal{ErrUnsealed, fmt.Sprintf("it lacks %v; it has %v, and %v is wanted", missing, have, seals)}
	}
	info, err := file.Stat()
	if err != nil {
		return &refusal{errnoOf(err), ""}
	}
	switch size := info.Size(); {
	case w.Size != 0 && size != w.Size:
		return &refusal{ErrWrongSize, fmt.Sprintf("it has %d bytes, and %d are wanted", size, w.Size)}
	case size < w.MinSize:
		return &refusal{ErrWrongSize, fmt.Sprintf("it has %d bytes, and at least %d are wanted", size, w.MinSize)}
	case w.MaxSize != 0 && size > w.MaxSize:
		return &refusal{ErrWrongSize, fmt.Sprintf("it has %d bytes, and at most %d are wanted", size, w.MaxSize)}
	}
	return nil
}

// identify tells whether a descriptor, which may be an O_PATH one, is of a memfd, and
// what that is called.
func identify(fd int) (name string, r *refusal) {
	link, err := sys.DescriptorLink(fd)
	if err != nil {
		return "", &refusal{errnoOf(err), "/proc is needed to know what it is"}
	}
	name, ok := linkName(link)
	if !ok {
		return "", &refusal{ErrNotMemfd, "it is " + link}
	}
	// A file may be called like that, on a disk mounted at the root.
	switch magic, _, _, err := sys.FileSystem(fd); {
	case err != nil:
		return "", &refusal{errnoOf(err), ""}
	case magic != sys.TMPFS_MAGIC && magic != sys.HUGETLBFS_MAGIC:
		return "", &refusal{ErrNotMemfd, "it is the file " + link}
	}
	return name, nil
}

// opOpen is the Op of an Error of OpenPID, whose object is an address.
const opOpen = "open"

// adopt makes a File of a descriptor from elsewhere that is what want says, or closes
// it. op and object are for the error.
func adopt(fd int, op, object string, want *Want) (*File, error) {
	refuse := func(r *refusal) (*File, error) {
		return nil, &Error{Op: op, Object: object, Err: r.err, Hint: r.why}
	}
	file := os.NewFile(uintptr(fd), object) // closes it, whatever happens
	name, r := identify(fd)
	if r == nil {
		r = want.check(file)
	}
	if r != nil {
		_ = file.Close()
		return refuse(r)
	}
	at := address(os.Getpid(), fd)
	if op == opOpen {
		at = object
	}
	f, err := newFileAt(file, name, at)
	if err != nil {
		return refuse(&refusal{errnoOf(err), ""})
	}
	return f, nil
}
