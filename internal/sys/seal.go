package sys

import "golang.org/x/sys/unix"

// Mseal is mseal(2), since Linux 6.10: until the process ends nothing unmaps, moves or
// replaces the n bytes at addr, or changes their protection (EPERM).
func Mseal(addr uintptr, n int) error {
	_, _, e := unix.Syscall(unix.SYS_MSEAL, addr, uintptr(n), 0)
	return errnoErr(e)
}
