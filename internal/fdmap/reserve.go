package fdmap

import (
	"context"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// How much is reserved in one system call, in bytes. Where a signal interrupts the call
// (on tmpfs of many kernels; of 6.18 it was not seen to), it gives back all it did, and a
// profiled program has a signal every 10 ms: a call must come to its end between two of
// them. 64 MiB took 5 ms where this was measured, and several times that when the
// machine was busy; where that is too long it gets down by halves.
const (
	reserveMost  = 64 << 20
	reserveLeast = 64 << 10
)

// reserveUnasked is how much memory is tried without asking whether there is that much.
const reserveUnasked = 64 << 20

// fallocate is fallocate(2); tests make it one that is interrupted.
var fallocate = sys.Fallocate

// memoryAvailable is how much memory there is; tests make it less.
var memoryAvailable = sys.MemoryAvailable

// Reserve makes the file system set memory aside for the bytes between two offsets of a
// file, so that no touch of them can fault for want of it. With mode 0 the file becomes as
// long as that, with FALLOC_FL_KEEP_SIZE it does not. page is the size of its pages, in
// bytes: huge ones go as a whole. What was reserved before an error, or the end of ctx,
// stays: it reaches up to there.
//
// Whoever calls it has asked before whether the file system has room, where nobody else is
// to be without meanwhile. Of memory, which a memfd and a tmpfs are made of, more than the
// machine has is ENOMEM, and nothing is reserved: the kernel does not ask, but goes on
// taking until it has to kill somebody. A limit of the process's control group is not asked
// for.
func Reserve(ctx context.Context, fd, mode int, from, to, page int64) (reached int64, err error) {
	if lacksMemory(fd, from, to) {
		return from, syscall.ENOMEM
	}
	least := max(reserveLeast, page)
	for step := max(reserveMost, page); from < to; {
		if err := ctx.Err(); err != nil {
			return from, err
		}
		n := min(step, to-from)
		switch err := fallocate(fd, mode, from, n); err {
		case nil:
			from += n
		case syscall.EINTR:
			step = max(step/2/page*page, least)
		default:
			return from, err
		}
	}
	return from, nil
}

// lacksMemory reports whether a file is made of memory of which the machine has not enough
// for the bytes between two offsets, whatever of them the file has already.
func lacksMemory(fd int, from, to int64) bool {
	if to-from <= reserveUnasked {
		return false
	}
	if magic, _, _, err := sys.FileSystem(fd); err != nil || magic != sys.TMPFS_MAGIC {
		return false
	}
	more := to - from
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) == nil && from < st.Size {
		const blockSize = 512 // of st_blocks, on every file system
		more -= st.Blocks * blockSize
	}
	return more > reserveUnasked && uint64(more) > memoryAvailable()
}
