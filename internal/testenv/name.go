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

// NamedAfter lists the paths of what was made in /dev/shm under a name that begins with prefix: there itself, and as
// objects of shmkit in the directory of a user.
func NamedAfter(prefix string) ([]string, error) {
	return namedAfter(shmDir, prefix)
}

func namedAfter(dir, prefix string) ([]string, error) {
	var found []string
	for _, pattern := range []string{prefix + "*", "shmkit-*/*." + prefix + "*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		found = append(found, paths...)
	}
	return found, nil
}

// ownNames lists the names in /dev/shm that this process gave out, and what is called after them in the directories of
// objects: without /dev/shm.
func ownNames() ([]string, error) {
	paths, err := NamedAfter(namePrefix())
	for i, p := range paths {
		paths[i] = strings.TrimPrefix(p, shmDir+"/")
	}
	return paths, err
}
