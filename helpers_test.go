package shmkit_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/internal/vm"
	"github.com/shmkit/shmkit/sysv"
)

var pageSize = os.Getpagesize()

// newSegment makes a segment that is removed when the test ends.
func newSegment(t testing.TB, size int64) *sysv.Segment {
	t.Helper()
	seg, err := sysv.Create(sysv.Private, size, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := seg.Remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return seg
}

// attach attaches seg until the test ends.
func attach(t testing.TB, seg *sysv.Segment, o *sysv.AttachOptions) *shmkit.Mapping {
	t.Helper()
	m, err := seg.Attach(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

// newMapping makes size bytes of shared memory for reading and writing. Even if
// the process dies of a fault, nothing is left behind.
func newMapping(t testing.TB, size int64) *shmkit.Mapping {
	t.Helper()
	return newRemoved(t, size, nil)
}

// newReadOnly makes size bytes of zeros that can't be written.
func newReadOnly(t testing.TB, size int64) *shmkit.Mapping {
	t.Helper()
	return newRemoved(t, size, &sysv.AttachOptions{ReadOnly: true})
}

// newRemoved attaches a segment that goes with its mapping.
func newRemoved(t testing.TB, size int64, o *sysv.AttachOptions) *shmkit.Mapping {
	t.Helper()
	seg := newSegment(t, size)
	m := attach(t, seg, o)
	if err := seg.Remove(); err != nil {
		t.Fatal(err)
	}
	return m
}

func closeOK(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// attachCount is the kernel's count of mappings of the segment.
func attachCount(t testing.TB, seg *sysv.Segment) int {
	t.Helper()
	info, err := seg.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Attached
}

// newCuttable maps a file of whole pages, which cut shortens to n bytes: what lies
// behind faults from then on.
func newCuttable(t testing.TB, pages int) (m *shmkit.Mapping, cut func(n int)) {
	t.Helper()
	name := testenv.Name(t)
	f, err := os.OpenFile(filepath.Join("/dev/shm", name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOK(t, f) })
	size := pages * pageSize
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	m = shmkit.NewMapping(vm.New(vm.Spec{Addr: sys.Addr(b), Len: size, Size: size, Readable: true, Writable: true,
		Name: "file:" + name, Unmap: sys.Munmap}))
	t.Cleanup(func() { closeOK(t, m) })
	return m, func(n int) {
		t.Helper()
		if err := f.Truncate(int64(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// newUnreadable is a mapping of memory that nobody may touch, as no source of
// memory makes it yet.
func newUnreadable(t testing.TB, size int) *shmkit.Mapping {
	t.Helper()
	addr, err := sys.ReserveAnywhere(size)
	if err != nil {
		t.Fatal(err)
	}
	m := shmkit.NewMapping(vm.New(vm.Spec{Addr: addr, Len: size, Size: size, Name: "none:", Unmap: sys.Munmap}))
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

// foreignMemory is a page that is no Mapping and that nobody may touch.
func foreignMemory() (b []byte, release func() error) {
	addr, err := sys.ReserveAnywhere(pageSize)
	if err != nil {
		panic(err)
	}
	return sys.Bytes(addr, pageSize), func() error { return sys.Munmap(addr, pageSize) }
}

// mapped reports whether a mapping of the process begins at addr, and with which
// permissions.
func mapped(t testing.TB, addr uintptr) (permissions string, ok bool) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, fmt.Sprintf("%08x-", addr)); ok {
			return strings.Fields(rest)[1], true
		}
	}
	return "", false
}

// wantAccessError requires err to be an AccessError of op that is the sentinel,
// none of the package's others, and says all of texts.
func wantAccessError(t testing.TB, err error, op string, sentinel error, texts ...string) {
	t.Helper()
	var access *shmkit.AccessError
	if !errors.As(err, &access) {
		t.Fatalf("got error %v (%T), want an *AccessError", err, err)
	}
	if access.Op != op {
		t.Errorf("the operation is %q, want %q", access.Op, op)
	}
	wantOnly(t, err, sentinel)
	for _, text := range append(texts, access.Mapping) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the message %q does not say %q", err, text)
		}
	}
}

// wantFault requires err to be the FaultError of m at offset off.
func wantFault(t testing.TB, err error, m *shmkit.Mapping, off int64, cause error) {
	t.Helper()
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) {
		t.Fatalf("got error %v (%T), want a *FaultError", err, err)
	}
	if fault.Mapping != m.Name() || fault.Off != off || fault.Addr != m.Addr()+uintptr(off) {
		t.Errorf("the fault is in %q at offset %d, address %#x; want %q, %d, %#x",
			fault.Mapping, fault.Off, fault.Addr, m.Name(), off, m.Addr()+uintptr(off))
	}
	wantOnly(t, err, cause)
	for _, text := range []string{m.Name(), fmt.Sprintf("offset %d", off), cause.Error()} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the message %q does not say %q", err, text)
		}
	}
}

// wantOnly requires err to be the sentinel, and none of the package's others.
func wantOnly(t interface {
	Helper()
	Errorf(format string, args ...any)
}, err, sentinel error) {
	t.Helper()
	for _, e := range []error{shmkit.ErrClosed, shmkit.ErrInUse, shmkit.ErrOutOfRange, shmkit.ErrMisaligned,
		shmkit.ErrBadType, shmkit.ErrReadOnly, shmkit.ErrNotReadable, shmkit.ErrGuardPage, shmkit.ErrUnmapped, shmkit.ErrTruncated,
		shmkit.ErrNoSpace, shmkit.ErrIO, shmkit.ErrUnsupported, shmkit.ErrNoMemory} {
		if errors.Is(err, e) != (e == sentinel) {
			t.Errorf("errors.Is(%q, %q) is %t", err, e, e != sentinel)
		}
	}
	if errors.Is(err, fs.ErrClosed) != (sentinel == shmkit.ErrClosed) {
		t.Errorf("errors.Is(%q, fs.ErrClosed) is %t", err, sentinel != shmkit.ErrClosed)
	}
}

// newFailing is a mapping whose unmapping does its work and reports failure.
func newFailing(t testing.TB, failure error) *shmkit.Mapping {
	t.Helper()
	addr, err := sys.ReserveAnywhere(pageSize)
	if err != nil {
		t.Fatal(err)
	}
	return shmkit.NewMapping(vm.New(vm.Spec{Addr: addr, Len: pageSize, Size: pageSize, Name: "none:",
		Unmap: func(addr uintptr, size int) error { return errors.Join(failure, sys.Munmap(addr, size)) }}))
}

// raceDetector reports whether this program was built with -race.
var raceDetector = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
})

// forget unmaps what a forgotten view holds for ever.
func forget(t *testing.T, m *shmkit.Mapping) {
	t.Helper()
	if err := sys.Munmap(m.Addr(), m.Len()); err != nil {
		t.Error(err)
	}
	shmkit.Forget(m)
}
