package inspect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestLookingAtAnObjectBreaksNoLease(t *testing.T) {
	path, name := shmFile(t)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	ok(t, err)
	defer f.Close()
	_, err = f.Write([]byte("x"))
	ok(t, err)
	if err := sys.Lease(int(f.Fd())); err != nil {
		t.Skipf("no lease: %v", err)
	}
	defer sys.EndLease(int(f.Fd()))
	o, err := take(t, nil).Object("posix:/" + name)
	ok(t, err)
	if !strings.Contains(o.Resident.Unknown, "lease") || o.Allocated.Bytes == 0 {
		t.Errorf("resident %v, allocated %v", o.Resident, o.Allocated)
	}
	if wanted, err := sys.LeaseWanted(int(f.Fd())); wanted || err != nil {
		t.Errorf("the lease is to be given back: %v, %v", wanted, err)
	}
}

func TestAnObjectWithHolesIsNotFilled(t *testing.T) {
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ok(t, os.WriteFile(filepath.Join(dir, "lock.holes"), nil, 0o600))
	ok(t, os.Truncate(filepath.Join(dir, "lock.holes"), 1<<20))
	ok(t, os.WriteFile(filepath.Join(dir, "queue.nonsense"), make([]byte, 1<<16), 0o600))
	s := take(t, &inspect.Options{Dir: dir})
	o, err := s.Object("lock:holes")
	ok(t, err)
	if o.Err == nil || !strings.Contains(o.Err.Error(), "holes") || o.Use == inspect.Unused {
		t.Errorf("%+v", o)
	}
	if st := statOf(t, o.Path); st.Blocks != 0 {
		t.Errorf("%d blocks are filled", st.Blocks)
	}
	if o, err := s.Object("queue:nonsense"); err != nil || o.Err == nil || o.Use == inspect.Unused {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestTheProcessThatLooksDoesNotCount(t *testing.T) {
	path, name := shmFile(t)
	f, err := os.Open(path)
	ok(t, err)
	defer f.Close()
	s := take(t, nil)
	o, err := s.Object("posix:/" + name)
	ok(t, err)
	if len(o.Users) != 1 || !o.Users[0].Self || o.Use == inspect.Used {
		t.Errorf("%+v", o)
	}
}

// made makes what looks like /proc with a process that maps a file for writing.
func made(t *testing.T, path string, fsType string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"50/maps":        fmt.Sprintf("7f0000000000-7f0000001000 rw-s 00000000 77:01 %d %s\n", statOf(t, path).Ino, path),
		"50/smaps":       fmt.Sprintf("7f0000000000-7f0000001000 rw-s 00000000 77:01 %d %s\nRss: 4 kB\n", statOf(t, path).Ino, path),
		"50/comm":        "mapper\n",
		"50/status":      "Uid:\t1\t1\t1\t1\n",
		"50/stat":        "50 (mapper) S" + strings.Repeat(" 1", 30) + "\n",
		"self/mountinfo": "1 1 119:1 / / rw - " + fsType + " source rw\n",
		"sysvipc/shm":    "", "sysvipc/sem": "", "sysvipc/msg": "",
	} {
		ok(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		ok(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	ok(t, os.Mkdir(filepath.Join(root, "50/fd"), 0o700))
	ok(t, os.Symlink(path, filepath.Join(root, "50/fd/3")))
	return root
}

func TestAFileSystemThatMayNotAnswerIsNotAsked(t *testing.T) {
	path := fileOf(t, t.TempDir(), "data")
	for fsType, asked := range map[string]bool{"ext4": false, "btrfs": true, "overlay": true, "nfs4": false, "fuse.sshfs": false} {
		s := take(t, &inspect.Options{Proc: made(t, path, fsType), Shm: t.TempDir(), Dir: t.TempDir(), Kinds: []string{"file"}})
		all, _ := everything(t, s)
		o, found := all["file:"+path]
		remote := fsType == "nfs4" || fsType == "fuse.sshfs"
		// On ext4 the device in maps would be that of stat: it is another file.
		if found != (asked || remote) {
			t.Errorf("%s: %v", fsType, all)
			continue
		}
		if found && (o.Resident.Unknown == "") != asked || remote && !strings.Contains(o.Allocated.Unknown, "not asked") {
			t.Errorf("%s: allocated %v, resident %v", fsType, o.Allocated, o.Resident)
		}
		// Of a descriptor its path must do, and by an address in a process nothing more is found out.
		if remote {
			byMap, err := s.Object("map:50/7f0000000000")
			ok(t, err)
			for _, o := range []inspect.Object{o, byMap} {
				if fmt.Sprint(o.Users[0].Descriptors) != "[3]" || !strings.Contains(o.Allocated.Unknown, "not asked") {
					t.Errorf("%s: descriptors %v, allocated %v", fsType, o.Users[0].Descriptors, o.Allocated)
				}
			}
		}
		if !found && len(all) != 1 {
			t.Errorf("%s: %v", fsType, all)
		}
	}
}

func TestANumberThatCameToMeanAnotherProcessIsNotLookedInto(t *testing.T) {
	path := fileOf(t, t.TempDir(), "data")
	root := made(t, path, "btrfs")
	s := take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir(), Kinds: []string{"file"}})
	o, err := s.Object("file:" + path)
	ok(t, err)
	if o.Users[0].Resident != (inspect.Amount{Bytes: 4 << 10}) {
		t.Errorf("resident %v", o.Users[0].Resident)
	}
	s = take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir(), Kinds: []string{"file"}})
	ok(t, os.WriteFile(filepath.Join(root, "50/stat"), []byte("50 (mapper) S"+strings.Repeat(" 2", 30)+"\n"), 0o600))
	o, err = s.Object("file:" + path)
	ok(t, err)
	if !strings.Contains(o.Users[0].Resident.Unknown, "has ended") {
		t.Errorf("resident %v", o.Users[0].Resident)
	}
}

