package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// shmDir is where named shared memory lives.
const shmDir = "/dev/shm"

// namesMade numbers the names of this process.
var namesMade atomic.Uint64

// namePrefix starts every name this process gives out, and no other's.
func namePrefix() string { return fmt.Sprintf("shmkit-test-%d-", os.Getpid()) }

// Name returns a name for a file or folder directly in /dev/shm, without the
// slash, that nothing uses. When the test ends it is removed with everything in
// it. Anything else whose name starts with it belongs to the test as well, and is
// reported as a leak unless the test removes it.
func Name(t testing.TB) string {
	t.Helper()
	for {
		name := fmt.Sprintf("%s%d", namePrefix(), namesMade.Add(1))
		path := filepath.Join(shmDir, name)
		_, err := os.Lstat(path)
		if err == nil {
			continue // an earlier test process with this pid was killed
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		})
		return name
	}
}

// ownNames lists the names in /dev/shm that this process gave out.
func ownNames() ([]string, error) {
	entries, err := os.ReadDir(shmDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var own []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), namePrefix()) {
			own = append(own, e.Name())
		}
	}
	return own, nil
}
