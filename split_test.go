package shmkit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// What the kernel has at the addresses of a mapping is in /proc/self/maps, and how
// often a segment is attached in its attach count.

// split is Split that must work.
func split(t testing.TB, m *shmkit.Mapping, off int64) (head, tail *shmkit.Mapping) {
	t.Helper()
	head, tail, err := m.Split(off)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOK(t, head); closeOK(t, tail) })
	return head, tail
}

// paths is what is mapped in the pages from addr on: the last part of the path.
func paths(t testing.TB, addr uintptr, pages int) (all []string) {
	t.Helper()
	end := addr + uintptr(pages*pageSize)
	for e, err := range sys.ReadMaps(addr, end) {
		if err != nil {
			t.Fatal(err)
		}
		name := "nothing"
		if e.Inode != 0 || e.Path != "" {
			name = e.Path[strings.LastIndexByte(e.Path, ':')+1:]
		} else if e.Perms != "---p" {
			name = "memory"
		}
		all = append(all, fmt.Sprintf("%d-%d %s", int(max(e.Start, addr)-addr)/pageSize, int(min(e.End, end)-addr)/pageSize, name))
	}
	return all
}

func TestSplitIsRefusedWhereItCannotBe(t *testing.T) {
	f, _ := newFile(t, 3)
	m := mapFile(t, f, fdmap.Options{Off: 8, Len: pagesAt(3) - 8})
	for _, off := range []int64{-1, 0, pagesAt(3) - 8, 1 << 62} {
		_, _, err := m.Split(off)
		wantAccessError(t, err, "split", shmkit.ErrOutOfRange)
	}
	_, _, err := m.Split(pagesAt(1))
	wantAccessError(t, err, "split", shmkit.ErrMisaligned, fmt.Sprintf("%d and %d are", pagesAt(1)-8, pagesAt(2)-8))
	v, err := shmkit.View[byte](m, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = m.Split(pagesAt(1) - 8)
	wantAccessError(t, err, "split", shmkit.ErrInUse)
	closeOK(t, v)
	split(t, m, pagesAt(1)-8)
	_, _, err = m.Split(pagesAt(1) - 8)
	wantAccessError(t, err, "split", shmkit.ErrClosed)
}

func TestAPartOfAFileMappingIsReplacedByAnother(t *testing.T) {
	f, _ := newFile(t, 5)
	g, o := newFile(t, 2)
	if _, err := o.WriteAt([]byte("other"), 0); err != nil {
		t.Fatal(err)
	}
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(5)})
	whole, begin := m.Bytes(), m.Addr()
	head, rest := split(t, m, pagesAt(1))
	middle, tail := split(t, rest, pagesAt(2))
	anon := mapFile(t, g, fdmap.Options{Len: 10, Replace: middle, Private: true})
	if anon.Addr() != begin+uintptr(pageSize) || !middle.Closed() {
		t.Errorf("%v stands in for %v", anon, middle)
	}
	if got := areas(t, head, 5); !slices.Equal(got, []string{"0-1 rw-s", "1-2 rw-p", "2-3 ---p", "3-5 rw-s"}) {
		t.Errorf("the kernel has %q", got)
	}
	if string(whole[pageSize:pageSize+5]) != "other" || whole[0] != 1 || whole[3*pageSize] != 4 {
		t.Error("a slice from before shows something else")
	}
	wantFault(t, shmkit.Guard(func() { whole[2*pageSize]++ }), middle, pagesAt(1), shmkit.ErrClosed)
	// The parts live on without each other.
	closeOK(t, anon)
	closeOK(t, head)
	wantByte(t, tail, pagesAt(1), 5)
	if err := tail.Resize(pagesAt(1)); err != nil {
		t.Error(err)
	}
	wantByte(t, tail, 0, 4)
	closeOK(t, tail)
	if got := paths(t, begin, 5); !slices.Equal(got, []string{"0-5 nothing"}) {
		t.Errorf("after Close the kernel has %q", got)
	}
}

