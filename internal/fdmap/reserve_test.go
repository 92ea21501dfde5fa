package fdmap

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

// A signal in the middle makes many kernels give back what they have reserved, so that
// under a profiler no large piece ever comes to its end.
func TestReservingInPiecesThatASignalLeavesTimeFor(t *testing.T) {
	const size = 70<<20 + 5
	defer func() { fallocate = sys.Fallocate }()
	for _, longest := range []int64{32 << 20, 1 << 20, 64 << 10} {
		fd, err := sys.MemfdCreate(t.Name(), sys.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "memfd")
		fallocate = func(fd, mode int, off, n int64) error {
			if n > longest {
				return syscall.EINTR
			}
			return sys.Fallocate(fd, mode, off, n)
		}
		reached, err := Reserve(context.Background(), fd, 0, 0, size, int64(os.Getpagesize()))
		info, statErr := f.Stat()
		if err != nil || statErr != nil || reached != size || info.Size() != size || info.Sys().(*syscall.Stat_t).Blocks*512 < size {
			t.Errorf("longest %d: reached %d, %+v, %v, %v", longest, reached, info, err, statErr)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReservingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer func() { fallocate = sys.Fallocate }()
	fallocate = func(int, int, int64, int64) error {
		cancel()
		return nil
	}
	reached, err := Reserve(ctx, -1, 0, 0, 1<<40, 4096)
	if !errors.Is(err, context.Canceled) || reached != reserveMost {
		t.Errorf("reached %d, %v", reached, err)
	}
}

// The kernel would take memory until it has to kill somebody.
func TestMoreMemoryThanThereIsIsNotTried(t *testing.T) {
	defer func() { fallocate, memoryAvailable = sys.Fallocate, sys.MemoryAvailable }()
	memoryAvailable = func() uint64 { return 100 << 20 }
	const page = 4096
	reserve := func(f *os.File, to int64) (int64, error) {
		return Reserve(context.Background(), int(f.Fd()), 0, 0, to, page)
	}
	fd, err := sys.MemfdCreate(t.Name(), sys.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	memory := os.NewFile(uintptr(fd), "memfd")
	defer memory.Close()
	reached, err := reserve(memory, 100<<20+1)
	info, statErr := memory.Stat()
	if !errors.Is(err, syscall.ENOMEM) || reached != 0 || statErr != nil || info.Size() != 0 {
		t.Errorf("reached %d, %v; %v, %v", reached, err, info, statErr)
	}
	// What it has already is not asked for again.
	if reached, err := reserve(memory, 1<<20); err != nil || reached != 1<<20 {
		t.Errorf("reached %d, %v", reached, err)
	}
	fallocate = func(int, int, int64, int64) error { return nil }
	if reached, err := reserve(memory, 101<<20); err != nil || reached != 101<<20 {
		t.Errorf("reached %d, %v", reached, err)
	}
	if _, err := reserve(memory, 101<<20+1); !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("a byte more: %v", err)
	}
	// A disk is not made of memory.
	disk, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if magic, _, _, err := sys.FileSystem(int(disk.Fd())); err != nil || magic == sys.TMPFS_MAGIC {
		t.Skipf("the folder for temporary files is on a tmpfs: %v", err)
	}
	if reached, err := reserve(disk, 1<<40); err != nil || reached != 1<<40 {
		t.Errorf("reached %d, %v", reached, err)
	}
}
