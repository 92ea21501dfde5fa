package inspect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
)

// Steps of a look that the machine that tests run on does not need.

// below writes a file below a directory.
func below(t *testing.T, root, name, format string, args ...any) {
	t.Helper()
	path := filepath.Join(root, name)
	ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
	ok(t, os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600))
}

// inRoot takes a snapshot of a directory that looks like /proc, for some kinds.
func inRoot(t *testing.T, root string, kinds ...string) *inspect.Snapshot {
	t.Helper()
	return take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir(), Kinds: kinds})
}

const shmHeading = "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap\n"

// A process that detaches between the walk and the kernel's count is not told of as a user.
func TestTakingASnapshotSettlesWhoIsAttached(t *testing.T) {
	root := t.TempDir()
	aProcess(t, root)
	maps := filepath.Join(root, "7/maps")
	ok(t, os.Remove(maps))
	ok(t, syscall.Mkfifo(maps, 0o600))
	once, err := os.OpenFile(maps, os.O_RDWR, 0) // what was read of it is there no more
	ok(t, err)
	defer once.Close()
	_, err = once.WriteString("7f0000000000-7f0000001000 rw-s 00000000 00:01 5 /SYSV00000000 (deleted)\n")
	ok(t, err)
	below(t, root, "sysvipc/shm", shmHeading+"0 5 600 4096 1 1 0 0 0 0 0 0 0 0 0 0\n")
	o := only(t, inRoot(t, root, "sysv"), segments(5))
	if len(o.Users) != 0 || o.Use != inspect.Unused {
		t.Errorf("%+v", o)
	}
}

// Root is shown all processes, however /proc is mounted; others are not even told that there are more.
func TestAProcThatHidesProcessesHidesNoneFromRoot(t *testing.T) {
	path, _ := shmFile(t)
	for _, option := range []string{"hidepid=2", "hidepid=invisible", "hidepid=4", "hidepid=ptraceable", "hidepid=0", "rw"} {
		root := t.TempDir()
		aProcess(t, root)
		below(t, root, "self/mountinfo", "1 1 0:5 / %s rw - proc proc rw,%s\n", root, option)
		o := only(t, take(t, &inspect.Options{Proc: root, Kinds: []string{"posix"}}), inode("posix", statOf(t, path).Ino))
		hides := os.Geteuid() != 0 && option != "hidepid=0" && option != "rw"
		if hides != (o.Use == inspect.Unknown) || hides != strings.Contains(o.UseWhy, option) {
			t.Errorf("%s: %v: %s", option, o.Use, o.UseWhy)
		}
	}
}

// A process may have come into this namespace with what it had attached in another one.
func TestASegmentThatIsNotInTheTableIsOfAnotherNamespace(t *testing.T) {
	root := t.TempDir()
	aProcess(t, root)
	for _, p := range []string{"/self", "/7"} {
		ok(t, os.MkdirAll(root+p+"/ns", 0o700))
		ok(t, os.Symlink("ipc:[4026531839]", root+p+"/ns/ipc"))
	}
	below(t, root, "sysvipc/shm", shmHeading)
	below(t, root, "7/maps", "7f0000000000-7f0000001000 rw-s 00000000 00:01 5 /SYSV00000000 (deleted)\n")
	all := listed(t, inRoot(t, root, "sysv"), segments(5))
	if len(all) != 1 || all[0].Segment.Namespace == 0 || all[0].Segment.Namespace == 4026531839 || all[0].Address != "map:7/7f0000000000" {
		t.Errorf("%+v", all)
	}
}

func TestTheLastToUseAQueueIsWhoCameLater(t *testing.T) {
	root := t.TempDir()
	aProcess(t, root)
	below(t, root, "sysvipc/msg", "key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime\n"+
		"0 1 600 0 0 11 22 0 0 0 0 100 200 1\n0 2 600 0 0 11 22 0 0 0 0 200 100 1\n")
	s := inRoot(t, root, "msg")
	for address, want := range map[string]int{"msg:id=1": 22, "msg:id=2": 11} {
		if o, err := s.Object(address); err != nil || o.LastPID != want {
			t.Errorf("%s: %d, %v; expected %d", address, o.LastPID, err, want)
		}
	}
}

func TestAKernelThatDoesNotTellWhatIsResidentIsNotTakenForZero(t *testing.T) {
	root := t.TempDir()
	aProcess(t, root)
	below(t, root, "sysvipc/shm", "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime\n0 5 600 4096 1 1 0 0 0 0 0 0 0 0\n")
	o := only(t, inRoot(t, root, "sysv"), segments(5))
	if o.Resident.Unknown == "" || o.Swapped.Unknown == "" || o.Allocated.Unknown == "" || o.Dirty.Unknown != "" {
		t.Errorf("%+v", o)
	}
}

func TestALockThatNoMemberHasMayStillBeOpen(t *testing.T) {
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	m, err := pshared.OpenMutex("x", &pshared.Options{Dir: dir, Persistent: true})
	ok(t, err)
	ok(t, m.Close())
	root := t.TempDir()
	aProcess(t, root)
	look := func(address string) inspect.Object {
		t.Helper()
		o, err := take(t, &inspect.Options{Proc: root, Dir: dir}).Object(address)
		ok(t, err)
		return o
	}
	if o := look("lock:x"); o.Use != inspect.Unused {
		t.Errorf("%v: %s", o.Use, o.UseWhy)
	}
	ok(t, os.Symlink(filepath.Join(dir, "lock.x"), filepath.Join(root, "7/fd/3")))
	if o := look("lock:x"); o.Use != inspect.Used || !strings.Contains(o.UseWhy, "no lifeline") {
		t.Errorf("with a process that has it open: %v: %s", o.Use, o.UseWhy)
	}
	// Whether what is broken has members cannot be known, though all processes are seen.
	below(t, dir, "queue.nonsense", "%s", strings.Repeat("nonsense", 1000))
	if o := look("queue:nonsense"); o.Use != inspect.Unknown || !strings.Contains(o.UseWhy, "members are not known") {
		t.Errorf("of what is no object: %v: %s", o.Use, o.UseWhy)
	}
}
