package sys

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// DescriptorLink returns what /proc calls the file of a descriptor of this process:
// "/memfd:scratch (deleted)", "pipe:[4711]", "/tmp/x".
func DescriptorLink(fd int) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// CloseOnExec reports whether the descriptor is closed by execve (FD_CLOEXEC).
func CloseOnExec(fd int) (bool, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return flags&unix.FD_CLOEXEC != 0, err
}

// SCM_PIDFD is the type of the control message that carries a descriptor of the
// sender's process, on sockets that ask for it (SO_PASSPIDFD); since Linux 6.5.
const SCM_PIDFD = 4

// Dup returns another descriptor of the same open file, close on exec (fcntl(F_DUPFD_CLOEXEC)).
func Dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }
