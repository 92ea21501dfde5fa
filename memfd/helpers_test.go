package memfd_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

var pageSize = os.Getpagesize()

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closeOK(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// create makes memory for the test.
func create(t testing.TB, size int64, seals memfd.Seals) *memfd.File {
	t.Helper()
	return createWith(t, size, &memfd.Options{Seals: seals})
}

func createWith(t testing.TB, size int64, o *memfd.Options) *memfd.File {
	t.Helper()
	f, err := memfd.CreateWith("test", size, o)
	ok(t, err)
	return closing(t, f)
}

// closing closes f when the test ends.
func closing(t testing.TB, f *memfd.File) *memfd.File {
	t.Cleanup(func() { closeOK(t, f) })
	return f
}

// mapped maps f for the test.
func mapped(t testing.TB, f *memfd.File, o *memfd.MapOptions) *shmkit.Mapping {
	t.Helper()
	m, err := f.Map(o)
	ok(t, err)
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

// wantError requires err to be target, and to say all of texts.
func wantError(t testing.TB, err, target error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %v", target)
		return
	}
	if !errors.Is(err, target) {
		t.Errorf("the error is %q, want %v", err, target)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the message %q does not say %q", err, text)
		}
	}
}

// baseSeals are what memory has that was made with NoSeals: SealExec, from kernels
// that know it.
func baseSeals(t testing.TB) memfd.Seals {
	t.Helper()
	f, err := memfd.Create("probe", 0, memfd.NoSeals)
	ok(t, err)
	defer f.Close()
	return seals(t, f)
}

func seals(t testing.TB, f *memfd.File) memfd.Seals {
	t.Helper()
	s, err := f.Seals()
	ok(t, err)
	return s
}

// wantSeals requires exactly those, besides SealExec.
func wantSeals(t testing.TB, f *memfd.File, want memfd.Seals) {
	t.Helper()
	if got := seals(t, f); got&^memfd.SealExec != want&^memfd.SealExec {
		t.Errorf("%v has the seals %v, want %v", f, got, want)
	}
}

func size(t testing.TB, f *memfd.File) int64 {
	t.Helper()
	n, err := f.Size()
	ok(t, err)
	return n
}

// kernelAtLeast reports whether this kernel claims to be that new.
func kernelAtLeast(t testing.TB, major, minor int) bool {
	t.Helper()
	release := testenv.Sysctl(t, "kernel/osrelease")
	var have [2]int
	for i, word := range strings.SplitN(release, ".", 3)[:2] {
		for _, c := range word {
			if c < '0' || c > '9' {
				break
			}
			have[i] = have[i]*10 + int(c-'0')
		}
	}
	return have[0] > major || have[0] == major && have[1] >= minor
}

// socketPair is two connected Unix sockets of a kind: syscall.SOCK_STREAM, ….
func socketPair(t testing.TB, kind int) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	ok(t, err)
	return unixConn(t, fds[0]), unixConn(t, fds[1])
}

func unixConn(t testing.TB, fd int) *net.UnixConn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	ok(t, err)
	t.Cleanup(func() { c.Close() })
	conn := c.(*net.UnixConn)
	ok(t, conn.SetDeadline(time.Now().Add(testenv.Failsafe)))
	return conn
}

// openCount is how many descriptors this process has.
func openCount(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	ok(t, err)
	n := 0
	for _, e := range entries {
		// The runtime re-reads CPU limits through descriptors that it opens itself.
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(link, "/sys/fs/cgroup/") {
			n++
		}
	}
	return n
}

// rawMemfd makes memory without the package under test.
func rawMemfd(t testing.TB, flags int) int {
	t.Helper()
	fd, err := sys.MemfdCreate("raw", flags|sys.MFD_CLOEXEC)
	ok(t, err)
	t.Cleanup(func() { ok(t, syscall.Close(fd)) })
	return fd
}
