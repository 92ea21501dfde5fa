package sys

import "golang.org/x/sys/unix"

// OpenPath opens what stands at a path without opening its content (O_PATH), so that
// nothing happens to a device or pipe that stands there: it serves to look at it, and
// to Reopen it. With nofollow a symbolic link in the last place is opened itself.
func OpenPath(path string, nofollow bool) (fd int, err error) {
	flags := unix.O_PATH | unix.O_CLOEXEC
	if nofollow {
		flags |= unix.O_NOFOLLOW
	}
	for {
		fd, err = unix.Open(path, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// SeekData returns the first offset from off on that is not in a hole of the file:
// lseek(2) with SEEK_DATA. ENXIO: there is none. It moves the position of the
// descriptor.
func SeekData(fd int, off int64) (int64, error) { return unix.Seek(fd, off, unix.SEEK_DATA) }

// SeekHole returns the first offset from off on that is in a hole, of which there is one
// at the end of every file: lseek(2) with SEEK_HOLE. ENXIO: off is behind the end.
func SeekHole(fd int, off int64) (int64, error) { return unix.Seek(fd, off, unix.SEEK_HOLE) }

// Space is the bytes of a file system.
type Space struct {
	Total     uint64 // 0: it has no limit of its own, as a tmpfs mounted with size=0
	Free      uint64
	Available uint64 // Free, less what is set aside for a privileged user
}

// Lacks reports whether n bytes cannot fit. Of what has no limit it does not know.
func (s Space) Lacks(n int64) bool { return s.Total > 0 && n > 0 && uint64(n) > s.Free }

// SpaceOf is fstatfs(2): the space of the file system that a descriptor's file is on.
func SpaceOf(fd int) (Space, error) {
	var st unix.Statfs_t
	for {
		if err := unix.Fstatfs(fd, &st); err != unix.EINTR {
			block := uint64(st.Bsize)
			return Space{st.Blocks * block, st.Bfree * block, st.Bavail * block}, err
		}
	}
}
