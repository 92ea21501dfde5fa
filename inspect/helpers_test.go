package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func ctx() context.Context { return context.Background() }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// take takes a snapshot.
func take(t testing.TB, o *inspect.Options) *inspect.Snapshot {
	t.Helper()
	s, err := inspect.Take(ctx(), o)
	ok(t, err)
	return s
}

// listed returns the objects of a snapshot that a test is about.
func listed(t testing.TB, s *inspect.Snapshot, is func(o *inspect.Object) bool) (found []inspect.Object) {
	t.Helper()
	for o, err := range s.Objects() {
		if err != nil {
			t.Errorf("%s: %v", o.Kind, err)
		}
		if is(&o) {
			found = append(found, o)
		}
	}
	return found
}

// only returns the one object that a list has of it, and that the same comes by its address.
func only(t testing.TB, s *inspect.Snapshot, is func(o *inspect.Object) bool) inspect.Object {
	t.Helper()
	all := listed(t, s, is)
	if len(all) != 1 {
		t.Fatalf("%d objects are listed, expected 1: %v", len(all), all)
	}
	o, err := s.Object(all[0].Address)
	ok(t, err)
	if o.Kind != all[0].Kind || o.ID != all[0].ID || o.Address != all[0].Address {
		t.Fatalf("%s is %s %+v by its address %s, and %s %+v in the list", all[0].Address, o.Kind, o.ID, o.Address, all[0].Kind, all[0].ID)
	}
	return o
}

// inode is a test for listed: the memory that has an inode number and a kind.
func inode(kind string, n uint64) func(*inspect.Object) bool {
	return func(o *inspect.Object) bool { return o.Kind == kind && o.ID.Inode == n }
}

// statOf is stat(2) without following links.
func statOf(t testing.TB, path string) (st syscall.Stat_t) {
	t.Helper()
	ok(t, syscall.Lstat(path, &st))
	return st
}

// fileOf makes a file of several pages in a directory, and returns its path.
func fileOf(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	ok(t, err)
	defer f.Close()
	t.Cleanup(func() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	ok(t, f.Truncate(int64(pages*page)))
	return path
}

// shmFile is fileOf in /dev/shm.
func shmFile(t testing.TB) (path, name string) {
	t.Helper()
	name = testenv.Name(t)
	return fileOf(t, "/dev/shm", name), name
}

// newSegment makes a segment, and removes it in the end.
func newSegment(t testing.TB) *sysv.Segment {
	t.Helper()
	s, err := sysv.Create(sysv.Private, int64(pages*page), 0o600)
	ok(t, err)
	t.Cleanup(func() {
		if err := s.Remove(); err != nil && !errors.Is(err, sysv.ErrRemoved) {
			t.Error(err)
		}
	})
	return s
}

// says starts a role and returns the words of the line that it says when it has what it is to have.
func says(t testing.TB, role string, args ...string) (*testenv.Proc, []string) {
	t.Helper()
	return saysWith(t, nil, role, args...)
}

func saysWith(t testing.TB, o *testenv.StartOptions, role string, args ...string) (*testenv.Proc, []string) {
	t.Helper()
	p := testenv.StartWith(t, o, role, args...)
	line, err := p.ReadLine()
	ok(t, err)
	return p, strings.Fields(line)
}

// userOf returns the user that is a process.
func userOf(t testing.TB, o *inspect.Object, pid int) inspect.User {
	t.Helper()
	i := slices.IndexFunc(o.Users, func(u inspect.User) bool { return u.PID == pid })
	if i < 0 {
		t.Fatalf("%s: process %d is none of the users %+v", o.Address, pid, o.Users)
	}
	return o.Users[i]
}

// pidsOf are the users of an object.
func pidsOf(o *inspect.Object) (pids []int) {
	for _, u := range o.Users {
		pids = append(pids, u.PID)
	}
	return pids
}

// wantPIDs compares the users of an object.
func wantPIDs(t testing.TB, o *inspect.Object, procs ...*testenv.Proc) {
	t.Helper()
	var want []int
	for _, p := range procs {
		want = append(want, p.Pid())
	}
	slices.Sort(want)
	if got := pidsOf(o); !slices.Equal(got, want) {
		t.Errorf("%s: users %v, expected %v", o.Address, got, want)
	}
}

// wantUnused compares what is said of memory that nobody uses. If there are processes that cannot be looked at, as in
// some containers even for root, that is not known.
func wantUnused(t testing.TB, s *inspect.Snapshot, o *inspect.Object) {
	t.Helper()
	want := inspect.Unused
	if s.Hidden() > 0 || strings.Contains(o.UseWhy, "are not seen") {
		want = inspect.Unknown
	}
	if o.Use != want || len(o.Users) != 0 {
		t.Errorf("%s is %v: %s, by %v; expected %v", o.Address, o.Use, o.UseWhy, pidsOf(o), want)
	}
}

// wantWriterAndReader compares what is told of an object that one process writes and locks a part of, and another
// one reads.
func wantWriterAndReader(t testing.TB, o *inspect.Object, writer, reader *testenv.Proc) {
	t.Helper()
	w, r := userOf(t, o, writer.Pid()), userOf(t, o, reader.Pid())
	size, some := uint64(pages*page), uint64(touched*page)
	if o.Use != inspect.Used || o.Err != nil || o.Size != size {
		t.Errorf("%s: %v, %s, size %d, %v", o.Address, o.Use, o.UseWhy, o.Size, o.Err)
	}
	if o.Resident.Unknown != "" || o.Resident.Bytes+o.Swapped.Bytes < some || o.Resident.Bytes > size {
		t.Errorf("%s: resident %v, swapped %v; expected %d to %d", o.Address, o.Resident, o.Swapped, some, size)
	}
	if !w.Shared || !w.Writable || w.Executable || w.Mapped != size || w.Resident.Unknown != "" || w.Resident.Bytes < some || w.Resident.Bytes > size {
		t.Errorf("%s: the writer is %+v", o.Address, w)
	}
	if !r.Shared || r.Writable || r.Executable || r.Mapped != size || r.Resident.Unknown != "" || r.Resident.Bytes > size {
		t.Errorf("%s: the reader is %+v", o.Address, r)
	}
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", w.PID))
	ok(t, err)
	if want := strings.TrimSuffix(string(command), "\n"); w.UID != uint32(os.Geteuid()) || w.Command != want {
		t.Errorf("%s: command %q of %d, expected %q of %d", o.Address, w.Command, w.UID, want, os.Geteuid())
	}
}
