package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sendmsg is sendmsg(2) of exactly these bytes and control data. Package net adds a byte
// to a message that has none, which hostile peers need not.
func Sendmsg(fd int, b, control []byte) error {
	iov := unix.Iovec{Base: unsafe.SliceData(b)}
	iov.SetLen(len(b))
	m := unix.Msghdr{Iov: &iov, Iovlen: 1, Control: unsafe.SliceData(control)}
	m.SetControllen(len(control))
	_, _, e := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), 0)
	return errnoErr(e)
}
