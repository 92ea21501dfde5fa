package sysv_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// needHugePages skips where the kernel has none.
func needHugePages(t *testing.T) {
	t.Helper()
	if _, ok := sys.Meminfo("Hugepagesize"); !ok {
		t.Skip("this kernel has no huge pages")
	}
}

func hugeSegment(t *testing.T, size int64, o sysv.SegmentOptions) *sysv.Segment {
	t.Helper()
	o.HugePages, o.Mode = true, 0o600
	seg, err := getPrivate(t, size, &o)
	ok(t, err)
	return seg
}

func TestHugePagesNeedReservedPages(t *testing.T) {
	needHugePages(t)
	testenv.RequireRoot(t)
	_, err := getPrivate(t, 1<<50, &sysv.SegmentOptions{HugePages: true})
	wantError(t, err, noMemory, "segment sysv:private", "huge pages", "vm.nr_hugepages")
}

func TestHugePagesNeedAPrivilege(t *testing.T) {
	needHugePages(t)
	startNobody(t).failsTo("create-huge 1", notOwner, "create segment sysv:private", "CAP_IPC_LOCK", "vm.hugetlb_shm_group")
}

func TestHugePageSizesAreChecked(t *testing.T) {
	for _, size := range []int64{-1, 1, 3, 12345, 1<<21 + 1, math.MinInt64, math.MaxInt64} {
		_, err := getPrivate(t, 1, &sysv.SegmentOptions{HugePages: true, HugePageSize: size})
		wantError(t, err, invalid, fmt.Sprintf("huge page size %d", size))
	}
	testenv.RequireRoot(t)
	for _, size := range []int64{2, 4096, 1 << 40, 1 << 62} { // powers of two that no machine has
		_, err := getPrivate(t, 1, &sysv.SegmentOptions{HugePages: true, HugePageSize: size})
		wantError(t, err, invalid, "this machine has no huge pages of that size")
	}
}

func TestASegmentOfHugePagesWorksAsAnyOther(t *testing.T) {
	huge := testenv.HugePages(t, 4)
	for _, size := range []int64{1, 5000, huge, huge + 1, 2*huge - 4096} {
		for _, o := range []sysv.SegmentOptions{{}, {HugePageSize: huge}} {
			seg := hugeSegment(t, size, o)
			m := attach(t, seg, nil)
			if int64(m.Len()) != size || stat(t, seg).Size != size {
				t.Errorf("made with %d bytes: the mapping has %d, the kernel says %d", size, m.Len(), stat(t, seg).Size)
			}
			if n, _ := sys.MappedLength(m.Addr()); int64(n)%huge != 0 || int64(n) < size {
				t.Errorf("%d bytes of huge pages are mapped", n)
			}
			_, err := m.WriteAt([]byte{1}, size-1)
			ok(t, err)
			closeOK(t, m)
			wantAttached(t, seg, 0)
			again := attach(t, seg, &sysv.AttachOptions{ReadOnly: true})
			b := []byte{0}
			if _, err := again.ReadAt(b, size-1); err != nil || b[0] != 1 {
				t.Errorf("read %d, %v", b[0], err)
			}
			closeOK(t, again)
			ok(t, seg.Remove())
		}
	}
}

// Huge pages are mapped and unmapped as a whole, and so the addresses of one byte
// take two megabytes: all of them must stay reserved.
func TestLateUseOfHugePagesFaultsAsClosed(t *testing.T) {
	huge := testenv.HugePages(t, 2)
	for _, size := range []int64{1, 5000, huge, huge + 4096} {
		seg := hugeSegment(t, size, sysv.SegmentOptions{})
		m := attach(t, seg, nil)
		b := m.Bytes()
		b[size-1] = 1
		closeOK(t, m)
		wantAttached(t, seg, 0)
		var fault *shmkit.FaultError
		err := shmkit.Guard(func() { b[size-1] = 2 })
		if !errors.As(err, &fault) || !errors.Is(err, shmkit.ErrClosed) || fault.Off != size-1 {
			t.Errorf("%d bytes: a late use gives %v", size, err)
		}
		whole := (size + huge - 1) / huge * huge
		later := newSegment(t, 1, 0o600)
		for _, off := range []int64{0, whole - int64(pageSize)} {
			if got, err := later.Attach(&sysv.AttachOptions{Addr: m.Addr() + uintptr(off)}); err == nil {
				t.Errorf("%d bytes: something was attached at offset %d of the reserved range", size, off)
				closeOK(t, got)
			}
		}
		// And all of them must come back, when enough others were closed since.
		for range 4096 {
			other, err := later.Attach(nil)
			ok(t, err)
			other.Bytes()
			ok(t, other.Close())
		}
		attach(t, later, &sysv.AttachOptions{Addr: m.Addr() + uintptr(whole) - uintptr(pageSize)})
		ok(t, seg.Remove())
	}
}

func TestAMissingHugePageIsNoMemory(t *testing.T) {
	huge := testenv.HugePages(t, 1)
	seg := hugeSegment(t, 1<<36, sysv.SegmentOptions{NoReserve: true})
	m := attach(t, seg, nil)
	// More than there can be.
	var err error
	off := int64(0)
	for ; err == nil && off < int64(m.Len()); off += huge {
		err = m.Store64(off, 1)
	}
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) || !errors.Is(err, shmkit.ErrNoMemory) || fault.Off != off-huge {
		t.Errorf("when the huge pages ran out, at offset %d: %v", off-huge, err)
	}
	if v, err := m.Load64(0); v != 1 || err != nil {
		t.Errorf("the first page, which is there: %d, %v", v, err)
	}
}

// A segment of huge pages overwrites more than its size says.
func TestReplaceWithHugePagesSparesTheNeighbours(t *testing.T) {
	huge := testenv.HugePages(t, 1)
	seg := hugeSegment(t, 1, sysv.SegmentOptions{})
	// A short mapping where huge pages could stand, with a neighbour.
	small, neighbour := newSegment(t, int64(pageSize), 0o600), newSegment(t, int64(pageSize), 0o600)
	addr := freeAddress(t)
	if int64(addr)%huge != 0 {
		t.Skipf("huge pages have %d bytes, and %#x is no place for them", huge, addr)
	}
	old := attach(t, small, &sysv.AttachOptions{Addr: addr})
	beside := attach(t, neighbour, &sysv.AttachOptions{Addr: addr + uintptr(pageSize)})
	beside.Bytes()[0] = 7
	_, err := seg.Attach(&sysv.AttachOptions{Replace: old})
	wantError(t, err, invalid, "attach segment "+seg.String(), fmt.Sprintf("%d bytes do not fit", huge))
	if b := beside.Bytes(); b[0] != 7 {
		t.Errorf("the neighbour reads %d", b[0])
	}
	wantAttached(t, neighbour, 1)
	wantAttached(t, seg, 0)

	// Where they fit, they fit.
	large := newSegment(t, huge, 0o600)
	place := attach(t, large, &sysv.AttachOptions{Addr: addr + uintptr(4*huge)})
	m := attach(t, seg, &sysv.AttachOptions{Replace: place})
	wantAttached(t, seg, 1)
	wantAttached(t, large, 0)
	if m.Len() != 1 || m.Addr() != place.Addr() {
		t.Errorf("got %v", m)
	}
	_, err = m.WriteAt([]byte{1}, 0)
	ok(t, err)
	closeOK(t, m)
	wantAttached(t, seg, 0)
}
