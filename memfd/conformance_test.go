package memfd_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// Behaviours of the kernel that other suites (the Linux Test Project, gVisor's
// system call tests) assert of memfd and seals, here asserted of the API:
//
//	name > 249; unknown flags                     TestNamesHaveAtMost249Bytes, TestUnknownFlagsAreRefused
//	no ALLOW_SEALING: SEAL_SEAL, ADD is EPERM     TestMemoryMadeWithoutSealingIsSealedAgainstIt
//	WRITE by write, fallocate, mmap, mprotect     TestSealWrite, TestSealFutureWrite
//	SHRINK by ftruncate, open(O_TRUNC)            TestSealShrink
//	GROW by write, ftruncate, fallocate           TestSealGrow
//	WRITE with a writable mapping; nothing half   TestSealWriteIsRefusedWhileAMappingMayWrite
//	GROW: write across the end, partial           TestSealGrowCutsAWrite
//	per inode: dup, mmap, reopen                  TestSealsBelongToTheMemory
//	read-only reopen cannot add                   TestAReadOnlyDescriptorCannotSeal
//	tmpfs file: SEAL_SEAL                         TestFilesOfATmpfsAreSealedAgainstSealing
//	read-only shared map of a WRITE-sealed one    TestWriteSealedMemoryCanBeMappedReadOnly
//	HUGETLB: write, partial munmap, over limit    hugepages_test.go

func TestNamesHaveAtMost249Bytes(t *testing.T) {
	for _, n := range []int{0, 1, 249} {
		name := strings.Repeat("n", n)
		f, err := memfd.Create(name, 1, 0)
		ok(t, err)
		if f.Name() != name {
			t.Errorf("it is called %q", f.Name())
		}
		closeOK(t, f)
	}
	_, err := memfd.Create(strings.Repeat("n", 250), 1, 0)
	wantError(t, err, syscall.EINVAL, "the name has 250 bytes, more than 249")
	_, err = memfd.Create("a\x00b", 1, 0)
	wantError(t, err, syscall.EINVAL, "zero byte")
}

func TestUnknownFlagsAreRefused(t *testing.T) {
	for _, flags := range []int{0x100, 0x8000, sys.MFD_EXEC | sys.MFD_NOEXEC_SEAL, 1 << sys.MFD_HUGE_SHIFT} {
		if fd, err := sys.MemfdCreate("x", flags|sys.MFD_CLOEXEC); err != syscall.EINVAL {
			t.Errorf("flags %#x: %d, %v", flags, fd, err)
		}
	}
}

func TestMemoryMadeWithoutSealingIsSealedAgainstIt(t *testing.T) {
	fd := rawMemfd(t, 0)
	if s, err := sys.Seals(fd); err != nil || memfd.Seals(s) != memfd.SealSeal {
		t.Errorf("seals %v, %v", memfd.Seals(s), err)
	}
	if err := sys.AddSeals(fd, int(memfd.SealShrink)); err != syscall.EPERM {
		t.Errorf("adding one: %v", err)
	}
}

func TestSealWrite(t *testing.T) {
	f := create(t, int64(2*pageSize), memfd.SealWrite)
	_, err := f.WriteAt([]byte{1}, 0)
	wantError(t, err, syscall.EPERM, "write", f.String(), "it is sealed", "write")
	wantError(t, err, os.ErrPermission)
	wantError(t, f.Discard(0, int64(pageSize)), syscall.EPERM, "it is sealed")
	_, err = f.Map(nil)
	wantError(t, err, syscall.EPERM, "map", f.Address(), "sealed against writing", "read-only or private")

	m := mapped(t, f, &memfd.MapOptions{ReadOnly: true})
	wantError(t, m.Protect(0, int64(m.Len()), shmkit.Read|shmkit.Write), syscall.EACCES)

	// What only this process sees may be written.
	private := mapped(t, f, &memfd.MapOptions{Private: true})
	_, err = private.WriteAt([]byte{1}, 0)
	ok(t, err)
	b := []byte{9}
	if _, err := f.ReadAt(b, 0); err != nil || b[0] != 0 {
		t.Errorf("the memory reads %d, %v", b[0], err)
	}
	// And the length may be changed, but for what growth reserves.
	ok(t, f.Truncate(int64(3*pageSize)))
	ok(t, f.Truncate(int64(pageSize)))
}

