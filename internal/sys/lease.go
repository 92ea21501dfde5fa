package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Lease takes a write lease on a file, which the kernel gives only while no other open
// file description of it exists, in whatever process, and none is mapped or on its way
// through a socket (EAGAIN). Descriptors opened with O_PATH do not count. Until it is given
// back, or the descriptor closed, whoever opens the file waits, at most
// /proc/sys/fs/lease-break-time seconds; with O_NONBLOCK he gets EAGAIN.
//
// EACCES: the file is another user's, and this one has no CAP_LEASE. EINVAL: the file
// system has no leases.
//
// That somebody waits the kernel tells by a signal; it is SIGURG here, which does nothing to
// who does not handle it, and of which the Go runtime sends itself many.
func Lease(fd int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETSIG, int(unix.SIGURG)); err != nil {
		return err
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK)
	return err
}

// LeaseWanted reports whether somebody waits for a lease to be given back: he is inside
// open(2).
func LeaseWanted(fd int) (bool, error) {
	kind, err := unix.FcntlInt(uintptr(fd), unix.F_GETLEASE, 0)
	return kind != unix.F_WRLCK, err
}

// EndLease gives a lease back.
func EndLease(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return err
}

// OpenDirectory opens a directory to look at it and at what is in it (O_PATH); a symbolic
// link in the last place is ENOTDIR.
func OpenDirectory(path string) (fd int, err error) {
	for {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// OpenForLease opens a name in a directory so that a lease can be taken on it: for reading,
// else for writing. It does not block, follows no symbolic link and changes nothing.
func OpenForLease(dir int, name string) (fd int, err error) {
	for _, access := range []int{unix.O_RDONLY, unix.O_WRONLY} {
		fd, err = unix.Openat(dir, name, access|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EACCES) {
			return fd, err
		}
	}
	return fd, err
}

// NameStat says which file a name in a directory is of: fstatat(2), not following a
// symbolic link.
func NameStat(dir int, name string) (device, inode uint64, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st.Dev, st.Ino, err
}

// RenameInto gives a name in a directory another one there that must be free (EEXIST).
func RenameInto(dir int, from, to string) error {
	return unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
}

// UnlinkIn removes a name in a directory.
func UnlinkIn(dir int, name string) error { return unix.Unlinkat(dir, name, 0) }

// ProcessExists reports whether there is a process with a number, in the PID namespace of
// the caller, also one that /proc does not show him.
func ProcessExists(pid int) bool {
	return pid > 0 && unix.Kill(pid, 0) != unix.ESRCH
}
