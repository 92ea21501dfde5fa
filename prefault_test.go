package shmkit_test

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// resident is the pages of m as text, x for those in memory.
func resident(t testing.TB, m *shmkit.Mapping, off, n int64) string {
	t.Helper()
	pages, err := m.Resident(off, n)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, in := range pages {
		b.WriteByte(map[bool]byte{false: '.', true: 'x'}[in])
	}
	return b.String()
}

func wantResident(t testing.TB, m *shmkit.Mapping, want string) {
	t.Helper()
	if got := resident(t, m, 0, int64(m.Len())); got != want {
		t.Errorf("resident are %s, want %s", got, want)
	}
}

// newHole maps a file that has no pages yet.
func newHole(t testing.TB, pages int, o fdmap.Options) *shmkit.Mapping {
	t.Helper()
	f, file := newFile(t, 0)
	if err := file.Truncate(pagesAt(pages)); err != nil {
		t.Fatal(err)
	}
	o.Len = pagesAt(pages) - o.Off
	return mapFile(t, f, o)
}

func TestResidentFollowsTouches(t *testing.T) {
	m := newHole(t, 6, fdmap.Options{Off: 30})
	wantResident(t, m, "......")
	if err := m.Store32(pagesAt(1)-30, 1); err != nil {
		t.Fatal(err)
	}
	wantResident(t, m, ".x....")
	if got := resident(t, m, pagesAt(1), 1); got != "x" {
		t.Errorf("the page of one byte: %s", got)
	}
	if got := resident(t, m, pagesAt(1)-31, 2); got != ".x" {
		t.Errorf("the pages of two bytes: %s", got)
	}
	if got := resident(t, m, 5, 0); got != "" {
		t.Errorf("the pages of nothing: %q", got)
	}
	// It is the object's pages, not this mapping's.
	if err := m.Advise(pagesAt(1)-30, pagesAt(1), shmkit.AdviseDontNeed); err != nil {
		t.Fatal(err)
	}
	wantResident(t, m, ".x....")
	if err := m.Advise(pagesAt(1)-30, pagesAt(1), shmkit.AdviseRemove); err != nil {
		t.Fatal(err)
	}
	wantResident(t, m, "......")
}

func TestPrefaultBringsInWhatItTouchesOnly(t *testing.T) {
	m := newHole(t, 6, fdmap.Options{Off: 30})
	if err := m.Prefault(pagesAt(1)-31, 2, shmkit.Write); err != nil {
		t.Fatal(err)
	}
	wantResident(t, m, "xx....")
	if err := m.Prefault(pagesAt(4), 1, shmkit.Read); err != nil {
		t.Fatal(err)
	}
	if got := resident(t, m, 0, int64(m.Len())); got[4] != 'x' {
		t.Errorf("resident are %s", got)
	}
	wantByte(t, m, 0, 0)
}

// faults counts the page faults of this thread while f runs.
func faults(t testing.TB, f func()) int64 {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const thread = 1 // RUSAGE_THREAD
	var before, after syscall.Rusage
	if err := syscall.Getrusage(thread, &before); err != nil {
		t.Fatal(err)
	}
	f()
	if err := syscall.Getrusage(thread, &after); err != nil {
		t.Fatal(err)
	}
	return after.Minflt + after.Majflt - before.Minflt - before.Majflt
}

func TestTouchingAfterPrefaultCostsNoFault(t *testing.T) {
	const pages = 256
	for _, private := range []bool{false, true} {
		read := func(m *shmkit.Mapping) func() {
			b, sum := m.Bytes(), byte(0)
			return func() {
				for i := range pages {
					sum += b[i*pageSize]
				}
				runtime.KeepAlive(sum)
			}
		}
		write := func(m *shmkit.Mapping) func() {
			b := m.Bytes()
			return func() {
				for i := range pages {
					b[i*pageSize] = 1
				}
			}
		}
		for _, c := range []struct {
			what   string
			ahead  shmkit.Protection
			touch  func(*shmkit.Mapping) func()
			faults bool
		}{
			{"reading, not prefaulted", 0, read, true},
			{"writing, not prefaulted", 0, write, true},
			{"reading", shmkit.Read, read, false},
			{"reading what was prefaulted for writing", shmkit.Write, read, false},
			{"writing", readWrite, write, false},
		} {
			m := newHole(t, pages, fdmap.Options{Private: private})
			if c.ahead != 0 {
				if err := m.Prefault(0, int64(m.Len()), c.ahead); err != nil {
					t.Fatal(err)
				}
			}
			// The kernel may bring in up to 16 pages around a fault; the Go runtime may fault
			// now and then by itself.
			switch n := faults(t, c.touch(m)); {
			case c.faults && n < pages/16:
				t.Errorf("private %t, %s: %d faults, which is too few to say anything", private, c.what, n)
			case !c.faults && n >= pages/16:
				t.Errorf("private %t, %s: %d faults", private, c.what, n)
			}
		}
	}
}

