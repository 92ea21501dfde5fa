package sys

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Flags of memfd_create; <linux/memfd.h>.
const (
	MFD_CLOEXEC       = unix.MFD_CLOEXEC
	MFD_ALLOW_SEALING = unix.MFD_ALLOW_SEALING
	MFD_HUGETLB       = unix.MFD_HUGETLB
	MFD_NOEXEC_SEAL   = unix.MFD_NOEXEC_SEAL // since Linux 6.3; EINVAL before
	MFD_EXEC          = unix.MFD_EXEC        // since Linux 6.3; EINVAL before

	// MFD_HUGE_SHIFT: the base-2 logarithm of the size of huge pages stands there.
	MFD_HUGE_SHIFT = unix.MFD_HUGE_SHIFT
)

// Seals of a memfd; <linux/fcntl.h>.
const (
	F_SEAL_SEAL         = unix.F_SEAL_SEAL
	F_SEAL_SHRINK       = unix.F_SEAL_SHRINK
	F_SEAL_GROW         = unix.F_SEAL_GROW
	F_SEAL_WRITE        = unix.F_SEAL_WRITE
	F_SEAL_FUTURE_WRITE = unix.F_SEAL_FUTURE_WRITE // since Linux 5.1
	F_SEAL_EXEC         = unix.F_SEAL_EXEC         // since Linux 6.3
)

// MemfdCreate is memfd_create(2).
func MemfdCreate(name string, flags int) (fd int, err error) { return unix.MemfdCreate(name, flags) }

// AddSeals is fcntl(F_ADD_SEALS).
func AddSeals(fd, seals int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	return err
}

// Seals is fcntl(F_GET_SEALS). EINVAL: the file is of a kind that has none.
func Seals(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0) }

// Flags of fallocate.
const (
	FALLOC_FL_KEEP_SIZE  = unix.FALLOC_FL_KEEP_SIZE
	FALLOC_FL_PUNCH_HOLE = unix.FALLOC_FL_PUNCH_HOLE
)

// Fallocate is fallocate(2). It answers EINTR when a signal arrives before it is
// done, and keeps on tmpfs nothing of what it did.
func Fallocate(fd, mode int, off, n int64) error { return unix.Fallocate(fd, uint32(mode), off, n) }

// SyncFileRange is sync_file_range(2).
func SyncFileRange(fd int, off, n int64, flags int) error {
	return unix.SyncFileRange(fd, off, n, flags)
}

// Advice of posix_fadvise.
const (
	FADV_SEQUENTIAL = unix.FADV_SEQUENTIAL
	FADV_WILLNEED   = unix.FADV_WILLNEED
	FADV_DONTNEED   = unix.FADV_DONTNEED
)

// Fadvise is posix_fadvise(2).
func Fadvise(fd int, off, n int64, advice int) error { return unix.Fadvise(fd, off, n, advice) }

// Numbers of file systems in the answer of FileSystem; <linux/magic.h>.
const (
	TMPFS_MAGIC     = unix.TMPFS_MAGIC
	HUGETLBFS_MAGIC = unix.HUGETLBFS_MAGIC
	EXT4_MAGIC      = unix.EXT4_SUPER_MAGIC
	XFS_MAGIC       = unix.XFS_SUPER_MAGIC
	BTRFS_MAGIC     = unix.BTRFS_SUPER_MAGIC
	OVERLAYFS_MAGIC = unix.OVERLAYFS_SUPER_MAGIC
)

// FileSystem is fstatfs(2): the number of the file system the file is on, the size of
// its blocks (of its pages, for huge pages) and how many of them are free for this
// user: the largest number where there is no limit, as for memfds.
func FileSystem(fd int) (magic, blockSize int64, free uint64, err error) {
	var st unix.Statfs_t
	for {
		if err = unix.Fstatfs(fd, &st); err != unix.EINTR {
			if err == nil && st.Blocks == 0 {
				st.Bavail = math.MaxUint64
			}
			return int64(st.Type), int64(st.Bsize), st.Bavail, err
		}
	}
}

// Kinds of lock of OFDLock.
const (
	F_RDLCK = unix.F_RDLCK
	F_WRLCK = unix.F_WRLCK
	F_UNLCK = unix.F_UNLCK
)

// OFDLock is fcntl(F_OFD_SETLK), or F_OFD_SETLKW with wait: it locks the n bytes at
// off (n 0: to the end of all offsets) for the open file description of fd, EAGAIN if
// another one has them. With wait it answers EINTR whenever a signal arrives.
func OFDLock(fd int, kind int16, off, n int64, wait bool) error {
	cmd := unix.F_OFD_SETLK
	if wait {
		cmd = unix.F_OFD_SETLKW
	}
	return unix.FcntlFlock(uintptr(fd), cmd, &unix.Flock_t{Type: kind, Whence: unix.SEEK_SET, Start: off, Len: n})
}

// OFDProbe is fcntl(F_OFD_GETLK): it returns the first lock of another open file
// description in the n bytes at off that excludes one of this kind; held is false if
// there is none. The description's own locks are no obstacle and are not told.
func OFDProbe(fd int, kind int16, off, n int64) (at, length int64, held bool, err error) {
	l := unix.Flock_t{Type: kind, Whence: unix.SEEK_SET, Start: off, Len: n}
	if err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &l); err != nil {
		return 0, 0, false, err
	}
	return l.Start, l.Len, l.Type != unix.F_UNLCK, nil
}

// Reopen opens the file of a descriptor anew, so that the result has its own open file
// description. The mode of the file decides whether flags are allowed.
func Reopen(fd, flags int) (int, error) {
	for {
		n, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// AccessMode returns the flags of a descriptor that say what it was opened for:
// os.O_RDONLY, O_WRONLY or O_RDWR.
func AccessMode(fd int) (int, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return flags & unix.O_ACCMODE, err
}

// MemoryLockLimit returns RLIMIT_MEMLOCK in bytes, the largest number if there is no
// limit.
func MemoryLockLimit() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l); err != nil {
		return math.MaxUint64
	}
	return l.Cur
}
