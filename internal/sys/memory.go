package sys

import "golang.org/x/sys/unix"

// Protection bits of a mapping; <sys/mman.h>.
const (
	PROT_NONE  = unix.PROT_NONE
	PROT_READ  = unix.PROT_READ
	PROT_WRITE = unix.PROT_WRITE
	PROT_EXEC  = unix.PROT_EXEC
)

// Flags of mmap and mremap; <sys/mman.h>.
const (
	MAP_SHARED          = unix.MAP_SHARED
	MAP_SHARED_VALIDATE = unix.MAP_SHARED_VALIDATE
	MAP_PRIVATE         = unix.MAP_PRIVATE
	MAP_ANONYMOUS       = unix.MAP_ANONYMOUS
	MAP_FIXED           = unix.MAP_FIXED
	MAP_FIXED_NOREPLACE = unix.MAP_FIXED_NOREPLACE // since Linux 4.17; older kernels take it as a hint
	MAP_POPULATE        = unix.MAP_POPULATE
	MAP_LOCKED          = unix.MAP_LOCKED
	MAP_NORESERVE       = unix.MAP_NORESERVE
	MAP_HUGETLB         = unix.MAP_HUGETLB

	MREMAP_MAYMOVE   = unix.MREMAP_MAYMOVE
	MREMAP_FIXED     = unix.MREMAP_FIXED
	MREMAP_DONTUNMAP = unix.MREMAP_DONTUNMAP // since Linux 5.7, of files since 5.13
)

// Flags of msync.
const (
	MS_ASYNC      = unix.MS_ASYNC
	MS_INVALIDATE = unix.MS_INVALIDATE
	MS_SYNC       = unix.MS_SYNC
)

// Flags of sync_file_range.
const (
	SYNC_FILE_RANGE_WAIT_BEFORE = unix.SYNC_FILE_RANGE_WAIT_BEFORE
	SYNC_FILE_RANGE_WRITE       = unix.SYNC_FILE_RANGE_WRITE
	SYNC_FILE_RANGE_WAIT_AFTER  = unix.SYNC_FILE_RANGE_WAIT_AFTER
)

// MLOCK_ONFAULT is the flag of mlock2: pages are locked when they are touched.
const MLOCK_ONFAULT = 1

// Advice of madvise; <linux/mman.h>.
const (
	MADV_NORMAL          = 0
	MADV_RANDOM          = 1
	MADV_SEQUENTIAL      = 2
	MADV_WILLNEED        = 3
	MADV_DONTNEED        = 4
	MADV_FREE            = 8
	MADV_REMOVE          = 9
	MADV_DONTFORK        = 10
	MADV_DOFORK          = 11
	MADV_MERGEABLE       = 12
	MADV_UNMERGEABLE     = 13
	MADV_HUGEPAGE        = 14
	MADV_NOHUGEPAGE      = 15
	MADV_DONTDUMP        = 16
	MADV_DODUMP          = 17
	MADV_WIPEONFORK      = 18
	MADV_KEEPONFORK      = 19
	MADV_COLD            = 20 // since Linux 5.4
	MADV_PAGEOUT         = 21 // since Linux 5.4
	MADV_POPULATE_READ   = 22 // since Linux 5.14
	MADV_POPULATE_WRITE  = 23 // since Linux 5.14
	MADV_DONTNEED_LOCKED = 24 // since Linux 5.18
	MADV_COLLAPSE        = 25 // since Linux 6.1
	MADV_HWPOISON        = 100
	MADV_SOFT_OFFLINE    = 101
	MADV_GUARD_INSTALL   = 102 // since Linux 6.13, of files since 6.15
	MADV_GUARD_REMOVE    = 103
)
