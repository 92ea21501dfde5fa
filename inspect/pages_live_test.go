package inspect_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// aFile makes a file in /dev/shm of some pages, all of them a hole.
func aFile(t testing.TB, pages int) string {
	t.Helper()
	path := filepath.Join("/dev/shm", testenv.Name(t))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(pages * os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	return path
}

// pagemapOf reads /proc/PID/pagemap in the plainest way.
func pagemapOf(t testing.TB, m *mapper, pages int) []uint64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", m.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries := make([]uint64, pages)
	for i := range entries {
		b := make([]byte, 8)
		if _, err := f.ReadAt(b, (int64(m.addr)/int64(os.Getpagesize())+int64(i))*8); err != nil {
			t.Fatal(err)
		}
		entries[i] = binary.NativeEndian.Uint64(b)
	}
	return entries
}

const (
	present = inspect.PagePresent
	hole    = inspect.PageHole
)

func TestPagesAreThoseThatWereTouched(t *testing.T) {
	path := aFile(t, 16)
	a, b := startMapper(t, "shared", path), startMapper(t, "shared", path)
	a.touch("write", 0, 3, 4)
	b.touch("write", 3) // what is read is mapped with the pages around it
	p := look(t, objectOf(t, path, a, b), nil)
	if got := picture(each(t, p, p.Object), hole, "-", present, "M"); got != "M--MM-----------" {
		t.Errorf("the object: %s", got)
	}
	for i, picture16 := range []string{"M..MM...........", "...M............"} {
		settles(t, func() error { return want(picture(each(t, p, p.Processes[i]), present, "M"), picture16) })
	}
	settles(t, func() error {
		pages := each(t, p, p.Processes[0])
		if pages[0].State&inspect.PageExclusive == 0 || pages[3].State&inspect.PageExclusive != 0 {
			return fmt.Errorf("page 0 is %v, page 3 is %v", pages[0], pages[3])
		}
		return nil
	})
	// What it shows is what the kernel has, read another way.
	for i, m := range []*mapper{a, b} {
		settles(t, func() error {
			pages := each(t, p, p.Processes[i])
			for n, e := range pagemapOf(t, m, 16) {
				frame := uint64(0)
				if e>>63 == 1 {
					frame = e & (1<<55 - 1)
				}
				if (e>>63 == 1) != (pages[n].State&present != 0) || frame != pages[n].Frame {
					return fmt.Errorf("process %d, page %d: %+v; pagemap has %x", i, n, pages[n], e)
				}
			}
			return nil
		})
	}
}

func TestTwoProcessesHaveOneFrame(t *testing.T) {
	testenv.RequireRoot(t)
	path := aFile(t, 2)
	a, b := startMapper(t, "shared", path), startMapper(t, "shared", path)
	a.touch("write", 0)
	b.touch("write", 0)
	p := look(t, objectOf(t, path, a, b), nil)
	settles(t, func() error {
		first, second := each(t, p, p.Processes[0])[0], each(t, p, p.Processes[1])[0]
		if first.Frame == 0 || first.Frame != second.Frame || first.Mapped != 2 || first.State&inspect.PageDirty == 0 {
			return fmt.Errorf("%+v and %+v", first, second)
		}
		return nil
	})
	settles(t, func() error {
		rows := 0
		for row, err := range p.Rows(t.Context()) {
			if err != nil || row.First != int64(rows) || row.Count != 1 || len(row.Runs) != 3 || row.Runs[1].Frame != row.Runs[2].Frame {
				return fmt.Errorf("%+v, %v", row, err)
			}
			rows++
		}
		return want(fmt.Sprint(rows, " rows"), "2 rows")
	})
}

