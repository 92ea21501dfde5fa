package shmkit_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// rlimitMemlock is RLIMIT_MEMLOCK, which package syscall lacks.
const rlimitMemlock = 8

// locked is how many bytes of this process are locked: VmLck.
func locked() (int, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmLck:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			return n << 10, err
		}
	}
	return 0, errors.New("no VmLck in /proc/self/status")
}

// lockedPages is locked in pages.
func lockedPages(t testing.TB) int {
	t.Helper()
	n, err := locked()
	if err != nil {
		t.Fatal(err)
	}
	return n / pageSize
}

func TestLockCountsPagesOnce(t *testing.T) {
	f, _ := newFile(t, 8)
	m := mapFile(t, f, fdmap.Options{Off: 10, Len: pagesAt(8) - 10})
	before := lockedPages(t)
	steps := []struct {
		what string
		do   func() error
		want int
	}{
		{"a byte locks its page", func() error { return m.Lock(pagesAt(2), 1) }, 1},
		{"once more", func() error { return m.Lock(pagesAt(2), 1) }, 1},
		{"bytes on both sides of a boundary", func() error { return m.Lock(pagesAt(2)-20, 20) }, 2},
		{"on fault, over what is locked", func() error { return m.LockOnFault(0, pagesAt(5)-10) }, 5},
		{"nothing", func() error { return m.Lock(7, 0) }, 5},
		{"the second page", func() error { return m.Unlock(pagesAt(1)-10, pagesAt(1)) }, 4},
		{"what is not locked", func() error { return m.Unlock(pagesAt(6), pagesAt(1)) }, 4},
		{"all", func() error { return m.Lock(0, int64(m.Len())) }, 8},
		{"all off", func() error { return m.Unlock(0, int64(m.Len())) }, 0},
		{"all again", func() error { return m.Lock(0, int64(m.Len())) }, 8},
		{"shrink", func() error { return m.Resize(pagesAt(3) - 10) }, 3},
		{"grow, which locks nothing", func() error { return m.Resize(pagesAt(8) - 10) }, 3},
		{"close", m.Close, 0},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.what, err)
		}
		if n := lockedPages(t) - before; n != s.want {
			t.Errorf("%s: %d pages are locked, want %d", s.what, n, s.want)
		}
	}
}

// Lock brings pages in, LockOnFault waits for them to be touched.
func TestLockOnFaultBringsNothingIn(t *testing.T) {
	f, o := newFile(t, 0)
	if err := o.Truncate(pagesAt(4)); err != nil {
		t.Fatal(err)
	}
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(4)})
	if err := m.LockOnFault(0, pagesAt(4)); err != nil {
		t.Fatal(err)
	}
	wantResident(t, m, "....")
	if err := m.Store32(pagesAt(2), 1); err != nil {
		t.Fatal(err)
	}
	wantResident(t, m, "..x.")
	if err := m.Lock(0, pagesAt(2)); err != nil {
		t.Fatal(err)
	}
	wantResident(t, m, "xxx.")
}

func TestLockBehindTheEndOfTheFile(t *testing.T) {
	f, o := newFile(t, 2)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(2)})
	if err := o.Truncate(pagesAt(1)); err != nil {
		t.Fatal(err)
	}
	before := lockedPages(t)
	err := m.Lock(0, pagesAt(2))
	var e *shmkit.OpError
	if err != nil && (!errors.As(err, &e) || !errors.Is(err, shmkit.ErrTruncated) || !errors.Is(err, syscall.ENOMEM) || strings.Contains(err.Error(), "RLIMIT")) {
		t.Errorf("got %v", err) // kernels differ in whether they tell
	}
	if n := lockedPages(t) - before; n != 2 { // in spite of the error
		t.Errorf("%d pages are locked, want 2", n)
	}
	if err := m.Unlock(0, pagesAt(2)); err != nil {
		t.Fatal(err)
	}
	if n := lockedPages(t) - before; n != 0 {
		t.Errorf("%d pages are locked after Unlock", n)
	}
}