func TestPrefaultNamesTheFirstPageThatIsMissing(t *testing.T) {
	for _, there := range []int{0, 1, 3, 7} {
		f, o := newFile(t, 8)
		m := mapFile(t, f, fdmap.Options{Off: 100, Len: pagesAt(8) - 300})
		if err := o.Truncate(pagesAt(there)); err != nil {
			t.Fatal(err)
		}
		missing := max(pagesAt(there)-100, 0)
		for _, access := range []shmkit.Protection{shmkit.Read, shmkit.Write} {
			wantPageFault(t, m.Prefault(0, int64(m.Len()), access), m, missing, access, shmkit.ErrTruncated)
			// No byte outside the range is named.
			off := max(missing, 1)
			wantPageFault(t, m.Prefault(off+5, 3, access), m, off+5, access, shmkit.ErrTruncated)
		}
		if there > 0 {
			if err := m.Prefault(0, pagesAt(there)-100, shmkit.Write); err != nil {
				t.Error(err)
			}
		}
		if err := o.Truncate(pagesAt(8)); err != nil {
			t.Fatal(err)
		}
		if err := m.Prefault(0, int64(m.Len()), shmkit.Write); err != nil {
			t.Errorf("after the file was grown again: %v", err)
		}
	}
}

func TestPrefaultOfWhatMayNotBeTouched(t *testing.T) {
	f, _ := newFile(t, 4)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(4)})
	if err := m.Protect(pagesAt(2), pagesAt(1), readOnly); err != nil {
		t.Fatal(err)
	}
	wantPageFault(t, m.Prefault(1, pagesAt(4)-1, shmkit.Write), m, pagesAt(2), shmkit.Write, shmkit.ErrReadOnly)
	if err := m.Prefault(0, pagesAt(4), shmkit.Read); err != nil {
		t.Error(err)
	}
	if err := m.Protect(pagesAt(3), pagesAt(1), none); err != nil {
		t.Fatal(err)
	}
	wantPageFault(t, m.Prefault(0, pagesAt(4), shmkit.Read), m, pagesAt(3), shmkit.Read, shmkit.ErrNotReadable)
	wantPageFault(t, m.Prefault(pagesAt(3)+9, 1, shmkit.Read), m, pagesAt(3)+9, shmkit.Read, shmkit.ErrNotReadable)
	if err := m.Advise(pagesAt(1), pagesAt(1), shmkit.AdviseGuardInstall); err == nil {
		wantPageFault(t, m.Prefault(0, pagesAt(2), shmkit.Read), m, pagesAt(1), shmkit.Read, shmkit.ErrGuardPage)
	}
}

func TestCollapseMakesAHugePage(t *testing.T) {
	huge := testenv.HugePageSize(t)
	f, o := newFile(t, 0)
	if err := o.Truncate(int64(3 * huge)); err != nil {
		t.Fatal(err)
	}
	// Where in the addresses a huge page can stand, one does in the file.
	at, err := sys.ReserveAligned(2*huge, huge)
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.Munmap(at, 2*huge); err != nil {
		t.Fatal(err)
	}
	m := mapFile(t, f, fdmap.Options{Len: int64(2 * huge), Addr: at})
	if err := m.Prefault(0, int64(m.Len()), shmkit.Write); err != nil {
		t.Fatal(err)
	}
	if err := m.Store64(int64(huge)+8, 5); err != nil {
		t.Fatal(err)
	}
	switch err := m.Collapse(0, int64(m.Len())); {
	case errors.Is(err, syscall.EINVAL):
		t.Skipf("this kernel makes no huge pages of a memfd (Linux 6.1 can): %v", err)
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EAGAIN):
		t.Skipf("no huge page is free: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	if v, err := m.Load64(int64(huge) + 8); v != 5 || err != nil {
		t.Errorf("it reads %d, %v", v, err)
	}
	mapped, err := smapsNumber(m.Addr(), "ShmemPmdMapped")
	if err != nil {
		t.Fatal(err)
	}
	if mapped != 2*huge {
		t.Errorf("%d bytes are huge pages, want %d", mapped, 2*huge)
	}
	// Less than a huge page is nothing to do, or a refusal.
	if err := m.Collapse(0, 1); err != nil && !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
	// A part of it can be protected all the same.
	if err := m.Protect(pagesAt(1), pagesAt(1), readOnly); err != nil {
		t.Error(err)
	}
	if err := m.Prefault(pagesAt(1), 1, shmkit.Read); err != nil { // what is there can only have been written to
		t.Error(err)
	}
	wantPageFault(t, shmkit.Guard(func() { m.Bytes()[pageSize] = 1 }), m, pagesAt(1), shmkit.Write, shmkit.ErrReadOnly)
}
