package inspect_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
)

// lookAsNobody is what a process of another user sees.
func lookAsNobody(t *testing.T, args ...string) (all []looked) {
	t.Helper()
	p := testenv.StartWith(t, &testenv.StartOptions{Credential: testenv.Nobody(t)}, "look", args...)
	line, err := p.ReadLine()
	ok(t, err)
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return all
}

func TestAnotherUserIsToldWhatHeCannotSee(t *testing.T) {
	credential := testenv.Nobody(t)
	path, name := shmFile(t)
	dir := filepath.Dir(path)
	mine, _ := says(t, "file", path, "w")
	address := "posix:/" + name
	all := lookAsNobody(t, dir, address)
	o := all[0]
	if o.Use != inspect.Unknown || o.Hidden == 0 || len(o.PIDs) != 0 || !strings.Contains(o.UseWhy, "did not let this user look") {
		t.Errorf("used by a process of another user: %+v", o)
	}
	if o.Resident.Unknown == "" && o.Resident.Bytes == 0 {
		t.Errorf("resident: %+v", o.Resident)
	}
	ok(t, os.Chmod(path, 0o600))
	if o := lookAsNobody(t, dir, address)[0]; o.Resident.Unknown == "" {
		t.Errorf("resident of what may not be read: %+v", o.Resident)
	}
	ok(t, os.Chmod(path, 0o644))
	theirs, _ := saysWith(t, &testenv.StartOptions{Credential: credential}, "file", path, "r")
	o = lookAsNobody(t, dir, address)[0]
	if o.Use != inspect.Used || !slices.Equal(o.PIDs, []int{theirs.Pid()}) {
		t.Errorf("used by one of its own: %+v", o)
	}

	// Root sees them all.
	whole := only(t, take(t, nil), inode("posix", statOf(t, path).Ino))
	wantPIDs(t, &whole, mine, theirs)
	if u := userOf(t, &whole, theirs.Pid()); u.UID != credential.Uid {
		t.Errorf("%+v", u)
	}
}

func TestTheKernelsCountTellsAnyUserWhetherASegmentIsUsed(t *testing.T) {
	testenv.Nobody(t)
	seg := newSegment(t)
	address := fmt.Sprintf("sysv:id=%d", seg.ID())
	if o := lookAsNobody(t, t.TempDir(), address)[0]; o.Use != inspect.Unused || o.Hidden != 0 {
		t.Errorf("%+v", o)
	}
	says(t, "segment", fmt.Sprint(seg.ID()), "w")
	o := lookAsNobody(t, t.TempDir(), address)[0]
	if o.Use != inspect.Used || len(o.PIDs) != 0 || o.Hidden == 0 || !strings.Contains(o.UseWhy, "not seen") {
		t.Errorf("%+v", o)
	}
	if o.Resident.Unknown != "" || o.Resident.Bytes < uint64(touched*page) {
		t.Errorf("resident: %+v", o.Resident)
	}
}

func TestObjectsThatMayNotBeReadSayWhy(t *testing.T) {
	testenv.Nobody(t)
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	says(t, "member", dir)
	p := testenv.StartWith(t, &testenv.StartOptions{Credential: testenv.Nobody(t), Env: []string{"SHMKIT_DIR=" + dir}}, "look", dir)
	line, err := p.ReadLine()
	ok(t, err)
	var all []looked
	ok(t, json.Unmarshal([]byte(line), &all))
	n := 0
	for _, o := range all {
		if o.Kind != "lock" && o.Kind != "queue" && o.Kind != "topic" {
			continue
		}
		n++
		if !strings.Contains(o.Err, "permission denied") || o.Use != inspect.Unknown {
			t.Errorf("%+v", o)
		}
	}
	if n != 3 {
		t.Errorf("%d objects: %+v", n, all)
	}
}

func TestHiddenProcessesAreCounted(t *testing.T) {
	testenv.Nobody(t)
	path, _ := shmFile(t)
	plain, _ := says(t, "nothing")
	headless, _ := says(t, "headless", path)
	testenv.Eventually(t, "the main thread has ended", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", headless.Pid()))
		return err != nil || len(text) == 0
	})
	all := lookAsNobody(t, t.TempDir(), "sysv:id=2147483647")
	for _, p := range []*testenv.Proc{plain, headless} {
		if !slices.Contains(all[0].HiddenPIDs, p.Pid()) {
			t.Errorf("process %d is not among the hidden %v", p.Pid(), all[0].HiddenPIDs)
		}
	}
	if name, err := os.ReadFile("/proc/2/comm"); err == nil && string(name) == "kthreadd\n" && slices.Contains(all[0].HiddenPIDs, 2) {
		t.Error("a thread of the kernel counts as hidden")
	}
	if !strings.Contains(all[0].Err, "not exist") && !strings.Contains(all[0].Err, "no such file") {
		t.Errorf("%+v", all[0])
	}
	s := take(t, nil)
	n := 0
	for _, p := range s.Processes() {
		if p.Hidden {
			n++
		}
	}
	if n != s.Hidden() {
		t.Errorf("%d processes are hidden, and %d said to be", n, s.Hidden())
	}
	if self := s.Processes(); !slices.ContainsFunc(self, func(p inspect.Process) bool {
		return p.PID == os.Getpid() && !p.Hidden && p.UID == uint32(os.Geteuid())
	}) {
		t.Errorf("this process is not among %v", self)
	}
}
