package sys

import "golang.org/x/sys/unix"

// Eventfd is eventfd(2) with a count of 0, close on exec.
func Eventfd() (int, error) { return unix.Eventfd(0, unix.EFD_CLOEXEC) }
