package model

import (
	"fmt"
	"syscall"

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
var adviceBits = map[Flags]int{
	"normal": sys.MADV_NORMAL, "random": sys.MADV_RANDOM, "sequential": sys.MADV_SEQUENTIAL, "willneed": sys.MADV_WILLNEED,
	"dontneed": sys.MADV_DONTNEED, "dontneed-locked": sys.MADV_DONTNEED_LOCKED, "free": sys.MADV_FREE, "remove": sys.MADV_REMOVE,
	"dontfork": sys.MADV_DONTFORK, "dofork": sys.MADV_DOFORK, "dontdump": sys.MADV_DONTDUMP, "dodump": sys.MADV_DODUMP,
	"populate-read": sys.MADV_POPULATE_READ, "populate-write": sys.MADV_POPULATE_WRITE,
	"guard-install": sys.MADV_GUARD_INSTALL, "guard-remove": sys.MADV_GUARD_REMOVE,
}

// bits turns names into the kernel's number.
func bits(f Flags) int {
	n := 0
	for _, name := range f.list() {
		bit, ok := flagBits[name]
		if !ok {
			panic(fmt.Sprintf("no number for the flag %q", name))
		}
		n |= bit
	}
	return n
}

// adviceOf is the number of an advice; -1 is none that the kernel knows.
func adviceOf(f Flags) int {
	if n, ok := adviceBits[f]; ok {
		return n
	}
	return -1
}

func openFlags(f Flags) int {
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

// keyOf is the key that scripts call 1, 2, … The namespace is the test's own, so any
// number will do. 0 is IPC_PRIVATE.
func keyOf(n int) int32 {
	if n == 0 {
		return 0
	}
	return int32(0x5eed0000 + n)
}
