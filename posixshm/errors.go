package posixshm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// Errors that hold besides the errno and the sentinels of io/fs.
var (
	// ErrEmpty: the object has no bytes yet, so that there is nothing to map; EINVAL.
	// It was made by shm_open and its maker has not come to ftruncate, or died before.
	ErrEmpty = errors.New("the object has no bytes yet")
	// ErrForeign: the object belongs to neither this process's user nor root; EACCES
	// and fs.ErrPermission.
	ErrForeign = errors.New("the object belongs to another user")
	// ErrNotObject: what has the name is no regular file; EINVAL, or ELOOP for a
	// symbolic link.
	ErrNotObject = errors.New("that is no shared memory object")
)

// Error is a failed operation. errors.Is finds the errno (syscall.ENOSPC), the
// standard sentinel it stands for (fs.ErrExist, fs.ErrNotExist, fs.ErrPermission,
// fs.ErrInvalid, fs.ErrClosed, errors.ErrUnsupported), shmkit.ErrNoSpace, and what
// Options.Init returned.
type Error struct {
	Op     string // "create", "open", …
	Object string // "posix:/frames"
	Err    error  // errno, or an error of Init
	Hint   string // why, and what to do about it; "" if nothing is known
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %v", e.Op, e.Object, e.Err)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes the sentinels hold that the errno alone does not stand for.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrInvalid:
		return errors.Is(e.Err, syscall.EINVAL)
	case shmkit.ErrNoSpace:
		return errors.Is(e.Err, syscall.ENOSPC)
	}
	return false
}

// because is an errno of which this package knows the reason.
type because struct {
	reason error
	errno  syscall.Errno
}

func (b because) Error() string   { return b.reason.Error() }
func (b because) Unwrap() []error { return []error{b.reason, b.errno} }

// fail makes the error of an operation on what is at p.
func (p place) fail(op string, err error, hint string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) { // which names the path again
		err = pe.Err
	}
	if hint == "" {
		hint = p.hint(err)
	}
	return &Error{Op: op, Object: p.String(), Err: err, Hint: hint}
}

// hint explains an errno by what is to be seen from here.
func (p place) hint(err error) string {
	info, missing := os.Lstat(p.path())
	dir, noDir := os.Stat(p.dir)
	switch {
	case errors.Is(err, syscall.ENOENT) && errors.Is(noDir, fs.ErrNotExist):
		return fmt.Sprintf("there is no directory %s; POSIX shared memory needs a tmpfs mounted there", p.dir)
	case errors.Is(err, syscall.ENOTDIR) && noDir == nil && !dir.IsDir():
		return p.dir + " is no directory"
	case errors.Is(err, syscall.EEXIST) && missing == nil:
		return fmt.Sprintf("it has %d bytes and belongs to uid %d", info.Size(), statOf(info).Uid)
	case errors.Is(err, syscall.ENOSPC):
		return "the file system has as many files as it may (df -i)"
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		var what []string
		if missing == nil {
			what = append(what, "it"+ownerOf(info))
		}
		if noDir == nil {
			what = append(what, "directory "+p.dir+ownerOf(dir))
		}
		return strings.Join(append(what, thisProcess()), "; ")
	case errors.Is(err, syscall.EROFS):
		return "its file system is mounted read-only"
	case errors.Is(err, syscall.EMFILE):
		return "this process has as many files open as it may (ulimit -n)"
	case errors.Is(err, syscall.ENFILE):
		return "the machine has as many files open as it may (fs.file-max)"
	case errors.Is(err, syscall.EDQUOT):
		return "this user's quota there is used up"
	case errors.Is(err, syscall.ENOMEM):
		return "the machine, or this process's control group, has no memory left for it"
	}
	return ""
}

// ownerOf goes on a sentence with who a file belongs to.
func ownerOf(info fs.FileInfo) string {
	st := statOf(info)
	return fmt.Sprintf(" belongs to uid %d gid %d, mode %04o", st.Uid, st.Gid, st.Mode&0o7777)
}

func thisProcess() string {
	return fmt.Sprintf("this process is uid %d gid %d", os.Geteuid(), os.Getegid())
}

// roomHint explains why a size was not to be had.
func roomHint(err error, f *os.File, p place, size int64) string {
	space, e := sys.SpaceOf(int(f.Fd()))
	switch {
	case errors.Is(err, syscall.ENOSPC) && e == nil && space.Total > 0:
		return fmt.Sprintf("%s has %d of %d bytes free and this needs %d; remove what nobody uses, or give it more (mount -o remount,size=…)",
			p.dir, space.Free, space.Total, size)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Sprintf("this machine has less than %d bytes of memory and swap space together", size)
	case errors.Is(err, syscall.ENOMEM):
		if n := sys.MemoryAvailable(); size > 0 && n < uint64(size) {
			return fmt.Sprintf("%d bytes of memory are available, and this needs %d", n, size)
		}
	case errors.Is(err, syscall.EOPNOTSUPP):
		return fmt.Sprintf("the file system of %s cannot set space aside (fallocate); Sparse does without", p.dir)
	case errors.Is(err, syscall.EFBIG):
		return "no file of this process may be that long (ulimit -f), or none on that file system"
	}
	return ""
}
