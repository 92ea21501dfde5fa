package memfd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// File is a descriptor of sealed anonymous memory. Its methods may be called by any
// number of goroutines at once.
type File struct {
	m        *fdmap.File
	fd       int    // immutable; open as long as m is
	name     string // immutable
	pageSize int    // immutable
}

// newFile makes a File of a descriptor, which it takes over, and closes if it fails.
func newFile(file *os.File, name string) (*File, error) {
	return newFileAt(file, name, address(os.Getpid(), int(file.Fd())))
}

// newFileAt is newFile of memory that has an address already.
func newFileAt(file *os.File, name, at string) (*File, error) {
	fd := int(file.Fd())
	page := os.Getpagesize()
	magic, block, _, err := sys.FileSystem(fd)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	if magic == sys.HUGETLBFS_MAGIC {
		page = int(block)
	}
	return &File{m: fdmap.New(file, at), fd: fd, name: name, pageSize: page}, nil
}

// address is a descriptor in the words of the command.
func address(pid, fd int) string { return fmt.Sprintf("memfd:%d/%d", pid, fd) }

// Name returns what the memory is called in /proc: what it was created with.
func (f *File) Name() string { return f.name }

// Address returns a descriptor of the memory as the shmkit command takes it:
// "memfd:812/5". It is this process's own and good as long as the file, or a mapping of
// it, is open; of memory opened by OpenPID it is the one that it was opened by.
func (f *File) Address() string { return f.m.Name() }

// Path returns the path under which other programs can open the memory while this
// process holds it: "/proc/812/fd/5". Who may is up to the memory's mode, and to the
// kernel's rules for looking into other processes.
func (f *File) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.fd) }

// String returns address and name: "memfd:812/5 (scratch)".
func (f *File) String() string { return fmt.Sprintf("%s (%s)", f.Address(), printable(f.name)) }

// printable returns a name, which somebody else may have chosen, as it can be shown.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// PageSize returns the size in bytes of the pages that the memory is made of.
func (f *File) PageSize() int { return f.pageSize }

// Size returns how many bytes there are now.
func (f *File) Size() (int64, error) {
	n, err := f.m.Size()
	if err != nil {
		return 0, f.fail("size of", err, "")
	}
	return n, nil
}

// Use calls do with the open file, for what this package does not do. do must neither
// keep it nor close it.
func (f *File) Use(do func(*os.File) error) error {
	if err := f.use(do); err != nil {
		return f.fail("use", err, "")
	}
	return nil
}

func (f *File) use(do func(*os.File) error) error { return f.m.Use(do) }

// Close gives the descriptor back, at once or, if the memory is mapped through this
// File, with the last mapping. The memory stays as long as anybody has a descriptor or a
// mapping of it. A second Close does nothing.
func (f *File) Close() error {
	if f.m == nil { // a zero File
		return nil
	}
	if err := f.m.Close(); err != nil {
		return f.fail("close", err, "")
	}
	return nil
}

// Reopen returns a File with an open file description of its own: it shares offset,
// status flags and locks with nobody. It goes by the mode of the memory; what was
// received read-only may thus become writable. EACCES (fs.ErrPermission): the mode does
// not allow it.
func (f *File) Reopen() (*File, error) { return f.reopen(os.O_RDWR) }

// ReopenReadOnly is Reopen for reading: what to send to somebody who shall not write.
// See the traps in the package comment.
func (f *File) ReopenReadOnly() (*File, error) { return f.reopen(os.O_RDONLY) }

func (f *File) reopen(flags int) (n *File, err error) {
	err = f.use(func(*os.File) error {
		fd, err := sys.Reopen(f.fd, flags)
		if err != nil {
			return err
		}
		n, err = newFile(os.NewFile(uintptr(fd), f.name), f.name)
		return err
	})
	if err != nil {
		return nil, f.fail("reopen", err, f.openHint(err))
	}
	return n, nil
}

// openHint explains EACCES by who the memory belongs to.
func (f *File) openHint(err error) string {
	if !errors.Is(err, syscall.EACCES) {
		return ""
	}
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	return permHint(info)
}

// permHint says who may open the memory.
func permHint(i Info) string {
	return fmt.Sprintf("it belongs to uid %d gid %d, mode %04o; this process is uid %d gid %d",
		i.UID, i.GID, uint32(i.Mode), os.Geteuid(), os.Getegid())
}

// Seals returns the seals that are on.
func (f *File) Seals() (s Seals, err error) {
	err = f.use(func(*os.File) error {
		n, err := sys.Seals(f.fd)
		s = Seals(n)
		return err
	})
	if err != nil {
		return 0, f.fail("seals of", err, "")
	}
	return s, nil
}

// AddSeals puts seals on, all of them or, if it fails, none. They hold for everybody,
// and for ever.
//
// Errors: EBUSY: SealWrite, and a shared mapping exists, in some process, that may be
// written. EPERM (fs.ErrPermission): SealSeal is on, or this descriptor was not opened
// for writing. EINVAL: the kernel does not know one of the seals.
func (f *File) AddSeals(s Seals) error {
	err := f.use(func(*os.File) error { return sys.AddSeals(f.fd, int(s)) })
	if err != nil {
		return f.fail(fmt.Sprintf("seal (%v)", s), err, f.sealHint(s, err))
	}
	return nil
}