func TestSealShrink(t *testing.T) {
	f := create(t, int64(2*pageSize), memfd.SealShrink)
	wantError(t, f.Truncate(int64(2*pageSize)-1), syscall.EPERM, "it is sealed", "shrink")
	if file, err := os.OpenFile(f.Path(), os.O_RDWR|os.O_TRUNC, 0); !errors.Is(err, syscall.EPERM) {
		t.Errorf("opened with O_TRUNC: %v, %v", file, err)
	}
	if n := size(t, f); n != int64(2*pageSize) {
		t.Errorf("it has %d bytes", n)
	}
	ok(t, f.Truncate(int64(2*pageSize))) // is no change
	ok(t, f.Truncate(int64(3*pageSize)))
	_, err := f.WriteAt([]byte{1}, int64(4*pageSize))
	ok(t, err)
	ok(t, f.Discard(0, int64(pageSize)))
	mapped(t, f, nil)
}

func TestSealGrow(t *testing.T) {
	f := create(t, int64(2*pageSize), memfd.SealGrow)
	wantError(t, f.Truncate(int64(2*pageSize)+1), syscall.EPERM, "it is sealed", "grow")
	wantError(t, f.Reserve(0, int64(2*pageSize)+1), syscall.EPERM, "it is sealed", "grow")
	_, err := f.WriteAt([]byte{1}, int64(2*pageSize))
	wantError(t, err, syscall.EPERM, "it is sealed", "grow")
	if n := size(t, f); n != int64(2*pageSize) {
		t.Errorf("it has %d bytes", n)
	}
	_, err = f.WriteAt([]byte{1}, int64(2*pageSize)-1)
	ok(t, err)
	ok(t, f.Reserve(0, int64(2*pageSize)))
	ok(t, f.Truncate(1))
	// What was once that long does not become so again.
	wantError(t, f.Truncate(2), syscall.EPERM)
}

// A mapping that exists goes on writing; everything new is refused.
func TestSealFutureWrite(t *testing.T) {
	f := create(t, int64(pageSize), memfd.NoSeals)
	m := mapped(t, f, nil)
	ok(t, f.AddSeals(memfd.SealFutureWrite))
	_, err := m.WriteAt([]byte{7}, 0)
	ok(t, err)
	_, err = f.WriteAt([]byte{1}, 0)
	wantError(t, err, syscall.EPERM, "future-write")
	wantError(t, f.Discard(0, int64(pageSize)), syscall.EPERM)
	_, err = f.Map(nil)
	wantError(t, err, syscall.EPERM, "sealed against writing")
	reader := mapped(t, f, &memfd.MapOptions{ReadOnly: true})
	b := []byte{0}
	if _, err := reader.ReadAt(b, 0); err != nil || b[0] != 7 {
		t.Errorf("a reader finds %d, %v", b[0], err)
	}
	wantError(t, reader.Protect(0, int64(pageSize), shmkit.Read|shmkit.Write), syscall.EACCES)
}

func TestSealWriteIsRefusedWhileAMappingMayWrite(t *testing.T) {
	f := create(t, int64(pageSize), memfd.NoSeals)
	before := seals(t, f)
	m := mapped(t, f, nil)
	wantError(t, f.AddSeals(memfd.SealWrite|memfd.SealShrink|memfd.SealGrow), syscall.EBUSY,
		"seal (shrink|grow|write)", f.String(), "a shared mapping of it may be written")
	if got := seals(t, f); got != before {
		t.Errorf("refused, it has %v instead of %v", got, before)
	}
	// A mapping that is read-only for the moment may become writable.
	ok(t, m.Protect(0, int64(pageSize), shmkit.Read))
	wantError(t, f.AddSeals(memfd.SealWrite), syscall.EBUSY)
	closeOK(t, m)
	mapped(t, f, &memfd.MapOptions{Private: true}) // is not shared
	ok(t, f.AddSeals(memfd.SealWrite))
}

func TestSealGrowCutsAWrite(t *testing.T) {
	page := int64(pageSize)
	f := create(t, page+10, memfd.SealGrow)
	b := make([]byte, 2*pageSize)
	for i := range b {
		b[i] = 1
	}
	// Within the page that the end lies in: nothing.
	n, err := f.WriteAt(b[:20], page+5)
	wantError(t, err, syscall.EPERM)
	if n != 0 {
		t.Errorf("across the end, in one page, %d bytes were written", n)
	}
	// Across a page: what lies before that.
	n, err = f.WriteAt(b, page-30)
	wantError(t, err, syscall.EPERM)
	if n != 30 {
		t.Errorf("across the end, from the page before, %d bytes were written", n)
	}
	if got := size(t, f); got != page+10 {
		t.Errorf("it has %d bytes", got)
	}
}

