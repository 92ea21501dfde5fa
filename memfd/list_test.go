package memfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// startHolder starts a process that holds memory, and returns its descriptors: of
// sealed memory, of unsealed memory, and of a pipe.
func startHolder(t *testing.T, o *testenv.StartOptions) (p *testenv.Proc, sealed, loose, pipe int) {
	t.Helper()
	p = testenv.StartWith(t, o, "holder")
	line, err := p.ReadLine()
	ok(t, err)
	_, err = fmt.Sscan(line, &sealed, &loose, &pipe)
	ok(t, err)
	return p, sealed, loose, pipe
}

func TestMemoryOfAnotherProcessIsOpened(t *testing.T) {
	p, sealed, loose, pipe := startHolder(t, nil)
	f, err := memfd.OpenPID(p.Pid(), sealed, &memfd.OpenOptions{Want: &memfd.Want{Seals: memfd.SealShrink | memfd.SealGrow, Size: 5000}})
	ok(t, err)
	closing(t, f)
	b := make([]byte, 5)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "hello" || f.Name() != "held, sealed" {
		t.Errorf("%v reads %q, %v", f, b, err)
	}
	if closed, err := sys.CloseOnExec(number(f)); err != nil || !closed {
		t.Errorf("close-on-exec: %t, %v", closed, err)
	}
	mapped(t, f, nil)
	reader, err := memfd.OpenPID(p.Pid(), sealed, &memfd.OpenOptions{ReadOnly: true})
	ok(t, err)
	closing(t, reader)
	_, err = reader.Map(nil)
	wantError(t, err, syscall.EACCES)

	before := openCount(t)
	_, err = memfd.OpenPID(p.Pid(), loose, nil)
	wantError(t, err, memfd.ErrUnsealed, fmt.Sprintf("open memfd:%d/%d", p.Pid(), loose), "it lacks shrink")
	_, err = memfd.OpenPID(p.Pid(), pipe, nil)
	wantError(t, err, memfd.ErrNotMemfd, "it is pipe:[")
	_, err = memfd.OpenPID(p.Pid(), 987, nil)
	wantError(t, err, fs.ErrNotExist, "the process has no such descriptor")
	for _, pid := range []int{0, -1, 1 << 30} {
		_, err = memfd.OpenPID(pid, 3, nil)
		wantError(t, err, fs.ErrNotExist, "there is no such process")
	}
	if n := openCount(t); n != before {
		t.Errorf("%d descriptors more than before", n-before)
	}
	any, err := memfd.OpenPID(p.Pid(), loose, &memfd.OpenOptions{Want: &memfd.Want{Seals: memfd.NoSeals}})
	ok(t, err)
	closing(t, any)
	if any.Name() != "held: loose (deleted)" {
		t.Errorf("it is called %q", any.Name())
	}

	// It outlives the process.
	p.Kill()
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "hello" {
		t.Errorf("after the process it reads %q, %v", b, err)
	}
}

func TestMemoryOfAnotherUserIsNotOpened(t *testing.T) {
	if os.Geteuid() == 0 {
		testenv.Nobody(t)
		t.Run("in a process without privileges", func(t *testing.T) { rerunAsNobody(t, "TestMemoryOfAnotherUserIsNotOpened") })
		return
	}
	_, err := memfd.OpenPID(1, 0, nil)
	if err == nil || errors.Is(err, memfd.ErrNotMemfd) {
		t.Skip("process 1 is this user's own")
	}
	wantError(t, err, fs.ErrPermission, "open memfd:1/0", "descriptors of that process are its own")
	_, hidden, err := memfd.List()
	if err != nil || hidden == 0 {
		t.Errorf("%d processes are hidden, %v", hidden, err)
	}
}

// rerunAsNobody runs one test of this binary as another user.
func rerunAsNobody(t *testing.T, test string) {
	t.Helper()
	path := filepath.Join("/dev/shm", testenv.Name(t)) // where that user may execute it
	program, err := os.ReadFile("/proc/self/exe")
	ok(t, err)
	ok(t, os.WriteFile(path, program, 0o755))
	cmd := exec.Command(path, "-test.run=^"+test+"$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: testenv.Nobody(t)}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = testenv.RunCommand(cmd)
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("/dev/shm is mounted noexec: %v", err)
	}
	if err != nil || strings.Contains(out.String(), "--- SKIP") {
		t.Errorf("as nobody: %v\n%s", err, out.String())
	}
}

