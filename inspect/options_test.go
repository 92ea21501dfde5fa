package inspect_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
)

func TestAKindThatThereIsNotIsAnError(t *testing.T) {
	s, err := inspect.Take(ctx(), &inspect.Options{Kinds: []string{"sysv", "shm"}})
	if s != nil || err == nil || !strings.Contains(err.Error(), `"shm"`) || !strings.Contains(err.Error(), "posix") {
		t.Errorf("%v", err)
	}
}

// What was not looked for is not said to be missing.
func TestAnObjectOfAKindThatWasNotWantedIsNotMissing(t *testing.T) {
	seg := newSegment(t)
	s := take(t, &inspect.Options{Kinds: []string{"posix"}})
	for _, address := range []string{fmt.Sprintf("sysv:id=%d", seg.ID()), "sem:1", "msg:1"} {
		if _, err := s.Object(address); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "Kinds") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestASlashBehindADirectoryChangesNothing(t *testing.T) {
	path, name := shmFile(t)
	holder, _ := says(t, "holds", path)
	o := only(t, take(t, &inspect.Options{Proc: "/proc/", Shm: "/dev/shm/"}), inode("posix", statOf(t, path).Ino))
	if o.Address != "posix:/"+name || o.Path != path {
		t.Errorf("%+v", o)
	}
	wantPIDs(t, &o, holder)
}

func TestAProcessMayBeCalledSelf(t *testing.T) {
	path, _ := shmFile(t)
	m := startMapper(t, "shared", path)
	s := take(t, nil)
	o, err := s.Object(fmt.Sprintf("map:%d/%x", m.Pid(), m.addr))
	ok(t, err)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	ok(t, err)
	defer f.Close()
	here := mapHere(t, int(f.Fd()), uint64(page), sys.MAP_SHARED)
	s = take(t, nil)
	own, err := s.Object(fmt.Sprintf("map:self/%x", here))
	ok(t, err)
	if own.ID != o.ID || own.Address != o.Address || os.Getpid() == m.Pid() {
		t.Errorf("%+v, and by another process %+v", own, o)
	}
}

func TestABadAddressIsNamedOnce(t *testing.T) {
	_, err := take(t, nil).Object("nosuch:x")
	if err == nil || strings.Count(err.Error(), "nosuch:x") != 1 {
		t.Errorf("%v", err)
	}
}

// In a PID namespace others are not even counted: nobody seen does not mean nobody.
func TestWhoSeesNotAllProcessesKnowsNotThatNothingIsUsed(t *testing.T) {
	path, _ := shmFile(t)
	is := inode("posix", statOf(t, path).Ino)
	for namespace, want := range map[string]inspect.Use{"pid:[4026531836]": inspect.Unused, "pid:[4026539999]": inspect.Unknown} {
		root := t.TempDir()
		ok(t, os.MkdirAll(root+"/self/ns", 0o700))
		ok(t, os.Symlink(namespace, root+"/self/ns/pid"))
		aProcess(t, root)
		o := only(t, take(t, &inspect.Options{Proc: root, Kinds: []string{"posix"}}), is)
		if o.Use != want || (want == inspect.Unknown) != strings.Contains(o.UseWhy, "PID namespace") {
			t.Errorf("%s: %v: %s", namespace, o.Use, o.UseWhy)
		}
	}
}

// For ever the kernel calls a file by the number it was made with, that was given its name when it was whole.
func TestAFileThatGotItsNameLaterIsCalledByIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made")
	f, err := filemap.Create(path, int64(page), nil)
	ok(t, err)
	defer f.Close()
	is := inode("file", statOf(t, path).Ino)
	o := only(t, take(t, nil), is)
	if o.Address != "file:"+path || o.Path != path || o.Name != "" || o.Removed || len(o.Users) != 1 || len(o.Users[0].Descriptors) == 0 {
		t.Errorf("%+v", o)
	}
	p, err := inspect.MappingsOf(os.Getpid(), nil)
	ok(t, err)
	if !slices.ContainsFunc(p.Mappings, func(m inspect.Mapping) bool { return m.Object == "file:"+path }) {
		t.Error("no mapping is of it")
	}
	ok(t, os.Remove(path))
	if o := only(t, take(t, nil), is); !o.Removed || o.Path != "" {
		t.Errorf("without it: %+v", o)
	}
}

// aProcess makes what looks like a process that uses nothing.
func aProcess(t *testing.T, root string) {
	t.Helper()
	ok(t, os.MkdirAll(root+"/7/fd", 0o700))
	ok(t, os.WriteFile(root+"/7/maps", []byte("7f0000000000-7f0000001000 rw-p 00000000 00:00 0\n"), 0o600))
	ok(t, os.WriteFile(root+"/7/comm", []byte("idle\n"), 0o600))
}

// Where /proc is not mounted there are processes all the same.
func TestWhereNoProcessIsSeenNothingIsUnused(t *testing.T) {
	path, _ := shmFile(t)
	o := only(t, take(t, &inspect.Options{Proc: t.TempDir(), Kinds: []string{"posix"}}), inode("posix", statOf(t, path).Ino))
	if o.Use != inspect.Unknown || !strings.Contains(o.UseWhy, "mounted") {
		t.Errorf("%v: %s", o.Use, o.UseWhy)
	}
}

// A segment of a container has no number here, but its key is known.
func TestASegmentOfAnotherNamespaceHasItsKey(t *testing.T) {
	root := t.TempDir()
	aProcess(t, root)
	for _, p := range []string{"/self", "/7"} {
		ok(t, os.MkdirAll(root+p+"/ns", 0o700))
		ok(t, os.Symlink("ipc:["+map[string]string{"/self": "4026531839", "/7": "4026532180"}[p]+"]", root+p+"/ns/ipc"))
	}
	ok(t, os.MkdirAll(root+"/sysvipc", 0o700))
	ok(t, os.WriteFile(root+"/sysvipc/shm", nil, 0o600))
	ok(t, os.WriteFile(root+"/7/maps", []byte("7f0000000000-7f0000001000 rw-s 00000000 00:01 5 /SYSV01aa0001 (deleted)\n"), 0o600))
	all := listed(t, take(t, &inspect.Options{Proc: root, Kinds: []string{"sysv"}}), segments(5))
	if len(all) != 1 || all[0].Key != 0x1aa0001 || all[0].Segment.Namespace != 4026532180 {
		t.Errorf("%+v", all)
	}
}
