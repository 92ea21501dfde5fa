package filemap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// Rows of the table in conformance_map_test.go that a process of their own has to pay for:
// what kills it, and limits.

var background = context.Background()

var crashRoles = map[string]testenv.Role{"crash": crash}

// crashes are ways to die of a mapping when nobody guards.
var crashes = map[string]struct {
	signal string
	run    func(path string) error
}{
	"nothing allowed": {"SIGSEGV", func(path string) error {
		f, err := filemap.Open(path, nil)
		if err != nil {
			return err
		}
		if err := f.Mapping().Protect(0, int64(f.Len()), 0); err != nil {
			return err
		}
		sink = f.Bytes()[0]
		return nil
	}},
	"write to what is read-only": {"SIGSEGV", func(path string) error {
		f, err := filemap.Open(path, nil)
		if err != nil {
			return err
		}
		f.Bytes()[0] = 1
		return nil
	}},
	"behind the end": {"SIGBUS", func(path string) error {
		f, err := filemap.Open(path, &filemap.Options{Len: int64(10 * pageSize), Beyond: true})
		if err != nil {
			return err
		}
		sink = f.Bytes()[9*pageSize]
		return nil
	}},
	"private copy of what was cut off": {"SIGBUS", func(path string) error {
		f, err := filemap.Open(path, &filemap.Options{Private: true, Writable: true})
		if err != nil {
			return err
		}
		f.Bytes()[pageSize] = 1
		if err := os.Truncate(path, 1); err != nil {
			return err
		}
		sink = f.Bytes()[pageSize]
		return nil
	}},
	"unmapped part": {"SIGSEGV", func(path string) error {
		f, err := filemap.Open(path, nil)
		if err != nil {
			return err
		}
		b := f.Bytes()
		_, tail, err := f.Mapping().Split(int64(pageSize))
		if err != nil {
			return err
		}
		if err := tail.Close(); err != nil {
			return err
		}
		sink = b[pageSize]
		return nil
	}},
}

func crash(args []string) error {
	debug.SetTraceback("single")
	return errors.Join(crashes[args[0]].run(args[1]), errors.New("it did not die"))
}

// Without Guard the kernel's signal ends the program, and tells which it was.
func TestFaultsWithoutGuardKill(t *testing.T) {
	for name, c := range crashes {
		t.Run(name, func(t *testing.T) {
			p := testenv.Start(t, "crash", name, newFile(t, pattern(2*pageSize)))
			if code := p.ExitCode(); code == 0 || !strings.Contains(p.Stderr(), "[signal "+c.signal) {
				t.Errorf("it ended with %d, not by %s:\n%s", code, c.signal, p.Stderr())
			}
		})
	}
}

var limitRoles = map[string]testenv.Role{"address space": limitOfAddressSpace, "data": limitOfData, "areas": limitOfAreas}

// limitTo allows this process n bytes more than it has of what field counts.
func limitTo(resource int, name string, n int64) error {
	have, err := field(name)
	if err != nil {
		return err
	}
	var l syscall.Rlimit
	if err := syscall.Getrlimit(resource, &l); err != nil {
		return err
	}
	l.Cur = min(uint64(have+n), l.Max)
	return syscall.Setrlimit(resource, &l)
}

const large = 512 << 20

func TestLimitOfAddressSpace(t *testing.T) {
	path := newPath(t)
	create(t, path, large, &filemap.Options{Sparse: true})
	runRole(t, nil, "address space", path)
}

func limitOfAddressSpace(args []string) error {
	if err := limitTo(syscall.RLIMIT_AS, "VmSize", large/2); err != nil {
		return err
	}
	var c check
	_, err := filemap.Open(args[0], nil)
	c.is("map more than RLIMIT_AS leaves", err, syscall.ENOMEM)
	c.that(err != nil && strings.Contains(err.Error(), "ulimit -v"), "the error is %v", err)
	_, err = filemap.Open(args[0], &filemap.Options{Len: 1, Reserve: large})
	c.is("reserve more than RLIMIT_AS leaves", err, syscall.ENOMEM)
	f, err := filemap.Open(args[0], &filemap.Options{Len: 1 << 20, Writable: true})
	if err != nil {
		return errors.Join(c.result(), err)
	}
	// A File that cannot grow stays what it is, and so does the file.
	small, err := filemap.Create(args[0]+"-small", 1<<20, &filemap.Options{Sparse: true})
	if err != nil {
		return errors.Join(c.result(), err)
	}
	c.is("grow beyond RLIMIT_AS", small.Resize(large), syscall.ENOMEM)
	size, err := small.Size()
	c.that(err == nil && size == 1<<20 && small.Len() == 1<<20, "then it has %d bytes, mapped %d: %v", size, small.Len(), err)
	// The window of a scan fits.
	c.ok("scan", f.Scan(background, &filemap.ScanOptions{Hole: func(int64, int64) error { return nil }}, func(_ int64, chunk []byte) error {
		sink += byte(bytes.Count(chunk, []byte{1}))
		return nil
	}))
	c.ok("close", errors.Join(f.Close(), small.Close()))
	return c.result()
}

func TestLimitOfData(t *testing.T) {
	path := newPath(t)
	create(t, path, large, &filemap.Options{Sparse: true})
	runRole(t, nil, "data", path)
}

func limitOfData(args []string) error {
	if err := limitTo(syscall.RLIMIT_DATA, "VmData", large/2); err != nil {
		return err
	}
	var c check
	_, err := filemap.Open(args[0], &filemap.Options{Private: true, Writable: true})
	c.is("a private mapping beyond RLIMIT_DATA", err, syscall.ENOMEM)
	f, err := filemap.Open(args[0], &filemap.Options{Writable: true})
	c.ok("a shared mapping, which is no data", err)
	if err == nil {
		c.ok("close", f.Close())
	}
	return c.result()
}

// Cutting a mapping in more and more pieces ends with an error that says what is full, and
// everything works on.
func TestAsManyAreasAsThereMayBe(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	must(t, err)
	var most int
	_, err = fmt.Sscan(string(text), &most)
	must(t, err)
	if most > 200_000 {
		t.Skipf("vm.max_map_count is %d", most)
	}
	path := newPath(t)
	create(t, path, int64(most+100)*int64(pageSize), &filemap.Options{Sparse: true})
	runRole(t, nil, "areas", path)
}

func limitOfAreas(args []string) error {
	// At the limit the runtime gets no area either: it must not want one. The collector
	// and the profiler would, and a heap that is not large enough yet.
	runtime.MemProfileRate = 0
	debug.SetGCPercent(-1)
	runtime.KeepAlive(make([]byte, 64<<20))
	runtime.GC()
	f, err := filemap.Open(args[0], nil)
	if err != nil {
		return err
	}
	page := int64(pageSize)
	var c check
	for off := int64(0); err == nil && off < int64(f.Len()); off += 2 * page {
		err = f.Mapping().Protect(off, page, 0)
	}
	full := err
	// munmap in the middle of an area would make two of it.
	last := f.Mapping().Addr() + uintptr(f.Len()) - 3*uintptr(pageSize)
	middle := sys.Munmap(last, pageSize)
	closed := f.Close() // makes room
	c.is("cut it into pieces", full, syscall.ENOMEM)
	c.that(full != nil && strings.Contains(full.Error(), "vm.max_map_count"), "the error is %v", full)
	c.is("unmap a page in the middle", middle, syscall.ENOMEM)
	c.ok("close", closed)
	c.that(shmkit.Guard(func() {}) == nil, "guard")
	return c.result()
}
