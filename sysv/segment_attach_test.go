package sysv_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/sysv"
)

func TestAttachMapsForReadingAndWriting(t *testing.T) {
	seg := newSegment(t, 4097, 0o600)
	m := attach(t, seg, nil)
	wantAttached(t, seg, 1)
	if m.Len() != 4097 || m.Protection() != shmkit.Read|shmkit.Write || m.Name() != address(seg.Key()) {
		t.Errorf("got %v", m)
	}
	wantPermissions(t, m, "rw-s")
	second := attach(t, seg, &sysv.AttachOptions{})
	wantAttached(t, seg, 2)
	if second.Addr() == m.Addr() {
		t.Error("two mappings at one address")
	}
	m.Bytes()[4096] = 9
	if second.Bytes()[4096] != 9 {
		t.Error("two mappings of one segment show different memory")
	}
}

// freeAddress returns an address with free address space around it, which nobody
// will take: the kernel fills gaps from their upper end.
func freeAddress(t *testing.T) uintptr {
	t.Helper()
	const gap = 1 << 30
	addr, err := sys.ReserveAnywhere(gap)
	ok(t, err)
	ok(t, sys.Munmap(addr, gap))
	return (addr + gap/2) &^ (1<<21 - 1)
}

// wantPermissions requires /proc/self/maps to show the mapping with permissions.
func wantPermissions(t *testing.T, m *shmkit.Mapping, permissions string) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	ok(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, fmt.Sprintf("%08x-", m.Addr())); found {
			if got := strings.Fields(rest)[1]; got != permissions {
				t.Errorf("%v is mapped %s, want %s", m, got, permissions)
			}
			return
		}
	}
	t.Errorf("%v is not in /proc/self/maps", m)
}

func TestReadOnlyMappingsCannotBeWritten(t *testing.T) {
	seg := newSegment(t, 4096, 0o600)
	_, err := attach(t, seg, nil).WriteAt([]byte("text"), 0)
	ok(t, err)
	m := attach(t, seg, &sysv.AttachOptions{ReadOnly: true})
	wantPermissions(t, m, "r--s")
	b := make([]byte, 4)
	if _, err := m.ReadAt(b, 0); err != nil || string(b) != "text" {
		t.Errorf("read %q, %v", b, err)
	}
	if _, err := m.WriteAt(b, 0); !errors.Is(err, shmkit.ErrReadOnly) {
		t.Errorf("WriteAt: %v", err)
	}
	var fault *shmkit.FaultError
	err = shmkit.Guard(func() { m.Bytes()[100] = 1 })
	if !errors.As(err, &fault) || !errors.Is(err, shmkit.ErrReadOnly) || fault.Off != 100 {
		t.Errorf("a store: %v", err)
	}
}

func TestAReadOnlyMappingNeedsReadPermissionOnly(t *testing.T) {
	owner := startUnprivileged(t)
	key := freeKey(t)
	owner.does(fmt.Sprintf("create %d 1 0400", key))
	owner.does("attach-ro")
	owner.failsTo("attach", accessDenied, "attach segment "+address(key), "mode 0400")
}

func TestAttachAtAnAddress(t *testing.T) {
	const size = 3 * 4096
	seg := newSegment(t, size, 0o600)
	addr := freeAddress(t)
	m := attach(t, seg, &sysv.AttachOptions{Addr: addr})
	if m.Addr() != addr {
		t.Errorf("attached at %#x, want %#x", m.Addr(), addr)
	}
	wantAttached(t, seg, 1)
	if info := stat(t, seg); info.Size != size {
		t.Errorf("size %d", info.Size)
	}
}

func TestAttachAtATakenAddressIsRefused(t *testing.T) {
	seg := newSegment(t, 2*int64(pageSize), 0o600)
	taken := attach(t, seg, nil)
	taken.Bytes()[0] = 5
	for _, addr := range []uintptr{taken.Addr(), taken.Addr() + uintptr(pageSize), taken.Addr() - uintptr(pageSize)} {
		_, err := seg.Attach(&sysv.AttachOptions{Addr: addr})
		wantError(t, err, invalid, "attach segment "+seg.String(), fmt.Sprintf("%#x is not free", addr))
	}
	wantAttached(t, seg, 1)
	if taken.Bytes()[0] != 5 {
		t.Error("what was there is gone")
	}
}

func TestAttachAtAnUnalignedAddressNeedsRound(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	page := freeAddress(t)
	for _, addr := range []uintptr{page + 1, page + 2048, page + uintptr(pageSize) - 1} {
		_, err := seg.Attach(&sysv.AttachOptions{Addr: addr})
		wantError(t, err, invalid, "attach segment "+seg.String(), fmt.Sprintf("%#x", addr), fmt.Sprintf("page size %d", pageSize))
		m, err := seg.Attach(&sysv.AttachOptions{Addr: addr, Round: true})
		if err != nil {
			t.Errorf("%#x with Round: %v", addr, err)
			continue
		}
		if m.Addr() != page {
			t.Errorf("%#x was rounded to %#x, want %#x", addr, m.Addr(), page)
		}
		closeOK(t, m)
	}
	// Round without an address changes nothing, and neither does it at an aligned one.
	attach(t, seg, &sysv.AttachOptions{Round: true})
	m := attach(t, seg, &sysv.AttachOptions{Round: true, Addr: page})
	if m.Addr() != page {
		t.Errorf("%#x was rounded to %#x", page, m.Addr())
	}
}

