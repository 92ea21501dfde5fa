package memfd

import (
	"errors"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// OpenOptions is how OpenPID opens memory. The zero value opens it for reading and
// writing and wants it sealed against shrinking.
type OpenOptions struct {
	ReadOnly bool
	Want     *Want
}

// OpenPID opens the memory that another process has as descriptor fd: memfd:PID/FD in
// the words of the command. It is opened anew, so that the process notices nothing and
// ReadOnly does not depend on what it has. Anything else than a memfd is refused
// without being opened.
//
// Errors: fs.ErrNotExist: there is no such process, or it has no such descriptor. EACCES
// (fs.ErrPermission): the process, or the mode of the memory, does not allow it.
// ErrNotMemfd, ErrUnsealed, ErrWrongSize.
func OpenPID(pid, fd int, o *OpenOptions) (*File, error) {
	if o == nil {
		o = &OpenOptions{}
	}
	object := address(pid, fd)
	fail := func(err error, hint string) (*File, error) {
		return nil, &Error{Op: opOpen, Object: object, Err: err, Hint: hint}
	}
	path, err := sys.OpenPath(descriptorPath("/proc", pid, fd), false)
	if err != nil {
		return fail(err, openPathHint(err, pid))
	}
	defer syscall.Close(path)
	if _, r := identify(path); r != nil {
		return fail(r.err, r.why)
	}
	flags := os.O_RDWR
	if o.ReadOnly {
		flags = os.O_RDONLY
	}
	// Should somebody hold a lease on it, this is EAGAIN and not a long wait.
	opened, err := sys.Reopen(path, flags|syscall.O_NONBLOCK)
	if err != nil {
		hint := ""
		var st syscall.Stat_t
		if errors.Is(err, syscall.EACCES) && syscall.Fstat(path, &st) == nil {
			var i Info
			i.fill(&st)
			hint = permHint(i)
		}
		return fail(err, hint)
	}
	return adopt(opened, opOpen, object, o.Want)
}

func openPathHint(err error, pid int) string {
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "the descriptors of that process are its own: it is another user's, or cannot be traced"
	case errors.Is(err, syscall.ENOENT):
		if _, err := os.Stat(processPath("/proc", pid)); err == nil {
			return "the process has no such descriptor"
		}
		return "there is no such process"
	}
	return ""
}