func TestListFindsTheMemoryOfOtherProcesses(t *testing.T) {
	p, sealed, loose, pipe := startHolder(t, nil)
	all, _, err := memfd.List()
	ok(t, err)
	found := map[int]memfd.Info{}
	for _, i := range all {
		if i.PID == p.Pid() {
			found[i.FD] = i
		}
	}
	if len(found) != 2 {
		t.Errorf("process %d has %v; its pipe is %d", p.Pid(), found, pipe)
	}
	page := int64(pageSize)
	a, b := found[sealed], found[loose]
	base := baseSeals(t)
	want := memfd.Info{PID: p.Pid(), FD: sealed, Name: "held, sealed", Visible: true, Device: a.Device, Inode: a.Inode, Size: 5000,
		Allocated: (5000 + page - 1) / page * page, PageSize: pageSize, Mode: 0o600, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
		Modified: a.Modified, Seals: memfd.SealShrink | memfd.SealGrow | base, SealsVisible: true}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	want = memfd.Info{PID: p.Pid(), FD: loose, Name: "held: loose (deleted)", Visible: true, Device: a.Device, Inode: b.Inode, Size: 100,
		PageSize: pageSize, Mode: 0o640, UID: want.UID, GID: want.GID, Modified: b.Modified, Seals: base, SealsVisible: true}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
	if a.Inode == 0 || a.Inode == b.Inode || a.Device == 0 || a.Modified.IsZero() {
		t.Errorf("%+v and %+v", a, b)
	}
	// The same memory has the same inode in every process.
	f, err := memfd.OpenPID(p.Pid(), sealed, nil)
	ok(t, err)
	closing(t, f)
	if i, err := f.Stat(); err != nil || i.Inode != a.Inode || i.Device != a.Device || i.FD == 0 {
		t.Errorf("opened here: %+v, %v", i, err)
	}
}

// Processes come and go while they are listed.
func TestListBearsVanishingProcesses(t *testing.T) {
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			f, err := memfd.Create("short-lived", 1, 0)
			if err == nil {
				cmd := exec.Command("/bin/true")
				_, err = memfd.Pass(cmd, "x", f)
				err = errors.Join(err, cmd.Run(), f.Close())
			}
			if err != nil {
				<-stop
				done <- err
				return
			}
		}
	}()
	for range 50 {
		if _, _, err := memfd.List(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	ok(t, <-done)
}

// A made-up /proc: what can be told from the names alone.
func TestListInReadsAnyRoot(t *testing.T) {
	root := t.TempDir()
	link := func(path, target string) {
		path = filepath.Join(root, path)
		ok(t, os.MkdirAll(filepath.Dir(path), 0o755))
		ok(t, os.Symlink(target, path))
	}
	link("10/fd/0", "/dev/null")
	link("10/fd/12", "/memfd:twelve (deleted)")
	link("10/fd/3", "/memfd:three (deleted)")
	link("10/fd/4", "pipe:[3]")
	link("10/fd/5", "/memfd:no end")
	link("10/fd/6", "/tmp/memfd:x (deleted)")
	link("10/fd/007", "/memfd:no number (deleted)")
	link("10/fd/-1", "/memfd:no number (deleted)")
	link("9/fd/1", "/memfd: (deleted)")
	link("9/fd/2", "/memfd:a (deleted) (deleted)")
	link("self/fd/1", "/memfd:x (deleted)")
	link("9x/fd/1", "/memfd:x (deleted)")
	link("11/exe", "/bin/true") // no fd: it ended
	ok(t, os.WriteFile(filepath.Join(root, "12"), nil, 0o600))
	all, hidden, err := memfd.ListIn(root)
	ok(t, err)
	want := []memfd.Info{{PID: 9, FD: 1}, {PID: 9, FD: 2, Name: "a (deleted)"}, {PID: 10, FD: 3, Name: "three"}, {PID: 10, FD: 12, Name: "twelve"}}
	if diff := cmp.Diff(want, all); diff != "" || hidden != 0 {
		t.Errorf("%d hidden\n%s", hidden, diff)
	}
	_, _, err = memfd.ListIn(filepath.Join(root, "nothing"))
	wantError(t, err, fs.ErrNotExist, "list memfds in")
}