// Root could map address 0 that way, and a nil pointer would reach the segment.
func TestAnAddressThatRoundsToNothingIsRefused(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	for _, addr := range []uintptr{1, 4095} {
		_, err := seg.Attach(&sysv.AttachOptions{Addr: addr, Round: true})
		wantError(t, err, invalid, "attach segment "+seg.String(), fmt.Sprintf("%#x rounds down to 0", addr))
	}
	wantAttached(t, seg, 0)
}

func TestAttachAtAnImpossibleAddressIsRefused(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	for _, addr := range []uintptr{1 << 62, 1 << 63, math.MaxUint64 &^ 4095, 1<<57 - 4096} {
		m, err := seg.Attach(&sysv.AttachOptions{Addr: addr})
		if err == nil {
			t.Errorf("attached at %v", m)
			closeOK(t, m)
			continue
		}
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), seg.String()) {
			t.Errorf("%#x: %v", addr, err)
		}
	}
	wantAttached(t, seg, 0)
}

func TestAttachAtALowAddressIsForRoot(t *testing.T) {
	seg := newSegment(t, 1, 0o666)
	nobody := startNobody(t)
	nobody.does(fmt.Sprintf("open-id %d", seg.ID()))
	text, err := os.ReadFile("/proc/sys/vm/mmap_min_addr")
	ok(t, err)
	lowest, err := strconv.Atoi(strings.TrimSpace(string(text)))
	ok(t, err)
	if lowest <= pageSize {
		t.Skipf("vm.mmap_min_addr is %d: the first page that can be asked for is free to all", lowest)
	}
	nobody.failsTo(fmt.Sprintf("attach-at %d", pageSize), "EPERM fs.ErrPermission", "attach segment "+seg.String(), "below vm.mmap_min_addr")
}

func TestExecMappingsCanBeExecuted(t *testing.T) {
	seg := newSegment(t, 1, 0o700)
	m := attach(t, seg, &sysv.AttachOptions{Exec: true})
	wantPermissions(t, m, "rwxs")
	if m.Protection() != shmkit.Read|shmkit.Write|shmkit.Exec {
		t.Errorf("protection %v", m.Protection())
	}
	m = attach(t, seg, &sysv.AttachOptions{Exec: true, ReadOnly: true})
	wantPermissions(t, m, "r-xs")
	if m.Protection() != shmkit.Read|shmkit.Exec {
		t.Errorf("protection %v", m.Protection())
	}
}

func TestExecNeedsExecutePermission(t *testing.T) {
	seg := newSegment(t, 1, 0o644)
	nobody := startNobody(t)
	nobody.does(fmt.Sprintf("open-id %d", seg.ID()))
	nobody.failsTo("attach-exec", accessDenied, "attach segment "+seg.String(), "mode 0644")
	ok(t, seg.SetMode(0o645))
	nobody.does("attach-exec")
	wantAttached(t, seg, 1)
	nobody.does("close")
	wantAttached(t, seg, 0)
}

func TestAttachOfWhatIsNoSegmentIsNotExist(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	ok(t, seg.Remove())
	_, err := seg.Attach(nil)
	wantGone(t, err, "attach segment "+seg.String())
	_, err = seg.Attach(&sysv.AttachOptions{Addr: 0x7000_0000_0000, ReadOnly: true})
	wantGone(t, err, "attach segment "+seg.String())
	old := attach(t, newSegment(t, 1, 0o600), nil)
	_, err = seg.Attach(&sysv.AttachOptions{Replace: old})
	wantGone(t, err, "attach segment "+seg.String())
	if _, err := old.WriteAt([]byte{1}, 0); err != nil {
		t.Errorf("the mapping that was to be replaced: %v", err)
	}
}

func TestASegmentCanBeAttachedOftenInOneProcess(t *testing.T) {
	const n = 200
	seg := newSegment(t, 1, 0o600)
	seen := map[uintptr]bool{}
	for range n {
		seen[attach(t, seg, nil).Addr()] = true
	}
	if len(seen) != n {
		t.Errorf("%d mappings at %d addresses", n, len(seen))
	}
	wantAttached(t, seg, n)
}

func TestMappedLengthIsWholePages(t *testing.T) {
	seg := newSegment(t, int64(pageSize)+1, 0o600)
	m := attach(t, seg, nil)
	if n, ok := sys.MappedLength(m.Addr()); !ok || n != 2*pageSize {
		t.Errorf("the kernel mapped %d bytes (found %t), want %d", n, ok, 2*pageSize)
	}
	if n, ok := sys.MappedLength(m.Addr() + 1); ok {
		t.Errorf("a mapping of %d bytes is said to begin inside of another", n)
	}
}