func TestAPartOfASegmentIsReplacedByAnother(t *testing.T) {
	seg, other := newSegment(t, pagesAt(5)), newSegment(t, pagesAt(1))
	m := attach(t, seg, nil)
	b := m.Bytes()
	for i := range 5 {
		b[i*pageSize] = byte(i + 1)
	}
	head, rest := split(t, m, pagesAt(2))
	if n := attachCount(t, seg); n != 1 { // a split of ours, not yet of the kernel's
		t.Errorf("attached %d times after a split", n)
	}
	middle, tail := split(t, rest, pagesAt(1))
	instead := attach(t, other, &sysv.AttachOptions{Replace: middle})
	if n, o := attachCount(t, seg), attachCount(t, other); n != 2 || o != 1 {
		t.Errorf("attached %d and %d times, want 2, before and behind the other, and 1", n, o)
	}
	if b[2*pageSize] != 0 || b[3*pageSize] != 4 || b[pageSize] != 2 {
		t.Error("the slice shows something else")
	}
	f, _ := newFile(t, 1)
	file := mapFile(t, f, fdmap.Options{Len: 5, Replace: head})
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("attached %d times after the beginning was replaced", n)
	}
	wantByte(t, file, 0, 1)
	wantFault(t, shmkit.Guard(func() { b[pageSize] = 1 }), head, pagesAt(1), shmkit.ErrClosed)
	closeOK(t, instead)
	closeOK(t, tail)
	if n, o := attachCount(t, seg), attachCount(t, other); n != 0 || o != 0 {
		t.Errorf("attached %d and %d times after all is closed", n, o)
	}
	wantByte(t, file, 4, 1)
}

func TestTheMiddleOfASegmentIsUnmapped(t *testing.T) {
	seg := newSegment(t, pagesAt(3))
	m := attach(t, seg, nil)
	begin := m.Addr()
	head, rest := split(t, m, pagesAt(1))
	middle, tail := split(t, rest, pagesAt(1))
	if err := middle.Store64(8, 7); err != nil {
		t.Fatal(err)
	}
	closeOK(t, middle)
	if n := attachCount(t, seg); n != 2 {
		t.Errorf("attached %d times around a hole", n)
	}
	if sys.Readable(begin+uintptr(pageSize)) || !sys.Readable(begin) || !sys.Readable(begin+2*uintptr(pageSize)) {
		t.Errorf("the hole is not where it should be: %q", paths(t, begin, 3))
	}
	again := attach(t, seg, nil)
	if v, err := again.Load64(pagesAt(1) + 8); v != 7 || err != nil {
		t.Errorf("the segment has %d, %v", v, err)
	}
	closeOK(t, head)
	closeOK(t, tail)
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("attached %d times", n)
	}
}

// However a mapping is cut up and closed, the descriptor goes with its last part.
func TestTheDescriptorGoesWithTheLastPart(t *testing.T) {
	orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}}
	for _, order := range orders {
		f, o := newFile(t, 4)
		m := mapFile(t, f, fdmap.Options{Len: pagesAt(4), Reserve: pagesAt(6)})
		ab, cd := split(t, m, pagesAt(2))
		a, b := split(t, ab, pagesAt(1))
		c, d := split(t, cd, pagesAt(1))
		if err := d.Resize(pagesAt(3)); err != nil { // into what was reserved
			t.Fatal(err)
		}
		closeOK(t, f)
		other, _ := newFile(t, 1)
		parts := []*shmkit.Mapping{a, b, c, mapFile(t, other, fdmap.Options{Len: 1, Replace: d})}
		left := 3 // the fourth is another file's now
		for _, part := range order {
			closeOK(t, parts[part])
			if part != 3 {
				left--
			}
			if _, err := o.Stat(); (err != nil) != (left == 0) {
				t.Errorf("order %v: with %d parts left the descriptor is: %v", order, left, err)
			}
		}
	}
}

func TestPartsResizeAndProtectOnTheirOwn(t *testing.T) {
	f, _ := newFile(t, 8)
	m := mapFile(t, f, fdmap.Options{Off: 16, Len: pagesAt(4) - 16})
	head, tail := split(t, m, pagesAt(2)-16)
	if err := head.Protect(0, int64(head.Len()), readOnly); err != nil {
		t.Fatal(err)
	}
	if _, err := tail.WriteAt([]byte{40}, pagesAt(1)); err != nil {
		t.Error(err)
	}
	if err := tail.Resize(pagesAt(6)); err != nil {
		t.Fatal(err)
	}
	wantByte(t, tail, pagesAt(5), 8)
	if err := head.Resize(pagesAt(6) - 16); err != nil { // its neighbour is in the way
		t.Fatal(err)
	}
	wantByte(t, head, pagesAt(3)-16, 40)
	_, err := head.WriteAt([]byte{1}, pagesAt(3))
	wantAccessError(t, err, "write", shmkit.ErrReadOnly)
}

