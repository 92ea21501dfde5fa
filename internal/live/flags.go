package live

import (
	"fmt"
	"syscall"

	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// flagBits are the kernel's numbers for the names that scripts use. A name means the
// same in every call but those in adviceBits.
var flagBits = map[string]int{
	"shared": sys.MAP_SHARED, "private": sys.MAP_PRIVATE, "validate": sys.MAP_SHARED_VALIDATE, "anonymous": sys.MAP_ANONYMOUS,
	"noreplace": sys.MAP_FIXED_NOREPLACE, "populate": sys.MAP_POPULATE, "locked": sys.MAP_LOCKED, "noreserve": sys.MAP_NORESERVE,
	"maymove": sys.MREMAP_MAYMOVE, "fixed": sys.MREMAP_FIXED, "dontunmap": sys.MREMAP_DONTUNMAP,
	"sync": sys.MS_SYNC, "async": sys.MS_ASYNC, "invalidate": sys.MS_INVALIDATE,
	"keep": sys.FALLOC_FL_KEEP_SIZE, "punch": sys.FALLOC_FL_PUNCH_HOLE,
	"seal": sys.F_SEAL_SEAL, "shrink": sys.F_SEAL_SHRINK, "grow": sys.F_SEAL_GROW, "write": sys.F_SEAL_WRITE, "future": sys.F_SEAL_FUTURE_WRITE,
	"creat": sys.IPC_CREAT, "excl": sys.IPC_EXCL,
	"rdonly": sys.SHM_RDONLY, "rnd": sys.SHM_RND, "remap": sys.SHM_REMAP,
	"unknown": 1 << 10, // nothing knows this bit, of mmap (MAP_SHARED_VALIDATE), mremap and msync
}

// adviceBits are those of madvise.
var adviceBits = map[model.Flags]int{
	"normal": sys.MADV_NORMAL, "random": sys.MADV_RANDOM, "sequential": sys.MADV_SEQUENTIAL, "willneed": sys.MADV_WILLNEED,
	"dontneed": sys.MADV_DONTNEED, "dontneed-locked": sys.MADV_DONTNEED_LOCKED, "free": sys.MADV_FREE, "remove": sys.MADV_REMOVE,
	"dontfork": sys.MADV_DONTFORK, "dofork": sys.MADV_DOFORK, "dontdump": sys.MADV_DONTDUMP, "dodump": sys.MADV_DODUMP,
	"populate-read": sys.MADV_POPULATE_READ, "populate-write": sys.MADV_POPULATE_WRITE,
	"guard-install": sys.MADV_GUARD_INSTALL, "guard-remove": sys.MADV_GUARD_REMOVE,
}

// bits turns names into the kernel's number.
func bits(f model.Flags) int {
	n := 0
	for _, name := range f.List() {
		bit, ok := flagBits[name]
		if !ok {
			panic(fmt.Sprintf("no number for the flag %q", name))
		}
		n |= bit
	}
	return n
}

// adviceOf is the number of an advice; -1 is none that the kernel knows.
func adviceOf(f model.Flags) int {
	if n, ok := adviceBits[f]; ok {
		return n
	}
	return -1
}

func openFlags(f model.Flags) int {
	switch {
	case f.Has("path"):
		return sys.O_PATH
	case f.Has("r") && f.Has("w"):
		return syscall.O_RDWR
	case f.Has("w"):
		return syscall.O_WRONLY
	}
	return syscall.O_RDONLY
}
