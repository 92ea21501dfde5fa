package filemap

import (
	"errors"
	"os"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// A part is a part of a file that is there.
type part interface {
	// at returns n bytes of the file at off, which are there until the next call.
	at(off, n int64) ([]byte, error)
	// here is the memory that shows them.
	here() *window
	// leave gives the memory back.
	leave() error
}

// A window is memory that shows a part of a file.
type window struct {
	m     *shmkit.Mapping // nil before the first
	from  int64           // offset in the file of what it shows
	bytes []byte
}

func (w *window) here() *window { return w }

// has returns n bytes at off, if all of them are shown.
func (w *window) has(off, n int64) ([]byte, bool) {
	at := off - w.from
	if at < 0 || at+n > int64(len(w.bytes)) {
		return nil, false
	}
	return w.bytes[at : at+n : at+n], true
}

// inFile makes the offset of a fault in the memory one in the file.
func (w *window) inFile(err error) error {
	fault, ok := err.(*shmkit.FaultError)
	if !ok || fault.Addr < w.m.Addr() || fault.Addr-w.m.Addr() >= uintptr(len(w.bytes)) {
		return err // of a mapping of the caller's
	}
	there := *fault
	there.Off += w.from
	if there.Access == 0 && !errors.Is(there.Err, shmkit.ErrReadOnly) { // else it may have been a store to the chunk
		there.Access = shmkit.Read
	}
	return &there
}

// drop drops a part that is no longer used from the cache, if that is wanted.
func (s *scan) drop(begin, end int64) {
	if !s.DropCache || begin >= end {
		return
	}
	begin -= begin % hugePage                 // the cache may be in pieces that long, and they go as a whole only
	_ = s.file.f.Use(func(o *os.File) error { // it is a favour to others, and not worth an error
		return sys.Fadvise(int(o.Fd()), begin, end-begin, sys.FADV_DONTNEED)
	})
}