func TestWhatNobodyMayTouchCannotBeLocked(t *testing.T) {
	f, _ := newFile(t, 2)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(2)})
	if err := m.Protect(0, pagesAt(1), none); err != nil {
		t.Fatal(err)
	}
	err := m.Lock(0, pagesAt(2))
	wantOpError(t, err, "lock", syscall.ENOMEM, "a page cannot be brought in", "not readable")
	if !errors.Is(err, shmkit.ErrNotReadable) || strings.Contains(err.Error(), "RLIMIT") {
		t.Errorf("got %v", err)
	}
}

func TestLockNamesTheLimit(t *testing.T) {
	limited := &testenv.StartOptions{}
	if os.Geteuid() == 0 {
		limited.DropCaps = []testenv.Capability{testenv.CapIPCLock}
	}
	for _, pages := range []int{3, 0} {
		testenv.StartWith(t, limited, "lock too much", fmt.Sprint(pages)).Expect("as it should be")
	}
}

func TestLockNamesTheLimitToNobody(t *testing.T) {
	opts := &testenv.StartOptions{Credential: testenv.Nobody(t)}
	testenv.StartWith(t, opts, "lock too much", "3").Expect("as it should be")
	testenv.StartWith(t, opts, "lock too much", "0").Expect("as it should be")
}

// lockLimitRole may lock args[0] pages.
func lockLimitRole(args []string) error {
	pages, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(rlimitMemlock, &syscall.Rlimit{Cur: uint64(pages * pageSize), Max: uint64(pages * pageSize)}); err != nil {
		return err
	}
	fd, err := sys.MemfdCreate("locked", sys.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	o := os.NewFile(uintptr(fd), "memfd")
	if err := o.Truncate(pagesAt(8)); err != nil {
		return err
	}
	f := fdmap.New(o, "memfd:locked")
	m, err := f.Map(fdmap.Options{Len: pagesAt(4), Private: true, Protection: readWrite})
	if err != nil {
		return err
	}
	want := syscall.ENOMEM
	if pages == 0 {
		want = syscall.EPERM
	}
	for _, lock := range []func(off, n int64) error{m.Lock, m.LockOnFault} {
		err := lock(0, pagesAt(4))
		var e *shmkit.OpError
		if !errors.As(err, &e) || !errors.Is(err, want) || (want == syscall.EPERM) != errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("lock of 4 pages: %v", err)
		}
		if says := fmt.Sprintf("may lock %d bytes", pages*pageSize); !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "RLIMIT_MEMLOCK") {
			return fmt.Errorf("%q does not say %q", err, says)
		}
	}
	if n, err := locked(); n != 0 || err != nil {
		return fmt.Errorf("%d bytes are locked, %w", n, err)
	}
	if pages == 0 {
		return testenv.Say("as it should be")
	}
	if err := m.Lock(0, pagesAt(pages)); err != nil {
		return err
	}
	if err := m.Lock(0, pagesAt(1)); err != nil { // what is locked is not counted again
		return err
	}
	// A move is no second lock: the pages are counted once.
	if err := m.Store64(8, 99); err != nil {
		return err
	}
	if err := sys.ReserveAt(m.Addr()+uintptr(4*pageSize), pageSize); err != nil && err != syscall.EEXIST {
		return err
	}
	before := m.Addr()
	if err := m.Resize(pagesAt(8)); err != nil {
		return fmt.Errorf("move: %w", err)
	}
	if n, err := locked(); n != pages*pageSize || err != nil || m.Addr() == before {
		return fmt.Errorf("%d bytes are locked after the move, %w", n, err)
	}
	if v, err := m.Load64(8); v != 99 || err != nil {
		return fmt.Errorf("it reads %d, %w", v, err)
	}
	if err := errors.Join(m.Close(), f.Close()); err != nil {
		return err
	}
	return testenv.Say("as it should be")
}
