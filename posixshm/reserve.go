package posixshm

import (
	"context"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// reserve makes the file system set memory aside for the bytes between two offsets.
// Without keepSize (a mode of fallocate) it makes the file as long as that. What was
// reserved before an error stays.
func reserve(f *os.File, mode int, from, to int64) error {
	if err := hasRoom(f, from, to); err != nil {
		return err
	}
	_, err := fdmap.Reserve(context.Background(), int(f.Fd()), mode, from, to, int64(os.Getpagesize()))
	return err
}

// hasRoom answers ENOSPC for the bytes between two offsets if they cannot fit, whatever of
// them the file has already. The kernel would find out by filling the file system up, and others would be
// without space meanwhile; or, on a tmpfs without a limit, by filling all memory.
func hasRoom(f *os.File, from, to int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	space, err := sys.SpaceOf(int(f.Fd()))
	if err == nil && space.Total == 0 {
		space.Free, err = sys.MemoryTotal()
		space.Total = space.Free
	}
	page := int64(os.Getpagesize())
	more := to - (from+page-1)/page*page // what is in the page before is there
	if from < info.Size() {              // of which it may have all that it has
		more -= allocated(info)
	}
	if err == nil && space.Lacks(more) {
		return syscall.ENOSPC
	}
	return nil
}

// truncate is ftruncate(2).
func truncate(f *os.File, n int64) error {
	for {
		if err := syscall.Ftruncate(int(f.Fd()), n); err != syscall.EINTR {
			return err
		}
	}
}
