package object

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A file system that has room for one of two files, or for less, is left as it was.
func TestAFullTmpfsOfTwoFiles(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	path := t.TempDir()
	testenv.MountTmpfs(t, path, 128<<10)
	t.Setenv(EnvDir, path)
	d := ChooseDir("")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	var empty syscall.Statfs_t
	if err := syscall.Statfs(path, &empty); err != nil {
		t.Fatal(err)
	}
	unchanged := func(what string) {
		t.Helper()
		var now syscall.Statfs_t
		if err := syscall.Statfs(path, &now); err != nil || now.Bfree != empty.Bfree || empty.Files-empty.Ffree != now.Files-now.Ffree {
			t.Errorf("%s: %d blocks are free, were %d; %d files, were %d (%v)", what,
				now.Bfree, empty.Bfree, now.Files-now.Ffree, empty.Files-empty.Ffree, err)
		}
		if entries, err := os.ReadDir(path); len(entries) != 0 || err != nil {
			t.Errorf("%s: left behind: %v, %v", what, entries, err)
		}
	}
	full := func(what string, c Config) {
		t.Helper()
		o, err := Create(ctx, d, "x", c)
		if err == nil {
			closeOK(t, o)
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), EnvDir) {
			t.Errorf("%s: %v", what, err)
		}
		unchanged(what)
	}
	c := twoFiles()
	c.Annex = 1 << 20
	full("no room for the second file", c)
	c = twoFiles()
	c.BodySize = 1 << 20
	full("no room for the first", c)
	c = twoFiles()
	c.BodySize, c.Annex = 80<<10, 80<<10
	full("room for each of them", c)
	for _, more := range []uint64{0, 1} { // room for none, and for one
		used := empty.Files - empty.Ffree
		if err := syscall.Mount("tmpfs", path, "tmpfs", syscall.MS_REMOUNT|syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("nr_inodes=%d", used+more)); err != nil {
			t.Fatal(err)
		}
		full(fmt.Sprintf("inodes for %d", more), twoFiles())
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", syscall.MS_REMOUNT|syscall.MS_NOSUID|syscall.MS_NODEV, "nr_inodes=1000"); err != nil {
		t.Fatal(err)
	}
	// Until there is no room left, and each that was made is whole.
	var all []*Object
	for name := "a"; ; name += "a" {
		o, err := Create(ctx, d, name, twoFiles())
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
		_, b := annexOf(t, o, true)
		for i := range b {
			b[i] = 1
		}
	}
	if entries, err := os.ReadDir(path); err != nil || len(all) == 0 || len(entries) != 2*len(all) {
		t.Errorf("%d names of %d objects, %v", len(entries), len(all), err)
	}
	p := mustOpen(t, d, "a", twoFiles()) // which needs no room
	annexOf(t, p, true)
	closeOK(t, p)
	for _, o := range all {
		closeOK(t, o)
	}
	unchanged("in the end")
}
