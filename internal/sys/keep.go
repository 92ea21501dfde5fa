package sys

import "golang.org/x/sys/unix"

// KeepOnExec takes FD_CLOEXEC from a descriptor: execve(2) keeps it open.
func KeepOnExec(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	return err
}