func TestOneOfManySplitsWins(t *testing.T) {
	f, _ := newFile(t, 4)
	for range 100 {
		m := mapFile(t, f, fdmap.Options{Len: pagesAt(4)})
		registered := shmkit.Registered()
		var won sync.Map
		var wg sync.WaitGroup
		for i := 1; i < 4; i++ {
			wg.Go(func() {
				head, tail, err := m.Split(pagesAt(i))
				switch {
				case err == nil:
					won.Store(i, true)
					wantByte(t, head, 0, 1)
					wantByte(t, tail, 0, byte(i+1))
					closeOK(t, head)
					closeOK(t, tail)
				case !errors.Is(err, shmkit.ErrClosed) && !errors.Is(err, shmkit.ErrInUse):
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := m.ReadAt(make([]byte, 8), 0); err != nil && !errors.Is(err, shmkit.ErrClosed) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		won.Range(func(any, any) bool { n++; return true })
		if n > 1 {
			t.Fatalf("%d splits of one mapping worked", n)
		}
		closeOK(t, m)
		if now := shmkit.Registered(); now != registered-1 {
			t.Fatalf("the registry went from %d to %d", registered, now)
		}
	}
}

// Pages of huge pages are cut where those begin.
func TestHugePagesAreSplitWhereTheyBegin(t *testing.T) {
	huge := int(testenv.HugePages(t, 3))
	seg, err := sysv.GetSegment(sysv.Private, int64(2*huge+5000), &sysv.SegmentOptions{
		GetOptions: sysv.GetOptions{Create: true, Mode: 0o600}, HugePages: true})
	if err != nil {
		t.Fatal(err)
	}
	m := attach(t, seg, nil)
	if err := seg.Remove(); err != nil {
		t.Fatal(err)
	}
	begin := m.Addr()
	for i := range 3 {
		if err := m.Store64(int64(i*huge), uint64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = m.Split(int64(pageSize))
	wantAccessError(t, err, "split", shmkit.ErrMisaligned, fmt.Sprintf("0 and %d are", huge))
	wantAccessError(t, m.Protect(int64(pageSize), int64(pageSize), readOnly), "protect", shmkit.ErrMisaligned)
	head, rest := split(t, m, int64(huge))
	middle, tail := split(t, rest, int64(huge))
	if err := middle.Protect(0, int64(huge), readOnly); err != nil {
		t.Error(err)
	}
	closeOK(t, head)
	late := tail.Bytes()
	if v, err := tail.Load64(0); v != 3 || err != nil {
		t.Errorf("the tail reads %d, %v", v, err)
	}
	if v, err := middle.Load64(0); v != 2 || err != nil {
		t.Errorf("the middle reads %d, %v", v, err)
	}
	closeOK(t, tail)
	closeOK(t, middle)
	wantFault(t, shmkit.Guard(func() { late[0]++ }), tail, 0, shmkit.ErrClosed)
	for e := range sys.Maps(begin, begin+3*uintptr(huge)) {
		if e.Inode != 0 {
			t.Errorf("still mapped: %+v", e)
		}
	}
}

func TestHugePagesOfAFileGrowAndMove(t *testing.T) {
	huge := int(testenv.HugePages(t, 6))
	fd, err := sys.MemfdCreate("huge", sys.MFD_CLOEXEC|sys.MFD_HUGETLB)
	if err != nil {
		t.Skipf("needs a memfd of huge pages: %v", err)
	}
	f, o := newFileOf(t, fd)
	if err := o.Truncate(int64(4 * huge)); err != nil {
		t.Fatal(err)
	}
	at := func(i int) int64 { return int64(i * huge) }
	m := mapFile(t, f, fdmap.Options{Len: at(1), PageSize: huge, Reserve: at(2)})
	if err := m.Store64(8, 42); err != nil {
		t.Fatal(err)
	}
	if err := m.Resize(at(2)); err != nil {
		t.Fatal(err)
	}
	if err := sys.ReserveAt(m.Addr()+uintptr(2*huge), pageSize); err == nil {
		defer sys.Munmap(m.Addr()+uintptr(2*huge), pageSize)
	}
	before := m.Addr()
	if err := m.Resize(at(4)); err != nil {
		t.Fatal(err)
	}
	if m.Addr() == before {
		t.Error("it did not move")
	}
	if v, err := m.Load64(8); v != 42 || err != nil {
		t.Errorf("it reads %d, %v", v, err)
	}
	if err := m.Store64(at(3), 1); err != nil {
		t.Error(err)
	}
	if _, _, err := m.Split(int64(pageSize)); !errors.Is(err, shmkit.ErrMisaligned) {
		t.Errorf("split within a page: %v", err)
	}
	// A private one would have to move its copies, which the kernel refuses: nothing is lost.
	p := mapFile(t, f, fdmap.Options{Len: at(1), PageSize: huge, Private: true})
	if err := p.Store64(8, 43); err != nil {
		t.Fatal(err)
	}
	if err := sys.ReserveAt(p.Addr()+uintptr(huge), pageSize); err == nil {
		defer sys.Munmap(p.Addr()+uintptr(huge), pageSize)
	}
	if err := p.Resize(at(2)); err != nil && !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
	if v, err := p.Load64(8); v != 43 || err != nil {
		t.Errorf("the private copy reads %d, %v", v, err)
	}
}