func TestCopyOnWriteIsAnotherFrame(t *testing.T) {
	testenv.RequireRoot(t)
	path := aFile(t, 2)
	if err := os.WriteFile(path, make([]byte, 2*os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	a, b := startMapper(t, "private", path), startMapper(t, "shared", path)
	a.touch("read", 0, 1)
	b.touch("read", 0, 1)
	p := look(t, objectOf(t, path, a, b), nil)
	settles(t, func() error {
		before, other := each(t, p, p.Processes[0]), each(t, p, p.Processes[1])
		if before[1].Frame == 0 || before[1].Frame != other[1].Frame || before[1].State&inspect.PageCopy != 0 {
			return fmt.Errorf("before: %+v and %+v", before[1], other[1])
		}
		return nil
	})
	a.touch("write", 1)
	settles(t, func() error {
		after, other := each(t, p, p.Processes[0]), each(t, p, p.Processes[1])
		if after[1].Frame == other[1].Frame || after[1].State&inspect.PageCopy == 0 || after[0].Frame != other[0].Frame {
			return fmt.Errorf("after: %+v and %+v", after, other)
		}
		return nil
	})
}

func TestWithoutPrivilegeTheRestIsShown(t *testing.T) {
	path := aFile(t, 2)
	a := startMapper(t, "shared", path)
	a.touch("write", 0)
	p := look(t, objectOf(t, path, a), nil)
	if os.Geteuid() == 0 {
		t.Skip("root is told everything; the test of the command has another user")
	}
	settles(t, func() error {
		page := each(t, p, p.Processes[0])[0]
		if page.Frame != 0 || page.State&present == 0 || !strings.Contains(strings.Join(p.Processes[0].Blind, "\n"), "CAP_SYS_ADMIN") {
			return fmt.Errorf("%+v; blind: %q", page, p.Processes[0].Blind)
		}
		return nil
	})
}

func TestASegmentIsLookedThroughWhoMapsIt(t *testing.T) {
	testenv.RequireRoot(t)
	s, err := sysv.Create(sysv.Private, int64(8*os.Getpagesize()), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	a := startMapper(t, "sysv", fmt.Sprint(s.ID()))
	a.touch("write", 2)
	before, err := s.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p := look(t, segmentOf(t, s, uint64(8*os.Getpagesize()), a), nil)
	if got := picture(each(t, p, p.Object), hole, "-", present, "M"); got != "--M-----" || p.Attached {
		t.Errorf("the object: %s, blind %q", got, p.Object.Blind)
	}
	if after, err := s.Stat(); err != nil || after != before {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
}

func TestASegmentThatNobodyMapsIsAttachedOnRequestOnly(t *testing.T) {
	size := uint64(8 * os.Getpagesize())
	s, err := sysv.Create(sysv.Private, int64(size), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	m, err := s.Attach(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteAt([]byte{1}, int64(3*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := s.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p := look(t, segmentOf(t, s, size), nil)
	if got := picture(each(t, p, p.Object), inspect.PageUnknown, "?"); got != "????????" || len(p.Object.Blind) != 1 || !strings.Contains(p.Object.Blind[0], "attaching") {
		t.Errorf("the object: %s, blind %q", got, p.Object.Blind)
	}
	if after, err := s.Stat(); err != nil || after != before {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
	p = look(t, segmentOf(t, s, size), &inspect.PagesOptions{Attach: true})
	if got := picture(each(t, p, p.Object), present, "M", hole, "-"); got != "---M----" || !p.Attached {
		t.Errorf("the object: %s, blind %q", got, p.Object.Blind)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if after, err := s.Stat(); err != nil || after.Attached != 0 {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
}

func TestReservedPagesAreToldFromThoseStoredTo(t *testing.T) {
	path := aFile(t, 8)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := int64(os.Getpagesize())
	if err := syscall.Fallocate(int(f.Fd()), 0, 2*page, 3*page); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{1}, 3*page); err != nil {
		t.Fatal(err)
	}
	p := look(t, objectOf(t, path), nil)
	if slices.ContainsFunc(p.Object.Blind, func(s string) bool { return strings.Contains(s, "6.5") }) {
		t.Skip("the kernel tells it since 6.5")
	}
	if got := picture(each(t, p, p.Object), inspect.PageReserved, "R", present, "M", hole, "-"); got != "--RMR---" {
		t.Errorf("the object: %s", got)
	}
}

func TestWhoDoesNotMapItIsTold(t *testing.T) {
	path := aFile(t, 1)
	a := startMapper(t, "shared", path)
	object := objectOf(t, path, a)
	var wrong *inspect.NotMappedError
	if _, err := inspect.PagesOf(object, &inspect.PagesOptions{PIDs: []int{os.Getpid()}}); !errors.As(err, &wrong) ||
		!strings.Contains(err.Error(), fmt.Sprintf("does not map %s; these do: %d", object.Address, a.Pid())) {
		t.Error(err)
	}
	const none = 1 << 22 // pids are below
	if _, err := inspect.PagesOf(object, &inspect.PagesOptions{PIDs: []int{none}}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := inspect.PagesOf(&inspect.Object{Address: "sem:1"}, nil); !errors.Is(err, inspect.ErrNoPages) {
		t.Error(err)
	}
}

func TestAProcessThatEndsMeanwhileIsUnknownFromThere(t *testing.T) {
	path := aFile(t, 4)
	a := startMapper(t, "shared", path)
	a.touch("write", 0)
	p := look(t, objectOf(t, path, a), nil)
	a.Kill()
	var last inspect.PageRun
	for row, err := range p.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		last = row.Runs[1]
	}
	if last.State != inspect.PageUnknown || last.End() != 4 || p.Processes[0].Err == nil {
		t.Errorf("%+v, %v", last, p.Processes[0].Err)
	}
}

func TestPartsOfAnObjectThatAProcessMaps(t *testing.T) {
	path, page := aFile(t, 8), os.Getpagesize()
	a := startMapper(t, "shared", path, fmt.Sprint(2*page), fmt.Sprint(3*page))
	a.touch("write", 1) // of the mapping
	p := look(t, objectOf(t, path, a), nil)
	mapped := func() string { return picture(each(t, p, p.Processes[0]), inspect.PageOutside, "x", present, "M") }
	settles(t, func() error { return want(mapped(), "xx.M.xxx") })
	if addr, ok := p.Processes[0].Address(3); !ok || addr != a.addr+uint64(page) {
		t.Errorf("%x, %v", addr, ok)
	}
	p = look(t, objectOf(t, path, a), &inspect.PagesOptions{Offset: int64(3*page + 1), Length: int64(page)})
	if p.First != 3 {
		t.Errorf("the first page is %d", p.First)
	}
	settles(t, func() error { return want(mapped(), "M.") })
}

func TestLookingTouchesNothing(t *testing.T) {
	path := aFile(t, 64)
	a := startMapper(t, "shared", path)
	a.touch("write", 1)
	object := objectOf(t, path, a)
	state := func() string {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		there := ""
		for _, e := range pagemapOf(t, a, 64) {
			there += map[bool]string{true: "M", false: "."}[e != 0] // whatever frame, also while it is moved
		}
		return fmt.Sprint(st.Blocks, st.Atim, st.Mtim, st.Ctim, there)
	}
	before := state()
	p := look(t, object, nil)
	for range p.Rows(t.Context()) {
	}
	if after := state(); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// What is looked at is the object that was found, and not what has its name by now.
func TestAnotherFileOfTheNameIsNotLookedAt(t *testing.T) {
	path := aFile(t, 2)
	object := objectOf(t, path)
	if err := os.Rename(path, path+".old"); err != nil { // so that its number is not given out again
		t.Fatal(err)
	}
	defer os.Remove(path + ".old")
	if err := os.WriteFile(path, make([]byte, 2*os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := look(t, object, nil)
	if got := picture(each(t, p, p.Object), inspect.PageUnknown, "?", present, "M"); got != "??" || len(p.Object.Blind) != 1 {
		t.Errorf("%s, %q", got, p.Object.Blind)
	}
}

func TestALeaseIsNotBrokenByPages(t *testing.T) {
	path := aFile(t, 1)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sys.Lease(int(f.Fd())); err != nil {
		t.Skipf("there are no leases here: %v", err)
	}
	defer sys.EndLease(int(f.Fd()))
	s, err := inspect.Take(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	object, err := s.Object("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	p := look(t, &object, &inspect.PagesOptions{PIDs: []int{}})
	if wanted, err := sys.LeaseWanted(int(f.Fd())); wanted || err != nil {
		t.Errorf("somebody wants the lease to end: %v, %v", wanted, err)
	}
	if len(p.Object.Blind) != 1 || !strings.Contains(p.Object.Blind[0], "lease") {
		t.Errorf("%q", p.Object.Blind)
	}
}
