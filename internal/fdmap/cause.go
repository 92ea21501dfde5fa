package fdmap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// Cause implements vm.Backing: what keeps a page from being supplied is the end of the
// file, a file system without room, or the device.
func (w *window) Cause(off int64) error {
	// A pointer that outlived its mapping may fault while the file is being closed.
	if !w.file.tryRetain() {
		return nil
	}
	defer w.file.release()
	f := w.file.f
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	at := w.off + off
	if at-at%int64(w.page) >= info.Size() {
		return truncated(info.Size(), at)
	}
	magic, _, _, err := sys.FileSystem(int(f.Fd()))
	if err != nil || magic == sys.HUGETLBFS_MAGIC {
		return nil
	}
	if err := readable(f, min(at, info.Size()-1)); err != nil {
		return unreadable(at, err)
	}
	if space, err := sys.SpaceOf(int(f.Fd())); err == nil && space.Total > 0 && space.Available == 0 {
		return shmkit.ErrNoSpace
	}
	if magic == sys.TMPFS_MAGIC { // there is no device
		return nil
	}
	return shmkit.ErrIO
}

func truncated(size, at int64) error {
	return fmt.Errorf("%w: it has %d bytes now, and this is byte %d", shmkit.ErrTruncated, size, at)
}

func unreadable(at int64, err error) error {
	return fmt.Errorf("%w: reading byte %d answers %w", shmkit.ErrIO, at, err)
}

// readable tells why a byte cannot be read by another way than the mapping.
func readable(f *os.File, at int64) error {
	var b [1]byte
	_, err := f.ReadAt(b[:], at)
	var errno syscall.Errno
	if errors.Is(err, io.EOF) || !errors.As(err, &errno) || errno == syscall.EBADF {
		return nil
	}
	return errno
}
