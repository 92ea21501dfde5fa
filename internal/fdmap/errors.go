package fdmap

import (
	"fmt"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// errClosed is shmkit.ErrClosed of a file: its mappings may be open.
var errClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string { return "the handle is closed" }
func (closedError) Unwrap() error { return shmkit.ErrClosed }

// fail makes an *shmkit.OpError of what a system call on the file answered.
func (f *File) fail(op string, o Options, err error) error {
	if err == errClosed {
		return &shmkit.AccessError{Op: op, Mapping: f.name, Off: o.Off, Len: o.Len, Err: err}
	}
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	return &shmkit.OpError{Op: op, Mapping: f.name, Off: o.Off, Len: o.Len, Err: err, Hint: f.hint(o, errno)}
}

// hint says what to do about the errno of an mmap.
func (f *File) hint(o Options, errno syscall.Errno) string {
	switch errno {
	case syscall.EACCES:
		if mode, err := sys.AccessMode(int(f.f.Fd())); err == nil && mode == os.O_WRONLY {
			return "it was opened for writing only; a mapping needs reading too"
		}
		return "it was not opened for that: shared memory that may be written needs a file opened for reading and writing"
	case syscall.EPERM:
		if o.Protection&shmkit.Exec != 0 {
			return "its file system is mounted noexec, or it is sealed"
		}
		return "it is sealed against writing; map it read-only or private"
	case syscall.ENODEV:
		return "there is no memory behind it; a regular file, a POSIX object or a memfd can be mapped"
	case syscall.EBADF:
		return "it was opened without access to its content (O_PATH)"
	case syscall.EEXIST:
		return fmt.Sprintf("the addresses at %#x are not free", o.Addr)
	case syscall.EOVERFLOW:
		return "no file is that long"
	case syscall.ENOMEM:
		if o.PageSize != os.Getpagesize() {
			return "there are too few huge pages; vm.nr_hugepages sets how many there are"
		}
		return "the process's address space, or memory for private copies, is used up (ulimit -v, vm.max_map_count, vm.overcommit_memory)"
	case syscall.EAGAIN:
		return "the process may not lock that much memory (ulimit -l)"
	case syscall.EINVAL:
		switch {
		case o.Len < 1:
			return "a mapping has at least 1 byte"
		case o.Off < 0:
			return "an offset is not negative"
		case o.Reserve < 0:
			return "what is reserved is not negative"
		case o.Addr%uintptr(o.PageSize) != uintptr(o.Off%int64(o.PageSize)) && o.Addr != 0:
			return fmt.Sprintf("address %#x is not as many bytes into a page of %d as the offset", o.Addr, o.PageSize)
		case o.Addr != 0 && o.Addr < uintptr(o.PageSize):
			return fmt.Sprintf("address %#x lies in the first page, where nothing is mapped", o.Addr)
		}
	}
	return ""
}
