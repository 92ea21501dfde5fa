package sys_test

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

// What the kernel does with the addresses of an attached segment. A Mapping hides
// it: there is no way to unmap half of one, or to change its protection.

var pageSize = syscall.Getpagesize()

// newSegment makes a segment of pages that is removed when the test ends.
func newSegment(t *testing.T, pages int) int {
	t.Helper()
	id, err := sys.Shmget(0, uint64(pages*pageSize), sys.IPC_CREAT|0o600)
	ok(t, err)
	t.Cleanup(func() {
		if err := sys.ShmRemove(id); err != nil && !errors.Is(err, syscall.EINVAL) {
			t.Error(err)
		}
	})
	return id
}

// attach attaches a segment wherever the kernel likes; nobody detaches it but the
// test.
func attach(t *testing.T, id, flags int) uintptr {
	t.Helper()
	addr, err := sys.Shmat(id, 0, flags)
	ok(t, err)
	return addr
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErrno(t *testing.T, what string, err error, want syscall.Errno) {
	t.Helper()
	if err != error(want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func wantAttached(t *testing.T, id, n int) {
	t.Helper()
	var ds sys.ShmidDS
	_, err := sys.ShmStat(id, sys.IPC_STAT, &ds)
	ok(t, err)
	if ds.Nattch != uint64(n) {
		t.Errorf("%d mappings are attached, want %d", ds.Nattch, n)
	}
}

// faults reports whether f makes an access that the kernel refuses.
func faults(t *testing.T, f func()) (faulted bool) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			faulted = true
		default:
			panic(r)
		}
	}()
	f()
	return false
}

func TestDetachOfWhatIsNotAttachedIsInvalid(t *testing.T) {
	id := newSegment(t, 2)
	addr := attach(t, id, 0)
	wantErrno(t, "unaligned", sys.Shmdt(addr+1), syscall.EINVAL)
	wantErrno(t, "the second page", sys.Shmdt(addr+uintptr(pageSize)), syscall.EINVAL)
	wantErrno(t, "address 0", sys.Shmdt(0), syscall.EINVAL)
	wantAttached(t, id, 1)
	ok(t, sys.Shmdt(addr))
	wantAttached(t, id, 0)
	wantErrno(t, "twice", sys.Shmdt(addr), syscall.EINVAL)

	other, err := sys.ReserveAnywhere(pageSize)
	ok(t, err)
	wantErrno(t, "memory that is no segment", sys.Shmdt(other), syscall.EINVAL)
	ok(t, sys.Munmap(other, pageSize))
}

func TestAccessAfterDetachFaults(t *testing.T) {
	id := newSegment(t, 1)
	addr := attach(t, id, 0)
	b := sys.Bytes(addr, pageSize)
	b[0] = 1
	if !sys.Readable(addr) || faults(t, func() { b[1] = b[0] }) {
		t.Error("what is attached can't be used")
	}
	ok(t, sys.Shmdt(addr))
	if sys.Readable(addr) || !faults(t, func() { b[0] = 2 }) {
		t.Error("what was detached can be used")
	}
}

func TestAttachOverMemoryNeedsAnAddress(t *testing.T) {
	id := newSegment(t, 1)
	for what, addr := range map[string]uintptr{"address 0": 0, "an address that rounds to 0": 1} {
		_, err := sys.Shmat(id, addr, sys.SHM_RND|sys.SHM_REMAP)
		wantErrno(t, what, err, syscall.EINVAL)
	}
	_, err := sys.Shmat(id, 1, sys.SHM_REMAP)
	wantErrno(t, "an unaligned address", err, syscall.EINVAL)
	wantAttached(t, id, 0)
}

func TestAttachOverMemoryReplacesIt(t *testing.T) {
	first, second := newSegment(t, 2), newSegment(t, 1)
	addr := attach(t, first, 0)
	sys.Bytes(addr, 1)[0] = 1
	sys.Bytes(addr+uintptr(pageSize), 1)[0] = 2
	at, err := sys.Shmat(second, addr, sys.SHM_REMAP)
	ok(t, err)
	if at != addr || sys.Bytes(addr, 1)[0] != 0 || sys.Bytes(addr+uintptr(pageSize), 1)[0] != 2 {
		t.Error("the first page should show the new segment, the second still the old one")
	}
	wantAttached(t, first, 1)
	wantAttached(t, second, 1)
	ok(t, sys.Munmap(addr, 2*pageSize))
	wantAttached(t, first, 0)
	wantAttached(t, second, 0)
}

func TestDetachUndoesASplitByProtection(t *testing.T) {
	id := newSegment(t, 3)
	addr := attach(t, id, 0)
	ok(t, sys.Mprotect(addr+uintptr(pageSize), pageSize, sys.PROT_READ))
	wantAttached(t, id, 3) // the kernel counts ranges
	b := sys.Bytes(addr, 3*pageSize)
	if faults(t, func() { b[0], b[2*pageSize] = 1, 1 }) || !faults(t, func() { b[pageSize] = 1 }) {
		t.Error("the middle page, and no other, should be read-only")
	}
	ok(t, sys.Shmdt(addr))
	wantAttached(t, id, 0)
	if sys.Readable(addr) || sys.Readable(addr+uintptr(pageSize)) || sys.Readable(addr+2*uintptr(pageSize)) {
		t.Error("a part is still mapped")
	}
}