func TestSealsBelongToTheMemory(t *testing.T) {
	f := create(t, int64(pageSize), memfd.NoSeals)
	again, err := f.Reopen()
	ok(t, err)
	closing(t, again)
	var other *memfd.File // a duplicate of the descriptor
	a, b := socketPair(t, syscall.SOCK_STREAM)
	ok(t, memfd.Send(a, f))
	other, err = memfd.Receive(b, &memfd.Want{Seals: memfd.NoSeals})
	ok(t, err)
	closing(t, other)
	m := mapped(t, f, nil) // is no way around

	ok(t, other.AddSeals(memfd.SealShrink))
	ok(t, again.AddSeals(memfd.SealGrow))
	for _, f := range []*memfd.File{f, again, other} {
		wantSeals(t, f, memfd.SealShrink|memfd.SealGrow)
		wantError(t, f.Truncate(1), syscall.EPERM)
		wantError(t, f.Truncate(int64(2*pageSize)), syscall.EPERM)
	}
	wantError(t, again.AddSeals(memfd.SealWrite), syscall.EBUSY)
	closeOK(t, m)
	ok(t, again.AddSeals(memfd.SealWrite|memfd.SealSeal))
	wantError(t, f.AddSeals(memfd.SealExec), syscall.EPERM, "sealed against further seals", "write")
	wantError(t, f.AddSeals(memfd.SealShrink), syscall.EPERM) // though it is on
	_, err = other.WriteAt([]byte{1}, 0)
	wantError(t, err, syscall.EPERM)
}

func TestAReadOnlyDescriptorCannotSeal(t *testing.T) {
	f := create(t, int64(pageSize), memfd.NoSeals)
	before := seals(t, f)
	reader, err := f.ReopenReadOnly()
	ok(t, err)
	closing(t, reader)
	wantError(t, reader.AddSeals(memfd.SealShrink), syscall.EPERM, "this descriptor was opened read-only")
	if got := seals(t, reader); got != before {
		t.Errorf("it has %v", got)
	}
	wantError(t, reader.Truncate(1), syscall.EINVAL, "this descriptor was opened read-only")
	_, err = reader.WriteAt([]byte{1}, 0)
	wantError(t, err, syscall.EBADF, "not opened for that")
	_, err = reader.Map(nil)
	wantError(t, err, syscall.EACCES, "opened for reading and writing")
	mapped(t, reader, &memfd.MapOptions{ReadOnly: true})
	mapped(t, reader, &memfd.MapOptions{Private: true})
}

func TestFilesOfATmpfsAreSealedAgainstSealing(t *testing.T) {
	f, err := os.OpenFile(filepath.Join("/dev/shm", testenv.Name(t)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	ok(t, err)
	defer f.Close()
	if magic, _, _, err := sys.FileSystem(int(f.Fd())); err != nil || magic != sys.TMPFS_MAGIC {
		t.Skipf("/dev/shm is no tmpfs here: %#x, %v", magic, err)
	}
	if s, err := sys.Seals(int(f.Fd())); err != nil || memfd.Seals(s) != memfd.SealSeal {
		t.Errorf("seals %v, %v", memfd.Seals(s), err)
	}
	if err := sys.AddSeals(int(f.Fd()), int(memfd.SealShrink)); err != syscall.EPERM {
		t.Errorf("adding one: %v", err)
	}
}

func TestFilesOfADiskHaveNoSeals(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	ok(t, err)
	defer f.Close()
	if magic, _, _, err := sys.FileSystem(int(f.Fd())); err != nil || magic == sys.TMPFS_MAGIC {
		t.Skip("the temporary directory is a tmpfs")
	}
	if s, err := sys.Seals(int(f.Fd())); err != syscall.EINVAL {
		t.Errorf("seals %v, %v", memfd.Seals(s), err)
	}
}

func TestWriteSealedMemoryCanBeMappedReadOnly(t *testing.T) {
	f := createWith(t, int64(pageSize), &memfd.Options{
		Seals: memfd.SealWrite | memfd.DefaultSeals,
		Init:  func(m *shmkit.Mapping) error { _, err := m.WriteAt([]byte("constant"), 0); return err },
	})
	m := mapped(t, f, &memfd.MapOptions{ReadOnly: true})
	b := make([]byte, 8)
	if _, err := m.ReadAt(b, 0); err != nil || string(b) != "constant" {
		t.Errorf("read %q, %v", b, err)
	}
	_, err := m.WriteAt(b, 0)
	wantError(t, err, shmkit.ErrReadOnly)
	wantError(t, shmkit.Guard(func() { m.Bytes()[0] = 1 }), shmkit.ErrReadOnly)
}

func TestReadingGoesToTheEnd(t *testing.T) {
	f := create(t, 10, 0)
	b := make([]byte, 20)
	if n, err := f.ReadAt(b, 4); n != 6 || err != io.EOF {
		t.Errorf("read %d, %v", n, err)
	}
}
