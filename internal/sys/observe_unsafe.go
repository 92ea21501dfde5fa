package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A CacheUse is struct cachestat: what the page cache has of a range of a file, in pages.
type CacheUse struct {
	Cached          uint64
	Dirty           uint64 // differ from the device
	Writeback       uint64 // on their way to the device
	Evicted         uint64 // were there and are not; of shared memory, in swap
	RecentlyEvicted uint64
}

// CacheStat is cachestat(2) of the whole file; since Linux 6.5, ENOSYS before.
func CacheStat(fd int) (use CacheUse, err error) {
	return CacheStatRange(fd, 0, 0)
}

// CacheStatRange is cachestat(2) of the pages that a range touches; 0 bytes are all to the
// end.
func CacheStatRange(fd int, off, n uint64) (use CacheUse, err error) {
	at := [2]uint64{off, n}
	_, _, e := unix.Syscall6(unix.SYS_CACHESTAT, uintptr(fd), uintptr(unsafe.Pointer(&at)), uintptr(unsafe.Pointer(&use)), 0, 0, 0)
	return use, errnoErr(e)
}
