package filemap_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

var pageSize = os.Getpagesize()

// pattern returns n bytes in which every page differs, and no byte is 0.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((i+i/pageSize)%255) + 1
	}
	return b
}

// newPath returns a path at which nothing is, in a folder that goes with the test.
func newPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "file")
}

// newFile makes a file with that content and returns its path.
func newFile(t testing.TB, content []byte) string {
	t.Helper()
	path := newPath(t)
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// open opens path until the test ends.
func open(t testing.TB, path string, o *filemap.Options) *filemap.File {
	t.Helper()
	f, err := filemap.Open(path, o)
	must(t, err)
	t.Cleanup(func() { closeOK(t, f) })
	return f
}

// openNew makes a file with that content, and opens it until the test ends.
func openNew(t testing.TB, content []byte, o *filemap.Options) *filemap.File {
	t.Helper()
	return open(t, newFile(t, content), o)
}

// mapPart is f.Map until the test ends.
func mapPart(t testing.TB, f *filemap.File, off, n int64, o *filemap.MapOptions) *shmkit.Mapping {
	t.Helper()
	m, err := f.Map(off, n, o)
	must(t, err)
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

// osFile opens the file of f by the ordinary way, for reading and writing.
func osFile(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { closeOK(t, f) })
	return f
}

func pathOf(f *filemap.File) string { return strings.TrimPrefix(f.Name(), "file:") }

func must(t testing.TB, err error) {
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

// wantError requires err to be every one of the errors, and to say every one of the
// strings.
func wantError(t testing.TB, err error, wants ...any) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", wants)
	}
	for _, want := range wants {
		switch want := want.(type) {
		case error:
			if !errors.Is(err, want) {
				t.Errorf("errors.Is(%q, %q) is false", err, want)
			}
		case string:
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the message %q does not say %q", err, want)
			}
		}
	}
}

// wantContent requires what the ordinary way reads of the file.
func wantContent(t testing.TB, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %s", path, difference(got, want))
	}
}

// difference says where two contents differ.
func difference(got, want []byte) string {
	if len(got) != len(want) {
		return "the length is " + strconv.Itoa(len(got)) + ", want " + strconv.Itoa(len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return "byte " + strconv.Itoa(i) + " is " + strconv.Itoa(int(got[i])) + ", want " + strconv.Itoa(int(want[i]))
		}
	}
	return "the same"
}

// wantBytes requires what is read at off.
func wantBytes(t testing.TB, r interface {
	ReadAt([]byte, int64) (int, error)
}, off int64, want ...byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := r.ReadAt(got, off); n != len(want) || !bytes.Equal(got, want) {
		t.Errorf("at %d are %v, %v; want %v", off, got[:n], err, want)
	}
}

func wantSize(t testing.TB, path string, want int64) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() != want {
		t.Errorf("%s has %d bytes, want %d", path, info.Size(), want)
	}
}

// blocks returns how many bytes of the device a file takes.
func blocks(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

// sink keeps the compiler from leaving out a read.
var sink byte

// touch reads a byte of a mapping under Guard.
func touch(b []byte, off int) error { return shmkit.Guard(func() { sink += b[off] }) }

// poke writes a byte of a mapping under Guard.
func poke(b []byte, off int) error { return shmkit.Guard(func() { b[off] = 1 }) }

// area returns the entry of /proc/self/maps that the byte at off of m lies in.
func area(t testing.TB, m *shmkit.Mapping, off int64) sys.MapsEntry {
	t.Helper()
	addr := m.Addr() + uintptr(off)
	for e := range sys.Maps(addr, addr+1) {
		return e
	}
	t.Fatalf("nothing is mapped at %#x", addr)
	return sys.MapsEntry{}
}

// privateMounts returns the options to start a role that may mount what nobody else
// sees: as root of the machine, or of a user namespace.
func privateMounts(t testing.TB) *testenv.StartOptions {
	t.Helper()
	flags := uintptr(syscall.CLONE_NEWNS)
	if os.Geteuid() != 0 {
		flags |= syscall.CLONE_NEWUSER
	}
	probe := exec.Command("/proc/self/exe", "-test.run=^$")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if flags&syscall.CLONE_NEWUSER != 0 {
		probe.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		probe.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	if err := probe.Run(); err != nil {
		t.Skipf("needs mounts of its own, which the kernel refuses: %v", err)
	}
	return &testenv.StartOptions{Cloneflags: flags}
}

// runRole runs a role to its end, and requires it to succeed.
func runRole(t testing.TB, o *testenv.StartOptions, role string, args ...string) {
	t.Helper()
	p := testenv.StartWith(t, o, role, args...)
	for {
		line, err := p.ReadLine()
		if err != nil {
			break
		}
		t.Log(line)
	}
	if err := p.Wait(); err != nil {
		t.Fatalf("role %s: %v\n%s", role, err, p.Stderr())
	}
	if text := strings.TrimSpace(p.Stderr()); text != "" {
		t.Log(text)
	}
}
