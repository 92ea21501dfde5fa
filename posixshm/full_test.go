package posixshm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// small is the size of the tmpfs that these tests have for themselves.
const small = 64 << 10

// free returns how many bytes a file system has free.
func free(t testing.TB, d posixshm.Dir) int64 {
	t.Helper()
	var st syscall.Statfs_t
	ok(t, syscall.Statfs(string(d), &st))
	return int64(st.Bfree) * st.Bsize
}

func TestFullFileSystemIsAnErrorAtCreation(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := posixshm.Default
	testenv.MountTmpfs(t, string(d), small)
	boom := errors.New("not reached")
	never := func(*shmkit.Mapping) error { return boom }
	for _, size := range []int64{small + 1, small + pageSize, 10 * small, 1 << 40} {
		for _, replace := range []bool{false, true} {
			_, err := d.Create("/large", size, &posixshm.Options{Init: never, Replace: replace})
			wantError(t, err, noSpace, "create posix:/large", fmt.Sprintf("/dev/shm has %d of %d bytes free and this needs %d", small, small, size))
		}
		_, err := d.OpenOrCreate("/large", size, &posixshm.Options{Init: never})
		wantError(t, err, noSpace)
		wantEntries(t, d)
		if n := free(t, d); n != small {
			t.Errorf("%d bytes are free", n)
		}
	}
	// Exactly all of it.
	whole := create(t, d, "/whole", small, nil)
	if n := free(t, d); n != 0 {
		t.Errorf("%d bytes are free", n)
	}
	// The first byte more.
	_, err := d.Create("/more", 1, &posixshm.Options{Init: never})
	wantError(t, err, noSpace, "has 0 of")
	wantError(t, whole.Resize(small+1), noSpace, "resize posix:/whole")
	_, err = d.Create("/whole", 1, &posixshm.Options{Replace: true})
	wantError(t, err, noSpace)
	wantEntries(t, d, "whole")
	m := mapped(t, whole, nil)
	ok(t, fill(m, 1))
	if tag, err := checkWhole(whole, 1); err != nil {
		t.Errorf("content %d, %v", tag, err)
	}
	if info := stat(t, whole); info.Size != small || info.Allocated != small {
		t.Errorf("%+v", info)
	}
	// An object of no bytes, and one that promises nothing, need no room now.
	create(t, d, "/empty", 0, nil)
	sparse := create(t, d, "/sparse", small, &posixshm.Options{Sparse: true})
	wantError(t, sparse.Reserve(), noSpace, "reserve posix:/sparse")
	_, err = mapped(t, sparse, nil).ReadAt(make([]byte, 1), 0)
	wantError(t, err, noSpace, "fault")
	_, err = d.Create("/sparse2", small, &posixshm.Options{Sparse: true, Init: func(m *shmkit.Mapping) error {
		return fill(m, 1)
	}})
	wantError(t, err, noSpace, "initialise", "fault")
	wantEntries(t, d, "empty", "sparse", "whole")
}

func TestWhatWasCreatedNeverFaults(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := posixshm.Default
	testenv.MountTmpfs(t, string(d), small)
	obj := create(t, d, "/frames", small/2, nil)
	untouched := mapped(t, obj, nil)
	grown := create(t, d, "/grown", 100, nil)
	ok(t, grown.Resize(2*pageSize))
	foreign := create(t, d, "/foreign", 2*pageSize, &posixshm.Options{Sparse: true})
	ok(t, foreign.Reserve())
	last := create(t, d, "/last", pageSize-10, nil)
	// Somebody else fills up the rest.
	filler, err := os.OpenFile(filepath.Join(string(d), "filler"), os.O_WRONLY|os.O_CREATE, 0o600)
	ok(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, pageSize))
	}
	if !errors.Is(err, syscall.ENOSPC) || free(t, d) != 0 {
		t.Fatalf("the filler: %v, and %d bytes are free", err, free(t, d))
	}
	closeOK(t, filler)
	// Reading and writing, through old and new mappings, and with the rest of the tmpfs full.
	if got := text(t, untouched, small/2-1, 1); got != "\x00" {
		t.Errorf("read %q", got)
	}
	for _, o := range []*posixshm.Object{obj, grown, foreign} {
		m := mapped(t, open(t, d, o.Name(), nil), nil)
		if err := shmkit.Guard(func() {
			for i := range m.Bytes() {
				m.Bytes()[i] = byte(i)
			}
		}); err != nil {
			t.Errorf("%s: %v", o, err)
		}
		ok(t, m.Prefault(0, int64(m.Len()), shmkit.Write))
	}
	// To grow it by what is in its last page needs no room.
	ok(t, last.Resize(pageSize-5))
	// What is removed goes with its last handle and mapping only.
	ok(t, grown.Remove())
	_, err = d.Create("/more", 1, nil)
	wantError(t, err, noSpace)
}

