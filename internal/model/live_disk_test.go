package model

import (
	"os"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

// diskDir returns a folder for files on disk, and whether it is on ext4. What others do
// with the half page at the end of a file and with holes was not compared, and on tmpfs
// nothing is ever written back.
func diskDir(t testing.TB) (dir string, ext4 bool) {
	t.Helper()
	dir = t.TempDir()
	if onExt4(t, dir) {
		return dir, true
	}
	other, err := os.MkdirTemp("/var/tmp", "shmkit-test-")
	if err != nil {
		return dir, false
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(other); err != nil {
			t.Error(err)
		}
	})
	return other, onExt4(t, other)
}

func onExt4(t testing.TB, dir string) bool {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	magic, _, _, err := sys.FileSystem(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return magic == sys.EXT4_MAGIC
}
