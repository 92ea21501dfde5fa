package memfd

import (
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// StatPID tells of the memory that a process has as descriptor fd. It needs the right
// to look at the descriptors of that process, and not the one to open the memory.
//
// Errors: fs.ErrNotExist: there is no such process, or it has no such descriptor.
// EACCES (fs.ErrPermission). ErrNotMemfd.
func StatPID(pid, fd int) (Info, error) {
	fail := func(err error, hint string) (Info, error) {
		return Info{}, &Error{Op: "stat", Object: address(pid, fd), Err: err, Hint: hint}
	}
	held, err := sys.OpenPath(descriptorPath("/proc", pid, fd), false)
	if err != nil {
		return fail(err, openPathHint(err, pid))
	}
	defer syscall.Close(held)
	name, r := identify(held)
	if r != nil {
		return fail(r.err, r.why)
	}
	i := Info{PID: pid, FD: fd, Name: name}
	return i, i.lookHeld(held)
}
