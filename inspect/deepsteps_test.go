package inspect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What smaps of the users tells of memory, of a kernel that is made up. Process 7 maps the same memory twice, locked and not,
// and has copies of its own.

const (
	deepMaps = "7f0000000000-7f0000400000 rw-s 00000000 00:01 1001 /dev/zero (deleted)\n" +
		"7f0000400000-7f0000800000 rw-p 00000000 00:01 1001 /dev/zero (deleted)\n"
	deepLocked = "7f0000000000-7f0000400000 rw-s 00000000 00:01 1001 /dev/zero (deleted)\nKernelPageSize: 2048 kB\nRss: 4096 kB\n" +
		"ShmemPmdMapped: 2048 kB\nVmFlags: rd wr sh lo\n"
	deepCopies = "7f0000400000-7f0000800000 rw-p 00000000 00:01 1001 /dev/zero (deleted)\nKernelPageSize: 4 kB\nRss: 3072 kB\nAnonymous: 2048 kB\n" +
		"AnonHugePages: 2048 kB\nVmFlags: rd wr\n"
)

// deepRoot makes what looks like process 7, with these maps and smaps.
func deepRoot(t *testing.T, maps, smaps string) string {
	t.Helper()
	root := t.TempDir()
	aProcess(t, root)
	below(t, root, "7/maps", "%s", maps)
	below(t, root, "7/stat", "7 (x) S%s\n", strings.Repeat(" 1", 30))
	if smaps != "" {
		below(t, root, "7/smaps", "%s", smaps)
	}
	return root
}

// deepOf is what is told of that memory.
func deepOf(t *testing.T, root string) inspect.Object {
	t.Helper()
	o, err := inRoot(t, root, "map").Object("map:7/7f0000000000")
	ok(t, err)
	return o
}

func TestCopiesOfAProcessAreNoHugeOrLockedPartOfTheObject(t *testing.T) {
	const mib = 1 << 20
	o := deepOf(t, deepRoot(t, deepMaps, deepLocked+deepCopies))
	if u := o.Users[0]; u.Resident != (inspect.Amount{Bytes: 5 * mib}) {
		t.Errorf("resident %v", u.Resident)
	}
	if o.Huge != (inspect.Amount{Bytes: 2 * mib}) || o.Locked != (inspect.Amount{Bytes: 4 * mib}) || o.PageSize != 2*mib {
		t.Errorf("huge %v, locked %v, pages of %d", o.Huge, o.Locked, o.PageSize)
	}
}

func TestSmapsThatCannotBeReadSayWhy(t *testing.T) {
	root := deepRoot(t, deepMaps, "")
	ok(t, os.Mkdir(filepath.Join(root, "7/smaps"), 0o700)) // no file of lines
	o := deepOf(t, root)
	for what, a := range map[string]inspect.Amount{"resident": o.Users[0].Resident, "locked": o.Locked, "huge": o.Huge} {
		if !strings.Contains(a.Unknown, "directory") {
			t.Errorf("%s: %v", what, a)
		}
	}
	if os.Geteuid() == 0 {
		return // who is refused nothing
	}
	root = deepRoot(t, deepMaps, deepLocked)
	ok(t, os.Chmod(filepath.Join(root, "7/smaps"), 0))
	if o := deepOf(t, root); !strings.Contains(o.Locked.Unknown, "does not let this user look") {
		t.Errorf("%v", o.Locked)
	}
}

// Where not all processes are seen one of the others may have locked it.
func TestWhatAHiddenProcessMayHaveLockedIsNotKnown(t *testing.T) {
	const free = "7f0000000000-7f0000400000 rw-s 00000000 00:01 1001 /dev/zero (deleted)\nRss: 4096 kB\nVmFlags: rd wr sh\n"
	root := deepRoot(t, deepMaps, free)
	if o := deepOf(t, root); o.Locked != (inspect.Amount{}) || o.Huge != (inspect.Amount{}) {
		t.Errorf("all are seen: locked %v, huge %v", o.Locked, o.Huge)
	}
	if os.Geteuid() == 0 {
		t.Skip("root is hidden nothing")
	}
	below(t, root, "8/comm", "x\n")
	below(t, root, "8/maps", "")
	ok(t, os.Chmod(filepath.Join(root, "8/maps"), 0))
	if o := deepOf(t, root); o.Locked.Unknown == "" || o.Huge.Unknown == "" {
		t.Errorf("locked %v, huge %v", o.Locked, o.Huge)
	}
}

// A descriptor has nothing in page tables: smaps is not read for it.
func TestWhoOnlyHasADescriptorHasNothingResident(t *testing.T) {
	shm := t.TempDir()
	path := fileOf(t, shm, "object")
	root := t.TempDir()
	aProcess(t, root)
	ok(t, os.Symlink(path, filepath.Join(root, "7/fd/3")))
	o, err := take(t, &inspect.Options{Proc: root, Shm: shm, Dir: t.TempDir()}).Object("file:" + path)
	ok(t, err)
	u := userOf(t, &o, 7)
	if len(u.Descriptors) != 1 || u.Mapped != 0 || u.Resident != (inspect.Amount{}) || o.Locked != (inspect.Amount{}) {
		t.Errorf("%+v, locked %v", u, o.Locked)
	}
}

// The directory of another user's objects is nothing to tell of, and one that is no directory is.
func TestDirectoriesOfObjectsThatCannotBeReadAreToldOfOnlyIfThatIsOdd(t *testing.T) {
	failed := func(dir string) (errs []error) {
		t.Helper()
		root := t.TempDir()
		aProcess(t, root)
		for _, err := range take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: dir, Kinds: []string{"lock", "file"}}).Objects() {
			if err != nil {
				errs = append(errs, err)
			}
		}
		return errs
	}
	if errs := failed(filepath.Join(t.TempDir(), "none")); len(errs) != 0 {
		t.Errorf("none there: %v", errs)
	}
	if errs := failed(fileOf(t, t.TempDir(), "file")); len(errs) != 1 {
		t.Errorf("a file: %v", errs)
	}
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	below(t, dir, "messages.nobody's", "x")
	s := take(t, &inspect.Options{Dir: dir, Kinds: []string{"file", "topic"}})
	if all := listed(t, s, func(o *inspect.Object) bool { return strings.HasPrefix(o.Path, dir) }); len(all) != 1 || all[0].Kind != "file" {
		t.Errorf("what is of no topic: %v", all)
	}
}
