package sys

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// OpenTmpfile opens a new file in a directory that has no name and goes with its
// last descriptor (O_TMPFILE), for reading and writing, close-on-exec. The umask
// applies to mode. EOPNOTSUPP on file systems that cannot, such as NFS.
func OpenTmpfile(dir string, mode uint32) (fd int, err error) {
	for {
		fd, err = unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// LinkTmpfile gives a file of OpenTmpfile a name, which must be free (EEXIST).
func LinkTmpfile(fd int, path string) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}
