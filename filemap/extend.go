package filemap

import (
	"context"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// extend makes a file of from bytes to bytes long, with its blocks reserved unless
// sparse. When it fails, the file may be something in between.
func extend(f *os.File, from, to int64, sparse bool) error {
	if sparse || to <= from {
		return f.Truncate(to)
	}
	fd := int(f.Fd())
	// Nobody else is to find the disk full while we learn that it is not large enough.
	if space, err := sys.SpaceOf(fd); err == nil && space.Lacks(to-from) {
		return syscall.ENOSPC
	}
	at, err := fdmap.Reserve(context.Background(), fd, 0, from, to, int64(os.Getpagesize()))
	if err == syscall.EOPNOTSUPP { // of few file systems, like NFS before version 4.2
		return fill(f, at, to)
	}
	return err
}

// fill reserves blocks by writing zeros, behind the end of the file.
func fill(f *os.File, from, to int64) error {
	zeros := make([]byte, 1<<20)
	for at := from; at < to; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
