package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Categories of pages, for PagemapScan: PAGE_IS_… of linux/fs.h.
const (
	PageIsFile    = 1 << 2
	PageIsPresent = 1 << 3
	PageIsSwapped = 1 << 4
	PageIsZero    = 1 << 5 // the page of zeros that all share
	PageIsHuge    = 1 << 6 // a huge page, by one entry of the page table
)

// A PageRegion is struct page_region: pages of equal categories.
type PageRegion struct {
	Start, End uint64 // addresses
	Categories uint64
}

// pmScanArg is struct pm_scan_arg.
type pmScanArg struct {
	size              uint64
	flags             uint64
	start             uint64
	end               uint64
	walkEnd           uint64
	vec               unsafe.Pointer
	vecLen            uint64
	maxPages          uint64
	categoryInverted  uint64
	categoryMask      uint64
	categoryAnyofMask uint64
	returnMask        uint64
}

// pagemapScan is PAGEMAP_SCAN: _IOWR('f', 16, struct pm_scan_arg), the same on amd64
// and arm64.
const pagemapScan = 3<<30 | unsafe.Sizeof(pmScanArg{})<<16 | 'f'<<8 | 16

// PagemapScan is the ioctl PAGEMAP_SCAN of a /proc/PID/pagemap: the pages from start to
// end that are of one of the categories any, and of each which of want it has. It returns
// how many regions it filled, and where it stopped: at end, or where it had no room. Since
// Linux 6.7, ENOTTY before.
func PagemapScan(fd int, start, end, any, want uint64, regions []PageRegion) (n int, stopped uint64, err error) {
	arg := pmScanArg{
		start: start, end: end, vec: unsafe.Pointer(unsafe.SliceData(regions)), vecLen: uint64(len(regions)),
		categoryAnyofMask: any, returnMask: want,
	}
	arg.size = uint64(unsafe.Sizeof(arg))
	got, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), pagemapScan, uintptr(unsafe.Pointer(&arg)))
	if e != 0 {
		return 0, start, e
	}
	return int(got), arg.walkEnd, nil
}
