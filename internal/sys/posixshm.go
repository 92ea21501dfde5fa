package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// OpenNoFollow opens what has a name and runs no risk by it: no symbolic link is
// followed (ELOOP), a named pipe or a device does not block, no terminal becomes the
// controlling one. flags are O_RDONLY or O_RDWR. Close-on-exec.
//
// Somebody who looks whether the file is unused may hold a lease on it for some
// microseconds: that it waits for, as open without O_NONBLOCK does, but not longer than a
// second (EAGAIN).
func OpenNoFollow(path string, flags int) (fd int, err error) {
	const first, last = 50 * time.Microsecond, time.Second / 2
	for wait := first; ; {
		fd, err = unix.Open(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		switch {
		case err == unix.EAGAIN && wait <= last:
			time.Sleep(wait)
			wait *= 2
		case err != unix.EINTR:
			return fd, err
		}
	}
}

// LinkTmpfileDirectly is LinkTmpfile that needs no /proc. ENOENT without
// CAP_DAC_READ_SEARCH; since Linux 6.10 whoever opened the file may.
func LinkTmpfileDirectly(fd int, path string) error {
	return unix.Linkat(fd, "", unix.AT_FDCWD, path, unix.AT_EMPTY_PATH)
}

// MemoryTotal is sysinfo(2): the bytes of memory and swap space of the machine.
func MemoryTotal() (uint64, error) {
	var info unix.Sysinfo_t
	err := unix.Sysinfo(&info)
	return (uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit), err
}
