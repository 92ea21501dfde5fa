package sys

import "golang.org/x/sys/unix"

// RemapFilePages is remap_file_pages(2): the n bytes at addr, of a shared mapping,
// show the object from page on. The kernel has emulated it by mmap since Linux
// 4.0; nobody needs it, but it was a way to reach segments that were gone.
func RemapFilePages(addr uintptr, n, page int) error {
	_, _, e := unix.Syscall6(unix.SYS_REMAP_FILE_PAGES, addr, uintptr(n), 0, uintptr(page), 0, 0)
	return errnoErr(e)
}
