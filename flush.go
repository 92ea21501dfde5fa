package shmkit

import (
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// FlushMode is how Flush writes back.
type FlushMode int

// Modes of Flush.
const (
	// FlushSync writes what is dirty and returns when the device has it, together
	// with what is needed to find it again (the file's size and blocks, not its times):
	// msync(2) with MS_SYNC. What was stored before the call survives a power failure.
	// An error that the device reported for earlier writing of the file surfaces here,
	// once.
	FlushSync FlushMode = iota
	// FlushAsync makes the kernel begin to write what is dirty, and returns at once:
	// sync_file_range(2) with SYNC_FILE_RANGE_WRITE (msync(2) with MS_ASYNC does nothing
	// on Linux). It promises nothing; a FlushSync soon after has less to wait for.
	FlushAsync
	// FlushInvalidate makes what others wrote to the file visible: msync(2) with
	// MS_INVALIDATE. On Linux shared mappings and read(2) and write(2) see the same
	// pages at all times, so that there is nothing to do, but a locked range is refused
	// (EBUSY).
	FlushInvalidate
)

// Flush writes n bytes from offset off on, of any alignment, back to the file that is
// mapped, for all processes' stores to it; through a mapping of a file that was opened
// for reading alone, all of the file. On memory that no file on a device stands
// behind (System V segments, /dev/shm, memfd) there is nothing to write, and on a
// private mapping there is nothing that would go to the file: it succeeds.
//
// Neighbouring bytes on the same pages are written as well. A store that runs while
// Flush does may or may not be.
//
// Errors: EIO, ENOSPC, EDQUOT from the device; EBUSY from FlushInvalidate.
func (m *Mapping) Flush(off, n int64, mode FlushMode) error {
	return m.onPages("flush", off, n, touched, func(addr uintptr, size uint64) error {
		switch {
		case mode == FlushInvalidate:
			return sys.Msync(addr, size, sys.MS_INVALIDATE)
		case mode == FlushAsync && m.backing != nil:
			return m.backing.StartWriteback(int64(m.from)+int64(addr-m.base()), int64(size))
		case mode == FlushAsync:
			return nil
		case mode != FlushSync:
			return syscall.EINVAL
		}
		if err := msync(addr, size); err != nil {
			return err
		}
		// Of a file that was opened for reading alone the kernel makes a private mapping,
		// and msync does nothing.
		if f, ok := m.backing.(interface{ SyncUnwritable() error }); ok {
			return f.SyncUnwritable()
		}
		return nil
	})
}

func msync(addr uintptr, size uint64) error {
	for {
		if err := sys.Msync(addr, size, sys.MS_SYNC); err != syscall.EINTR {
			return err
		}
	}
}
