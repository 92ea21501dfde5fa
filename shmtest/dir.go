package shmtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// Dir returns a directory in shared memory for the names of one test, mode 0700. What is
// in it when the test ends was left behind: the test fails, and it is removed.
func Dir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			t.Errorf("left behind: %s", e.Name())
		}
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return dir
}
