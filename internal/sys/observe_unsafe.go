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
	Evicted         uint64
	RecentlyEvicted uint64
}

// CacheStat is cachestat(2) of the whole file; since Linux 6.5, ENOSYS before.
func CacheStat(fd int) (use CacheUse, err error) {
	var whole [2]uint64 // offset and length; 0 is to the end
	_, _, e := unix.Syscall6(unix.SYS_CACHESTAT, uintptr(fd), uintptr(unsafe.Pointer(&whole)), uintptr(unsafe.Pointer(&use)), 0, 0, 0)
	return use, errnoErr(e)
}
