package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

// kindFacts runs shmkit with all kinds and decodes the array that it prints.
func kindFacts(t testing.TB, args ...string) []facts {
	t.Helper()
	r := runKinds(t, append(args, "--json")...)
	if r.code != exitDone {
		t.Fatal(r.err)
	}
	return decode(t, r.out)
}

func TestListOfPosixObjectsIsWhatTheDirectoryHolds(t *testing.T) {
	name := testenv.Name(t)
	for i, size := range []string{"1", "4096", "100000"} {
		if r := runKinds(t, "create", fmt.Sprintf("posix:%s-%d", name, i), "--size", size); r.code != exitDone {
			t.Fatal(r.err)
		}
	}
	if err := os.Mkdir("/dev/shm/"+name, 0o700); err != nil { // is none
		t.Fatal(err)
	}
	listed := map[string]facts{}
	for _, f := range kindFacts(t, "ls", "posix") {
		if strings.HasPrefix(f.s("name"), "/"+name) {
			listed[f.s("name")] = f
		}
	}
	if len(listed) != 3 {
		t.Errorf("%d of 3 are listed", len(listed))
	}
	for objName, f := range listed {
		sameAsStat(t, f, "/dev/shm"+objName)
		stat := kindFacts(t, "stat", "posix:"+objName)[0]
		sameAsStat(t, stat, "/dev/shm"+objName)
		for key, v := range steady(f) {
			if fmt.Sprint(stat[key]) != fmt.Sprint(v) {
				t.Errorf("%s: %s is %v in the list and %v in stat", objName, key, v, stat[key])
			}
		}
		if r := runKinds(t, "rm", "posix:"+objName); r.code != exitDone {
			t.Error(r.err)
		}
	}
	// And the other way round, for what exists before and after.
	before := regularFiles(t)
	var seen []string
	for _, f := range kindFacts(t, "ls", "posix") {
		seen = append(seen, strings.TrimPrefix(f.s("name"), "/"))
	}
	after := regularFiles(t)
	for _, name := range before {
		if slices.Contains(after, name) && !slices.Contains(seen, name) {
			t.Errorf("%s is not listed", name)
		}
	}
}

// steady is what is known of an object without what every process that begins or ends changes, if
// not all processes let this user look.
func steady(f facts) facts {
	same := maps.Clone(f)
	for _, key := range []string{"users_hidden", "processes_hidden", "in_use_why", "locked", "huge"} {
		delete(same, key)
	}
	return same
}

// steadyList is all that ls tells, but for that.
func steadyList(t testing.TB) (all []facts) {
	t.Helper()
	for _, f := range ours(t, "ls") {
		all = append(all, steady(f))
	}
	return all
}

func timeText(ts syscall.Timespec) string {
	return time.Unix(ts.Unix()).Local().Format("2006-01-02 15:04:05")
}

func regularFiles(t testing.TB) (names []string) {
	t.Helper()
	for _, e := range folder(t, "/dev/shm") {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names
}

// sameAsStat compares what was told of a file with stat(2).
func sameAsStat(t testing.TB, f facts, path string) {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{
		"size": st.Size, "allocated": st.Blocks * 512, "owner_uid": int64(st.Uid), "group_gid": int64(st.Gid),
	} {
		if got := f.n(t, name); got != want {
			t.Errorf("%s: %s is %d, stat(2) says %d", path, name, got, want)
		}
	}
	if got, want := f.s("mode"), fmt.Sprintf("%04o", st.Mode&0o777); got != want {
		t.Errorf("%s: mode %s, stat(2) says %s", path, got, want)
	}
	for name, ts := range map[string]syscall.Timespec{"modify_time": st.Mtim, "change_time": st.Ctim} {
		if got := f.at(t, name, "2006-01-02 15:04:05", ""); !strings.HasPrefix(got, timeText(ts)) {
			t.Errorf("%s: %s is %s, stat(2) says %s", path, name, got, timeText(ts))
		}
	}
	if _, ok := f["inode"]; ok && f.n(t, "inode") != int64(st.Ino) {
		t.Errorf("%s: inode %d, stat(2) says %d", path, f.n(t, "inode"), st.Ino)
	}
}

func TestStatOfAFileIsWhatStatSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, pattern(12345), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, file+"2"); err != nil {
		t.Fatal(err)
	}
	f := kindFacts(t, "stat", "file:"+file)[0]
	sameAsStat(t, f, file)
	if f.n(t, "links") != 2 || f.s("path") != file {
		t.Errorf("%v", f)
	}
}

func TestStatShowsWhoMapsAnObject(t *testing.T) {
	onEach(t, func(t *testing.T, s site) {
		if !s.kept {
			if r := runKinds(t, "create", s.addr, "--size", "64K"); r.code != exitDone {
				t.Fatal(r.err)
			}
		}
		b := start(t, nil, "lock", s.addr)
		testenv.Eventually(t, "it is locked", func() bool { return strings.Contains(b.out.String(), "locked in memory") })
		f := kindFacts(t, "stat", s.addr)[0]
		list, _ := f["users"].([]any)
		pid := strconv.Itoa(b.cmd.Process.Pid)
		found := slices.ContainsFunc(list, func(m any) bool { return fmt.Sprint(m.(map[string]any)["pid"]) == pid })
		if !found || f.n(t, "mapped_by") < 1 {
			t.Errorf("mapped by %d, %v; want process %s", f.n(t, "mapped_by"), list, pid)
		}
		b.signal(syscall.SIGTERM)
		b.wait()
		if !s.kept {
			if r := runKinds(t, "rm", s.addr); r.code != exitDone {
				t.Error(r.err)
			}
		}
	})
}
