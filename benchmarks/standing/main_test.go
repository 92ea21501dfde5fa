package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	if waits() {
		return
	}
	testenv.Main(m, nil)
}

// TestItMeasures: all of it runs, and leaves nothing.
func TestItMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 700 MiB, and some seconds")
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < 1<<30 {
		t.Skipf("/dev/shm has less room than the 1 GiB that it takes: %v", err)
	}
	if err := measure(10*time.Millisecond, 1, 60); err != nil {
		t.Fatal(err)
	}
}