func TestDetachTakesWhatAPartialUnmapLeft(t *testing.T) {
	id := newSegment(t, 4)
	addr := attach(t, id, 0)
	ok(t, sys.Munmap(addr+uintptr(pageSize), 2*pageSize))
	wantAttached(t, id, 2)
	b := sys.Bytes(addr, 4*pageSize)
	if faults(t, func() { b[0], b[3*pageSize] = 1, 1 }) || !faults(t, func() { b[pageSize] = 1 }) {
		t.Error("the middle, and no more, should be gone")
	}
	ok(t, sys.Shmdt(addr))
	wantAttached(t, id, 0)
	if sys.Readable(addr) || sys.Readable(addr+3*uintptr(pageSize)) {
		t.Error("a part is still mapped")
	}
}

func TestReadOnlyAttachmentsStayReadOnly(t *testing.T) {
	id := newSegment(t, 1)
	addr := attach(t, id, sys.SHM_RDONLY)
	b := sys.Bytes(addr, pageSize)
	wantErrno(t, "asking for more", sys.Mprotect(addr, pageSize, sys.PROT_READ|sys.PROT_WRITE), syscall.EACCES)
	if faults(t, func() { _ = b[0] + 1 }) || !faults(t, func() { b[0] = 1 }) {
		t.Error("it should be readable, and not writable")
	}
	ok(t, sys.Shmdt(addr))
}

func TestWritableAttachmentsGoDownAndUp(t *testing.T) {
	id := newSegment(t, 1)
	addr := attach(t, id, 0)
	b := sys.Bytes(addr, pageSize)
	b[0] = 1
	ok(t, sys.Mprotect(addr, pageSize, sys.PROT_READ))
	if b[0] != 1 || !faults(t, func() { b[0] = 2 }) {
		t.Error("it should be readable, and not writable")
	}
	ok(t, sys.Mprotect(addr, pageSize, sys.PROT_NONE))
	if sys.Readable(addr) {
		t.Error("it should not be readable")
	}
	ok(t, sys.Mprotect(addr, pageSize, sys.PROT_READ|sys.PROT_WRITE))
	if faults(t, func() { b[0]++ }) || b[0] != 2 {
		t.Error("it should be as before")
	}
	ok(t, sys.Shmdt(addr))
}

func TestUnknownCommandsAndIdentifiersAreInvalid(t *testing.T) {
	id := newSegment(t, 1)
	wantErrno(t, "a command of semaphores", sys.ShmControl(id, sys.SEM_STAT), syscall.EINVAL)
	wantErrno(t, "no command", sys.ShmControl(id, -1), syscall.EINVAL)
	for _, id := range []int{-1, 1<<31 - 1} {
		_, err := sys.Shmat(id, 0, 0)
		wantErrno(t, "attach", err, syscall.EINVAL)
		var ds sys.ShmidDS
		_, err = sys.ShmStat(id, sys.IPC_STAT, &ds)
		wantErrno(t, "stat", err, syscall.EINVAL)
		wantErrno(t, "set", sys.ShmSet(id, &ds), syscall.EINVAL)
		for _, command := range []int{sys.IPC_RMID, sys.SHM_LOCK, sys.SHM_UNLOCK} {
			wantErrno(t, "control", sys.ShmControl(id, command), syscall.EINVAL)
		}
	}
}

func TestStatByIndexIsStat(t *testing.T) {
	id := newSegment(t, 3)
	addr := attach(t, id, 0)
	var byID sys.ShmidDS
	_, err := sys.ShmStat(id, sys.IPC_STAT, &byID)
	ok(t, err)
	var use sys.ShmUse
	highest, err := sys.ShmUsage(&use)
	ok(t, err)
	for _, command := range []int{sys.SHM_STAT, sys.SHM_STAT_ANY} {
		found := 0
		for i := range highest + 1 {
			var ds sys.ShmidDS
			if got, err := sys.ShmStat(i, command, &ds); err == nil && got == id {
				found++
				if ds != byID {
					t.Errorf("command %d says %+v, IPC_STAT says %+v", command, ds, byID)
				}
			}
		}
		if found != 1 {
			t.Errorf("command %d finds the segment at %d indexes up to %d", command, found, highest)
		}
	}
	ok(t, sys.Shmdt(addr))
}

// A mapping that is rearranged while its segment is removed once reached freed
// memory in the kernel. Rearranging must work or say that the segment is gone.
func TestRemappingASegmentWhileItIsRemovedEndsCleanly(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		id, err := sys.Shmget(0, uint64(2*pageSize), sys.IPC_CREAT|0o600)
		ok(t, err)
		addr := attach(t, id, 0)
		var wg sync.WaitGroup
		wg.Go(func() {
			err := sys.RemapFilePages(addr, pageSize, 0)
			if err != nil && err != syscall.EINVAL && err != syscall.EIDRM {
				t.Errorf("remap_file_pages: %v", err)
			}
		})
		wg.Go(func() {
			if err := sys.ShmRemove(id); err != nil {
				t.Errorf("remove: %v", err)
			}
		})
		wg.Go(func() {
			if err := sys.Shmdt(addr); err != nil && err != syscall.EINVAL {
				t.Errorf("detach: %v", err)
			}
		})
		wg.Wait()
		// Remapping after the detach may have found other memory, never this segment's.
		var ds sys.ShmidDS
		if _, err := sys.ShmStat(id, sys.IPC_STAT, &ds); err == nil {
			_ = sys.Shmdt(addr)
			if _, err := sys.ShmStat(id, sys.IPC_STAT, &ds); err == nil {
				t.Fatalf("the segment outlives its detach: %+v", ds)
			}
		}
	}
}
