package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Userfault is a descriptor of userfaultfd(2): the kernel tells there who touches a
// missing page of a range, and lets that thread wait until the page is filled. Tests of
// what mremap(2) leaves behind use it.
type Userfault struct{ fd int }

// Numbers of <linux/userfaultfd.h>; the size of each structure is part of its number.
const (
	uffdAPI               = 0xaa
	uffdioAPI             = 0xc018aa3f
	uffdioRegister        = 0xc020aa00
	uffdioZeropage        = 0xc020aa04
	uffdioRegisterMissing = 1
	uffdEventPagefault    = 0x12
)

// NewUserfault opens one. EPERM: the process may not (vm.unprivileged_userfaultfd).
func NewUserfault() (*Userfault, error) {
	fd, _, e := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if e != 0 {
		return nil, e
	}
	u := &Userfault{int(fd)}
	api := struct{ api, features, ioctls uint64 }{api: uffdAPI}
	if err := u.ioctl(uffdioAPI, unsafe.Pointer(&api)); err != nil {
		_ = u.Close()
		return nil, err
	}
	return u, nil
}

// Register makes the missing pages of a range its.
func (u *Userfault) Register(addr uintptr, n int) error {
	r := struct{ start, len, mode, ioctls uint64 }{uint64(addr), uint64(n), uffdioRegisterMissing, 0}
	return u.ioctl(uffdioRegister, unsafe.Pointer(&r))
}

// Next waits for a fault and returns its address.
func (u *Userfault) Next() (uintptr, error) {
	for {
		var msg struct {
			event          uint8
			_              [7]uint8
			flags, address uint64
			_              uint64
		}
		n, err := unix.Read(u.fd, unsafe.Slice((*byte)(unsafe.Pointer(&msg)), unsafe.Sizeof(msg)))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n != int(unsafe.Sizeof(msg)) || msg.event != uffdEventPagefault:
			return 0, unix.EPROTO
		default:
			return uintptr(msg.address), nil
		}
	}
}

// Zero fills n bytes with zeros, and wakes who waits for them.
func (u *Userfault) Zero(addr uintptr, n int) error {
	r := struct{ start, len, mode, zeropage uint64 }{uint64(addr), uint64(n), 0, 0}
	return u.ioctl(uffdioZeropage, unsafe.Pointer(&r))
}

// Close ends it; who waits for a page gets it as if it had not been.
func (u *Userfault) Close() error { return unix.Close(u.fd) }

func (u *Userfault) ioctl(number uintptr, arg unsafe.Pointer) error {
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(u.fd), number, uintptr(arg))
	return errnoErr(e)
}