// A process that has ended between the walk and the kernel's count is dropped: the count is newer.
func TestWhatIsSeenIsLookedAtAgainIfTheKernelCountsLess(t *testing.T) {
	root := fixture(t, "machine")
	gone := filepath.Join(root, "20")
	text, err := os.ReadFile(filepath.Join(root, "sysvipc/shm"))
	ok(t, err)
	less := strings.Replace(string(text), "10    20      4", "10    20      2", 1)
	ok(t, os.WriteFile(filepath.Join(root, "sysvipc/shm"), []byte(less), 0o600))
	s := take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir()})
	o, err := s.Object("sysv:id=5")
	ok(t, err)
	if !slices.Equal(pidsOf(&o), []int{10, 20}) || o.Segment.Unseen != 0 { // they are there all the same: two processes may have one memory
		t.Errorf("%+v", o)
	}
	ok(t, os.RemoveAll(gone))
	o, err = take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir()}).Object("sysv:id=5")
	ok(t, err)
	if !slices.Equal(pidsOf(&o), []int{10}) || o.Segment.Unseen != 0 {
		t.Errorf("%+v", o)
	}
}

// leased is a file that another one may not open without breaking a lease.
func leased(t *testing.T, f *os.File) {
	t.Helper()
	if err := sys.Lease(int(f.Fd())); err != nil {
		t.Skipf("no lease: %v", err)
	}
	t.Cleanup(func() {
		if wanted, err := sys.LeaseWanted(int(f.Fd())); wanted || err != nil {
			t.Errorf("the lease is to be given back: %v, %v", wanted, err)
		}
		if err := sys.EndLease(int(f.Fd())); err != nil {
			t.Error(err)
		}
		f.Close()
	})
}

func TestLookingAtAnObjectOfShmkitBreaksNoLease(t *testing.T) {
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	f, err := os.OpenFile(filepath.Join(dir, "lock.leased"), os.O_CREATE|os.O_RDWR, 0o600)
	ok(t, err)
	_, err = f.Write(make([]byte, page))
	ok(t, err)
	leased(t, f)
	o, err := take(t, &inspect.Options{Dir: dir}).Object("lock:leased")
	ok(t, err)
	if o.Err == nil || !strings.Contains(o.Err.Error(), "lease") || o.Use == inspect.Unused {
		t.Errorf("%+v", o)
	}
}

func TestLookingAtAMemfdBreaksNoLease(t *testing.T) {
	fd, err := sys.MemfdCreate(testenv.Name(t), sys.MFD_CLOEXEC|sys.MFD_ALLOW_SEALING)
	ok(t, err)
	first := os.NewFile(uintptr(fd), "memfd")
	_, err = first.Write([]byte("x"))
	ok(t, err)
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0) // which the kernel counts as open to write
	ok(t, err)
	ok(t, first.Close())
	leased(t, f)
	o, err := take(t, nil).Object(fmt.Sprintf("memfd:%d/%d", os.Getpid(), f.Fd()))
	ok(t, err)
	if !strings.Contains(o.Resident.Unknown, "lease") || !strings.Contains(o.Memfd.SealsUnknown, "lease") {
		t.Errorf("resident %v, seals %v", o.Resident, o.Memfd)
	}
}
