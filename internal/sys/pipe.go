package sys

import "golang.org/x/sys/unix"

// PipeBytes is how many bytes fit into a pipe, 0 if the descriptor is none (fcntl(F_GETPIPE_SZ)).
func PipeBytes(fd int) int64 {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return 0
	}
	return int64(n)
}