func (f *File) sealHint(s Seals, err error) string {
	switch {
	case errors.Is(err, syscall.EBUSY):
		return "a shared mapping of it may be written, in this process or another; close it, or use SealFutureWrite"
	case errors.Is(err, syscall.EPERM):
		if have, err := f.Seals(); err == nil && have&SealSeal != 0 {
			return fmt.Sprintf("it is sealed against further seals; it has %v", have)
		}
		return "this descriptor was opened read-only"
	case errors.Is(err, syscall.EINVAL):
		return fmt.Sprintf("this kernel does not know all of %v (future-write is of Linux 5.1, exec of 6.3)", s)
	}
	return ""
}

// Truncate makes the memory size bytes long. What is added is zero and not reserved
// (see Reserve). Mappings stay as long as they are; what of them lies behind the end
// faults with shmkit.ErrTruncated.
//
// Errors: EPERM (fs.ErrPermission): SealShrink or SealGrow is on. EINVAL: a negative
// size, or, with huge pages, one that is not a whole number of them. EFBIG.
func (f *File) Truncate(size int64) error {
	if err := f.use(func(file *os.File) error { return file.Truncate(size) }); err != nil {
		return f.fail(fmt.Sprintf("set to %d bytes", size), err, f.changeHint(err))
	}
	return nil
}

// Reserve makes sure that n bytes from off on are there, and lengthens the memory if
// they go beyond its end: fallocate(2).
//
// Errors, after which a part may be reserved: ENOMEM, ENOSPC: there is not that much
// memory, which is asked about for more than 64 MiB at once, or too few huge pages. EPERM: it would grow, and SealGrow is on. EINVAL: off is
// negative or n below 1. EFBIG. A limit of the process's control group is not asked for:
// the kernel kills who exceeds it.
func (f *File) Reserve(off, n int64) error {
	err := f.use(func(*os.File) error {
		if off > math.MaxInt64-max(n, 0) {
			return syscall.EFBIG
		}
		if off < 0 || n < 1 {
			return syscall.EINVAL
		}
		_, err := fdmap.Reserve(context.Background(), f.fd, 0, off, off+n, int64(f.pageSize))
		return err
	})
	if err != nil {
		return f.fail(fmt.Sprintf("reserve %d bytes at offset %d of", n, off), err, f.changeHint(err))
	}
	return nil
}

// Discard gives the memory of n bytes from off on back; they read as zeros:
// fallocate(2) with FALLOC_FL_PUNCH_HOLE. Huge pages go only as a whole.
//
// Errors: EPERM: SealWrite or SealFutureWrite is on. EINVAL: off is negative or n below 1.
func (f *File) Discard(off, n int64) error {
	err := f.use(func(*os.File) error {
		for {
			err := sys.Fallocate(f.fd, sys.FALLOC_FL_PUNCH_HOLE|sys.FALLOC_FL_KEEP_SIZE, off, n)
			if err != syscall.EINTR {
				return err
			}
		}
	})
	if err != nil {
		return f.fail(fmt.Sprintf("discard %d bytes at offset %d of", n, off), err, f.changeHint(err))
	}
	return nil
}

// ReadAt implements io.ReaderAt, by read(2).
func (f *File) ReadAt(b []byte, off int64) (n int, err error) {
	err = f.use(func(file *os.File) error {
		n, err = file.ReadAt(b, off)
		return err
	})
	if err != nil && err != io.EOF {
		return n, f.fail("read", err, "")
	}
	return n, err
}

// WriteAt implements io.WriterAt, by write(2), which lengthens the memory if it has to.
//
// Errors: EPERM (fs.ErrPermission): SealWrite or SealFutureWrite is on, or it would
// grow and SealGrow is on; then what fits before the page that the end lies in is
// written. EINVAL: the memory is of huge pages, which only a mapping writes.
func (f *File) WriteAt(b []byte, off int64) (n int, err error) {
	// os.File.WriteAt forgets what was written before an error.
	err = f.use(func(*os.File) error {
		for n < len(b) {
			m, err := syscall.Pwrite(f.fd, b[n:], off+int64(n))
			if err != nil && err != syscall.EINTR {
				return err
			}
			n += max(m, 0)
		}
		return nil
	})
	if err != nil {
		return n, f.fail("write", err, f.changeHint(err))
	}
	return n, nil
}

// changeHint says what keeps the memory from being changed.
func (f *File) changeHint(err error) string {
	switch {
	case errors.Is(err, syscall.EPERM):
		if s, err := f.Seals(); err == nil {
			return "it is sealed: " + s.String()
		}
	case errors.Is(err, syscall.EBADF):
		return "this descriptor was not opened for that; Reopen makes one that is"
	case errors.Is(err, syscall.EINVAL):
		if mode, err := sys.AccessMode(f.fd); err == nil && mode == os.O_RDONLY {
			return "this descriptor was opened read-only"
		}
		if f.pageSize != os.Getpagesize() {
			return fmt.Sprintf("it is made of huge pages of %d bytes: sizes are whole ones, and only a mapping writes", f.pageSize)
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.ENOMEM):
		if f.pageSize != os.Getpagesize() {
			return "too few huge pages are free; vm.nr_hugepages sets how many there are"
		}
		return fmt.Sprintf("%d bytes of memory are available", sys.MemoryAvailable())
	}
	return ""
}

// linkName returns the name in what /proc says a descriptor refers to, "/memfd:NAME
// (deleted)"; ok is false if that is not a memfd.
func linkName(link string) (name string, ok bool) {
	name, ok = strings.CutPrefix(link, "/memfd:")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, " (deleted)")
}
