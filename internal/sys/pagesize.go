package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// PageSizeAt returns how large the pages are, in bytes, of the mapping that begins at
// addr. mremap(2) of one page to where it is does nothing, but insists on an address at
// which a page begins (of huge pages since Linux 5.16).
func PageSizeAt(addr uintptr) int {
	const largest = 1 << 34
	page := os.Getpagesize()
	for size := page; size < largest; size *= 2 {
		if _, err := Mremap(addr+uintptr(size), uint64(page), uint64(page), 0, 0); err != unix.EINVAL {
			return size
		}
	}
	return page
}