// Dead creators leave no memory, whatever they were at: on this tmpfs there would be no
// room for the next.
func TestKilledCreatorsLeaveNoMemory(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := posixshm.Default
	testenv.MountTmpfs(t, string(d), small)
	for _, point := range pointsInSource(t) {
		for _, replace := range []bool{false, true} {
			if replace {
				old, err := d.Create("/frames", pageSize, nil)
				ok(t, err)
				closeOK(t, old)
			}
			p := startAgent(t, nil)
			give(t, p, order{Do: "create", Name: "/frames", Size: small - 2*pageSize, Tag: 1, Replace: replace, KillAt: point})
			hear(t, p)
			p.CloseStdin()
			p.ExitCode()
			if err := d.Remove("/frames"); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
			next, err := d.Create("/next", small-2*pageSize, nil)
			if err != nil {
				t.Fatalf("after a death at %q, replacing %t: %v; %q", point, replace, err, entries(t, d))
			}
			wantEntries(t, d, "next")
			ok(t, errors.Join(next.Remove(), next.Close()))
		}
	}
	wantEntries(t, d)
}

// A tmpfs without a limit has that of the machine.
func TestUnlimitedFileSystem(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := posixshm.Default
	testenv.MountTmpfs(t, string(d), 0)
	_, err := d.Create("/frames", 1<<50, nil)
	wantError(t, err, noSpace, "this machine has less than 1125899906842624 bytes of memory")
	create(t, d, "/frames", 1<<20, nil)
}

// A tmpfs may be larger than the memory it is made of. The kernel would take all of that
// and then kill somebody.
func TestFileSystemLargerThanMemory(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := posixshm.Default
	testenv.MountTmpfs(t, string(d), 1<<47)
	_, err := d.Create("/frames", 1<<46, nil)
	wantError(t, err, "ENOMEM", "bytes of memory are available, and this needs 70368744177664")
	wantEntries(t, d)
	obj := create(t, d, "/frames", 4097, nil)
	wantError(t, obj.Resize(1<<46), "ENOMEM", "resize", "bytes of memory are available")
	if info := stat(t, obj); info.Size != 4097 || info.Allocated != 2*pageSize {
		t.Errorf("after that: %+v", info)
	}
}

// Where there is no /proc, the kernel needs another way to the file without a name.
func TestWithoutProc(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := newDir(t)
	t.Run("none", func(t *testing.T) {
		testenv.MountTmpfs(t, "/proc", 0)
		for _, replace := range []bool{false, true} {
			obj, err := d.Create("/frames", 100, filled(1, replace))
			if errors.Is(err, syscall.ENOENT) { // before Linux 6.10, without privileges
				wantError(t, err, absent, "/proc is not mounted")
				wantEntries(t, d)
				return
			}
			ok(t, err)
			if tag, err := checkWhole(obj, 1); tag != 1 {
				t.Errorf("content %d, %v", tag, err)
			}
			closeOK(t, obj)
		}
		wantEntries(t, d, "frames")
	})
}

func TestReadOnlyFileSystem(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := posixshm.Default
	testenv.MountTmpfs(t, string(d), small)
	create(t, d, "/frames", 100, nil).Close()
	if err := syscall.Mount("", string(d), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("remount: %v", err)
	}
	_, err := d.Open("/frames", nil)
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("open: %v", err)
	}
	open(t, d, "/frames", &posixshm.OpenOptions{ReadOnly: true})
	_, err = d.Create("/new", 100, nil)
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("create: %v", err)
	}
}
