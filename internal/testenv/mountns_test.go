package testenv_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMountsInAPrivateNamespaceAreNotSeenOutside(t *testing.T) {
	const dir = "/dev/shm"
	if !testenv.InPrivateMount(t) {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err == nil && st.Blocks*uint64(st.Bsize) == 64<<10 {
			t.Error("the mount is to be seen outside")
		}
		return
	}
	testenv.MountTmpfs(t, dir, 64<<10)
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if size := st.Blocks * uint64(st.Bsize); size != 64<<10 {
		t.Errorf("%d bytes", size)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v in a new file system, %v", entries, err)
	}
}
