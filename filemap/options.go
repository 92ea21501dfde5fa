package filemap

import (
	"fmt"
	"io/fs"
	"math"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// Options is how to open or create a file and what its main mapping shows. The zero
// value opens an existing file for reading and maps the whole of it, shared.
type Options struct {
	// Writable opens the file for writing too, and lets the mapping be written. Create
	// and OpenOrCreate do so in any case.
	Writable bool
	// Private makes the mapping copy on write: what is stored in it stays in this process,
	// and is lost with the mapping. An existing file is opened for reading only, also
	// with Writable, which then concerns the mapping alone; OpenOrCreate opens it for both.
	Private bool
	// Exec lets the mapping be executed.
	Exec bool

	// Off and Len are the part of the file that the main mapping shows, in bytes of any
	// value; Len 0 is all there is from Off on, now and after each Resize. A part that
	// does not lie in the file is refused (shmkit.ErrTruncated), unless Beyond is set.
	Off, Len int64
	// Beyond lets the part reach beyond the end of the file. What lies there faults
	// (shmkit.ErrTruncated) until the file has grown; the rest of the last page reads as
	// zeros, and what is stored there never gets into the file.
	Beyond bool
	// Reserve is how many bytes of address space, from Off on, are kept for the mapping, so
	// that Resize can grow it in place, with views open.
	Reserve int64
	// Populate brings all pages in at once.
	Populate bool
	// NoReserve sets no swap space aside for the copies of a private mapping.
	NoReserve bool
	// Advice tells the kernel how the mapping will be used: shmkit.AdviseRandom,
	// AdviseHugePage and their like, not those that change what is read.
	Advice shmkit.Advice

	// NoFollow refuses a symbolic link in the last place of the path (ELOOP).
	NoFollow bool

	// Mode is the permission bits of a file that is created; 0 is 0600. The umask
	// applies.
	Mode fs.FileMode
	// Sparse does not reserve blocks on the device, neither at creation nor in Resize: the
	// file takes room when it is written. If there is none then, that is a fault
	// (shmkit.ErrNoSpace).
	Sparse bool
	// Init fills a file that is created, before its name appears: nobody ever sees it
	// half done. (On a file system without O_TMPFILE, such as NFS, the name is there
	// before.) It gets a shared mapping of the part that Off and Len say, for the time of
	// the call, and is not called if there is nothing of it. When it fails, nothing is
	// left.
	Init func(*shmkit.Mapping) error
}

// MapOptions is how Map maps a part of the file. The zero value maps it for reading,
// shared.
type MapOptions struct {
	Writable  bool // needs a file opened for writing, or Private (EACCES)
	Private   bool // copy on write
	Exec      bool
	Beyond    bool // the part may reach beyond the end of the file
	Reserve   int64
	Populate  bool
	NoReserve bool
	Advice    shmkit.Advice
	// Addr, if not 0, is where off shall stand: as many bytes into a page as off is (EINVAL),
	// and free (EEXIST).
	Addr uintptr
	// Replace, if not nil, is an open mapping of any kind without views, which no goroutine
	// is just using (shmkit.ErrInUse), with at least as many pages. It is closed, and the
	// part mapped in its place in the same step. Addr and Reserve must be 0.
	Replace *shmkit.Mapping
}

// protection returns what may be done with the main mapping.
func (o *Options) protection() shmkit.Protection { return protection(o.Writable, o.Exec) }

func protection(writable, exec bool) shmkit.Protection {
	p := shmkit.Read
	if writable {
		p |= shmkit.Write
	}
	if exec {
		p |= shmkit.Exec
	}
	return p
}

// span returns how many bytes the main mapping of a file of size bytes has.
func (o *Options) span(size int64) int64 {
	switch there := max(size-o.Off, 0); {
	case o.Len == 0:
		return there
	case o.Beyond:
		return o.Len
	default:
		return min(o.Len, there)
	}
}

// check checks what does not depend on the file.
func (o *Options) check() error {
	switch {
	case o.Off < 0 || o.Len < 0 || o.Reserve < 0:
		return &Error{Err: syscall.EINVAL, Hint: fmt.Sprintf("Off %d, Len %d, Reserve %d: none may be negative", o.Off, o.Len, o.Reserve)}
	case o.Advice.Destructive():
		return destructive(o.Advice)
	case o.Mode&^fs.ModePerm != 0:
		return &Error{Err: syscall.EINVAL, Hint: fmt.Sprintf("mode %v has more than permission bits", o.Mode)}
	}
	return nil
}

// destructive refuses advice that would change what is read before anybody has looked.
func destructive(a shmkit.Advice) error {
	return &Error{Err: syscall.EINVAL, Hint: fmt.Sprintf("%v changes what is read; say it to the mapping, with Advise", a)}
}

// checkMapped checks that a part to map lies in a file of size bytes, or may reach beyond.
func checkMapped(off, n, size int64, beyond bool) error {
	if beyond && n > 0 && off <= math.MaxInt64-n {
		return nil
	}
	err := checkPart("map", off, n, size)
	if e, ok := err.(*Error); ok && n > 0 && e.Err == shmkit.ErrTruncated {
		e.Hint += "; Beyond allows that"
	}
	return err
}

// checkPart checks that n bytes at off (n 0: all from off on) lie in a file of size bytes.
func checkPart(verb string, off, n, size int64) error {
	switch {
	case off > math.MaxInt64-n:
		return &Error{Err: syscall.EOVERFLOW, Hint: "no file is that long"}
	case off > size:
		return &Error{Err: shmkit.ErrTruncated, Hint: fmt.Sprintf("the part to %s begins at %d, and the file has %d bytes", verb, off, size)}
	case off+n > size:
		return &Error{Err: shmkit.ErrTruncated, Hint: fmt.Sprintf("the part to %s ends at %d, and the file has %d bytes", verb, off+n, size)}
	}
	return nil
}

// main returns how n bytes of the main mapping are mapped.
func (o *Options) main(n int64) fdmap.Options {
	return fdmap.Options{Off: o.Off, Len: n, Protection: o.protection(), Private: o.Private,
		Populate: o.Populate, NoReserve: o.NoReserve, Reserve: o.Reserve}
}
