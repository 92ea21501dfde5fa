package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Bytes returns the n bytes at addr, which the Go runtime does not manage. This
// is the one place in shmkit where a number becomes a pointer.
func Bytes(addr uintptr, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(nil), addr)), n)
}

// Addr returns the address of the first byte of b.
func Addr(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// Munmap is munmap(2).
func Munmap(addr uintptr, n int) error {
	_, _, e := unix.Syscall(unix.SYS_MUNMAP, addr, uintptr(n), 0)
	return errnoErr(e)
}

// Reserve replaces whatever is mapped in the n bytes at addr by pages that
// nobody may touch, in one step: no other mapping can take the addresses
// meanwhile.
func Reserve(addr uintptr, n int) error {
	_, _, e := unix.Syscall6(unix.SYS_MMAP, addr, uintptr(n), unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE|unix.MAP_FIXED, ^uintptr(0), 0)
	return errnoErr(e)
}

// ReserveAnywhere is Reserve at addresses that the kernel chooses.
func ReserveAnywhere(n int) (uintptr, error) {
	r, _, e := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(n), unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, ^uintptr(0), 0)
	if e != 0 {
		return 0, e
	}
	return r, nil
}

// ReserveAt is Reserve at addresses that must be free (EEXIST).
func ReserveAt(addr uintptr, n int) error {
	r, err := Mmap(addr, uint64(n), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE|unix.MAP_FIXED_NOREPLACE, -1, 0)
	if err == nil && r != addr { // a kernel before 4.17 took it as a hint
		_ = Munmap(r, n)
		return unix.EEXIST
	}
	return err
}

// Mmap is mmap(2). addr 0 lets the kernel choose, fd -1 goes with MAP_ANONYMOUS.
func Mmap(addr uintptr, n uint64, prot, flags, fd int, off int64) (uintptr, error) {
	r, _, e := unix.Syscall6(unix.SYS_MMAP, addr, uintptr(n), uintptr(prot), uintptr(flags), uintptr(fd), uintptr(off))
	if e != 0 {
		return 0, e
	}
	return r, nil
}

// Mremap is mremap(2). to counts with MREMAP_FIXED only.
func Mremap(addr uintptr, old, n uint64, flags int, to uintptr) (uintptr, error) {
	r, _, e := unix.Syscall6(unix.SYS_MREMAP, addr, uintptr(old), uintptr(n), uintptr(flags), to, 0)
	if e != 0 {
		return 0, e
	}
	return r, nil
}

// Msync is msync(2). It blocks, with MS_SYNC, until the device has the data.
func Msync(addr uintptr, n uint64, flags int) error {
	_, _, e := unix.Syscall(unix.SYS_MSYNC, addr, uintptr(n), uintptr(flags))
	return errnoErr(e)
}

// Madvise is madvise(2).
func Madvise(addr uintptr, n uint64, advice int) error {
	_, _, e := unix.Syscall(unix.SYS_MADVISE, addr, uintptr(n), uintptr(advice))
	return errnoErr(e)
}

// Mlock is mlock(2).
func Mlock(addr uintptr, n uint64) error {
	_, _, e := unix.Syscall(unix.SYS_MLOCK, addr, uintptr(n), 0)
	return errnoErr(e)
}

// Mlock2 is mlock2(2).
func Mlock2(addr uintptr, n uint64, flags int) error {
	_, _, e := unix.Syscall(unix.SYS_MLOCK2, addr, uintptr(n), uintptr(flags))
	return errnoErr(e)
}

// Munlock is munlock(2).
func Munlock(addr uintptr, n uint64) error {
	_, _, e := unix.Syscall(unix.SYS_MUNLOCK, addr, uintptr(n), 0)
	return errnoErr(e)
}

// Mincore is mincore(2) of the n bytes at addr. vec must hold one byte for each of
// their pages: the kernel writes that many whatever the length says. The lowest bit
// says that the page is in memory.
func Mincore(addr uintptr, n uint64, vec []byte) error {
	_, _, e := unix.Syscall(unix.SYS_MINCORE, addr, uintptr(n), uintptr(unsafe.Pointer(unsafe.SliceData(vec))))
	return errnoErr(e)
}

// Mprotect is mprotect(2).
func Mprotect(addr uintptr, n, prot int) error {
	_, _, e := unix.Syscall(unix.SYS_MPROTECT, addr, uintptr(n), uintptr(prot))
	return errnoErr(e)
}

// Readable reports whether the byte at addr can be read, without a fault when it
// cannot. Where process_vm_readv(2) is forbidden, as by some seccomp filters, it
// says yes.
func Readable(addr uintptr) bool {
	var b byte
	local := unix.Iovec{Base: &b}
	local.SetLen(1)
	remote := unix.RemoteIovec{Base: addr, Len: 1}
	n, err := unix.ProcessVMReadv(unix.Getpid(), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
	return err == nil && n == 1 || err == unix.EPERM || err == unix.ENOSYS
}
