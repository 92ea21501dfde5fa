package filemap_test

import (
	"bytes"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// What Linux does with mapped files, as the Linux Test Project ("ltp"), its POSIX suite and
// gVisor's tests ("gv") assert it, by the test that asserts it of this package. "sys" are
// those that go by the system call because the package does not let its users get there.
//
//	case                                                    where                              test
//	tail past EOF zero, writes not in file                  ltp mmap01; posix mmap 11-*        TestTailBehindTheEndIsZeroAndNotInTheFile
//	permissions in /proc/self/maps                          ltp mmap04                         TestProtectionInMaps
//	PROT_NONE access is SIGSEGV                             ltp mmap05; gv ProtNoneDeath       TestProtectedMemory, TestFaultsWithoutGuardKill
//	O_WRONLY EACCES; length 0, no type EINVAL               ltp mmap06                         TestMapOfWhatCannotBeMapped, TestMmapArguments (sys)
//	bad fd, pipe, device, folder, O_PATH                    ltp mmap08; gv MapPipe, …          TestMapOfWhatCannotBeMapped, TestOnlyRegularFiles
//	shrink, grow, zero the file while mapped                ltp mmap09; gv ReadSharedTruncate  TestFileChangesSizeWhileMapped
//	MAP_POPULATE, all pages present                         ltp mmap12                         TestPopulateBringsAllPagesIn
//	length > file, touch past its last page is SIGBUS       ltp mmap13; gv SigBusDeath         TestWindowBeyondTheEndIsRefusedUnlessAskedFor, TestFaultsWithoutGuardKill
//	MAP_LOCKED, VmLck grows                                 ltp mmap14                         TestMapLocked (sys)
//	above TASK_SIZE ENOMEM or EINVAL                        ltp mmap15                         TestMapAtAnAddress
//	MAP_FIXED_NOREPLACE EEXIST, unaligned EINVAL            ltp mmap17; gv MapFixedNoReplace   TestMapAtAnAddress
//	MAP_SHARED_VALIDATE with an unknown flag                ltp mmap20                         TestMmapArguments (sys)
//	MAP_DROPPABLE reclaimed                                 ltp mmap22                         none: needs a memory cgroup that is full
//	MAP_GROWSDOWN grows                                     ltp mmap18                         none: a thread's stack, which Go keeps to itself
//	offset past 2^63 EOVERFLOW                              gv MapFirstNegativePage; posix 31-1 TestOffsetsThatNoFileHas
//	shared and written on O_RDONLY EACCES, private ok       gv WriteSharedOnReadOnlyFd, …      TestSharedWritingNeedsAFileOpenedForWriting
//	coherent with write(2)                                  gv ReadSharedConsistentWith…       TestMappingAndOrdinaryReadsAndWritesAgreeAtOnce
//	private copies are not in the file                      gv WritePrivate; posix 7-*         TestPrivateIsCopyOnWrite
//	truncation kills a private copy                         gv TruncateAfterCOWBreak           TestTruncationTakesPrivateCopies, TestFaultsWithoutGuardKill
//	system call on a page past EOF EFAULT                   gv InternalSigBus                  TestSystemCallBehindTheEnd
//	RLIMIT_AS, RLIMIT_DATA exceeded ENOMEM                  gv ExceedLimitAS, ExceedLimitData  TestLimitOfAddressSpace, TestLimitOfData
//	mtime after a store and msync                           posix mmap 14-1                    TestStoreChangesTheTimesOfTheFile
//	a mapping outlives the descriptor                       posix mmap 12-1                    TestCloseIsTheEndOfTheMainMappingOnly
//	part unmapped, SIGSEGV there                            ltp munmap01; posix munmap 1-*     TestUnmappingAPart, TestFaultsWithoutGuardKill
//	munmap length 0, unaligned, out of range EINVAL         ltp munmap03; gv munmap.cc         TestMunmapArguments (sys)
//	unmapping what is not mapped is 0                       posix munmap 2-1                   TestMunmapArguments (sys)
//	split at vm.max_map_count ENOMEM                        ltp munmap04                       TestAsManyAreasAsThereMayBe

func TestTailBehindTheEndIsZeroAndNotInTheFile(t *testing.T) {
	content := pattern(100)
	f := openNew(t, content, &filemap.Options{Writable: true, Beyond: true, Len: int64(pageSize)})
	if !bytes.Equal(f.Bytes(), append(pattern(100), make([]byte, pageSize-100)...)) {
		t.Error("the rest of the page is not zero")
	}
	_, err := f.WriteAt([]byte{9, 9}, 99)
	must(t, err)
	must(t, f.Flush(0, int64(pageSize), filemap.Sync))
	content[99] = 9
	wantContent(t, pathOf(f), content)
	// The usual mapping ends with the file.
	short := open(t, pathOf(f), &filemap.Options{Writable: true})
	_, err = short.WriteAt([]byte{1}, 100)
	wantError(t, err, shmkit.ErrOutOfRange)
}

func TestProtectionInMaps(t *testing.T) {
	path := newFile(t, pattern(100))
	for want, o := range map[string]filemap.Options{
		"r--s": {}, "rw-s": {Writable: true}, "r--p": {Private: true}, "rw-p": {Private: true, Writable: true},
	} {
		f := open(t, path, &o)
		e := area(t, f.Mapping(), 0)
		if e.Perms != want || e.Path != path || e.Offset != 0 {
			t.Errorf("%+v is %+v, want %s", o, e, want)
		}
	}
	f := open(t, path, &filemap.Options{Writable: true})
	must(t, f.Mapping().Protect(0, 100, 0))
	if e := area(t, f.Mapping(), 0); e.Perms != "---s" {
		t.Errorf("unprotected it is %s", e.Perms)
	}
	m := mapPart(t, openNew(t, pattern(3*pageSize), nil), int64(pageSize+5), 10, nil)
	if e := area(t, m, 0); e.Offset != uint64(pageSize) || e.End-e.Start != uintptr(pageSize) {
		t.Errorf("10 bytes of page 1 are %+v", e)
	}
}

func TestProtectedMemory(t *testing.T) {
	f := openNew(t, pattern(3*pageSize), &filemap.Options{Writable: true})
	page := int64(pageSize)
	must(t, f.Mapping().Protect(page, page, 0))
	wantError(t, touch(f.Bytes(), pageSize), shmkit.ErrNotReadable)
	must(t, f.Mapping().Protect(page, page, shmkit.Read))
	must(t, touch(f.Bytes(), pageSize))
	wantError(t, poke(f.Bytes(), pageSize), shmkit.ErrReadOnly)
	must(t, poke(f.Bytes(), 0))
	must(t, poke(f.Bytes(), 2*pageSize))
}

// openDescriptor maps through a descriptor that is open in a way that Open never uses.
func openDescriptor(t *testing.T, fd int, err error) *fdmap.File {
	t.Helper()
	must(t, err)
	f := fdmap.New(os.NewFile(uintptr(fd), "fd"), "fd:test")
	t.Cleanup(func() { closeOK(t, f) })
	return f
}

func TestMapOfWhatCannotBeMapped(t *testing.T) {
	path := newFile(t, pattern(100))
	read := fdmap.Options{Len: 10, Protection: shmkit.Read}
	try := func(what string, f *fdmap.File, errno syscall.Errno, texts ...any) {
		t.Helper()
		_, err := f.Map(read)
		wantError(t, err, append(texts, errno, "fd:test")...)
	}
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	try("for writing only", openDescriptor(t, fd, err), syscall.EACCES, "needs reading too")
	fd, err = sys.OpenPath(path, false)
	try("O_PATH", openDescriptor(t, fd, err), syscall.EBADF, "O_PATH")
	fd, err = syscall.Open(t.TempDir(), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	try("folder", openDescriptor(t, fd, err), syscall.ENODEV)
	fd, err = syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	try("device", openDescriptor(t, fd, err), syscall.ENODEV, "no memory behind it")
	var pipe [2]int
	must(t, syscall.Pipe2(pipe[:], syscall.O_CLOEXEC))
	try("pipe", openDescriptor(t, pipe[0], nil), syscall.ENODEV)
	try("pipe, to be written", openDescriptor(t, pipe[1], nil), syscall.EACCES)

	fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	_, err = openDescriptor(t, fd, err).Map(fdmap.Options{Protection: shmkit.Read})
	wantError(t, err, syscall.EINVAL, "at least 1 byte")
	if _, err := sys.Mmap(0, 10, sys.PROT_READ, sys.MAP_SHARED, 1<<20, 0); err != syscall.EBADF {
		t.Errorf("a descriptor that is none: %v", err)
	}
}

// What the package never asks the kernel for.
func TestMmapArguments(t *testing.T) {
	f := osFile(t, newFile(t, pattern(100)))
	const unknown = 1 << 10
	for _, c := range []struct {
		what   string
		n      uint64
		flags  int
		off    int64
		answer syscall.Errno
	}{
		{"length 0", 0, sys.MAP_SHARED, 0, syscall.EINVAL},
		{"neither shared nor private", 10, 0, 0, syscall.EINVAL},
		{"offset 1", 10, sys.MAP_SHARED, 1, syscall.EINVAL},
		{"an unknown flag, to be checked", 10, sys.MAP_SHARED_VALIDATE | unknown, 0, syscall.EOPNOTSUPP},
	} {
		if addr, err := sys.Mmap(0, c.n, sys.PROT_READ, c.flags, int(f.Fd()), c.off); err != c.answer {
			t.Errorf("%s: %#x, %v; want %v", c.what, addr, err, c.answer)
		}
	}
}

func TestFileChangesSizeWhileMapped(t *testing.T) {
	content := pattern(3 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true})
	other := osFile(t, pathOf(f))
	must(t, other.Truncate(int64(pageSize+10)))
	wantBytes(t, f, int64(pageSize+8), content[pageSize+8], content[pageSize+9], 0, 0) // the rest of the page is zero
	_, err := f.ReadAt(make([]byte, 1), int64(2*pageSize))
	wantError(t, err, shmkit.ErrTruncated)
	must(t, other.Truncate(int64(3*pageSize)))
	if got, want := f.Bytes()[pageSize+10:], make([]byte, 2*pageSize-10); !bytes.Equal(got, want) {
		t.Error("what came back is not zero")
	}
	must(t, other.Truncate(0))
	for off := range 3 {
		wantError(t, touch(f.Bytes(), off*pageSize), shmkit.ErrTruncated)
	}
	_, err = other.WriteAt(content, 0)
	must(t, err)
	if !bytes.Equal(f.Bytes(), content) {
		t.Error("what was written again is not seen")
	}
}

func TestPopulateBringsAllPagesIn(t *testing.T) {
	f := openNew(t, pattern(20*pageSize+1), &filemap.Options{Populate: true})
	pages, err := f.Mapping().Resident(0, int64(f.Len()))
	must(t, err)
	for i, there := range pages {
		if !there {
			t.Errorf("page %d is not in memory", i)
		}
	}
	if len(pages) != 21 {
		t.Errorf("there are %d pages", len(pages))
	}
	if e, ok := sys.Pagemap(f.Mapping().Addr() + uintptr(20*pageSize)); !ok || e&sys.PagemapPresent == 0 {
		t.Errorf("the last page is not in the page table: %#x", e)
	}
}

func TestMapLocked(t *testing.T) {
	f := osFile(t, newFile(t, pattern(8*pageSize)))
	before, err := field("VmLck")
	must(t, err)
	n := 8 * pageSize
	addr, err := sys.Mmap(0, uint64(n), sys.PROT_READ, sys.MAP_SHARED|sys.MAP_LOCKED, int(f.Fd()), 0)
	if err == syscall.EAGAIN || err == syscall.EPERM {
		t.Skipf("this process may not lock %d bytes: %v", n, err)
	}
	must(t, err)
	after, err := field("VmLck")
	must(t, err)
	must(t, sys.Munmap(addr, n))
	if after-before != int64(n) {
		t.Errorf("VmLck grew by %d, want %d", after-before, n)
	}
}

func TestMapAtAnAddress(t *testing.T) {
	f := openNew(t, pattern(4*pageSize), nil)
	page := uintptr(pageSize)
	free, err := sys.ReserveAnywhere(8 * pageSize)
	must(t, err)
	must(t, sys.Munmap(free, 8*pageSize))
	m := mapPart(t, f, 0, int64(2*pageSize), &filemap.MapOptions{Addr: free + page})
	if m.Addr() != free+page {
		t.Errorf("it is at %#x, want %#x", m.Addr(), free+page)
	}
	for _, c := range []struct {
		what string
		addr uintptr
		is   []error
	}{
		{"the same", free + page, []error{syscall.EEXIST, os.ErrExist}},
		{"overlapping at the front", free, []error{syscall.EEXIST}},
		{"overlapping at the end", free + 2*page, []error{syscall.EEXIST}},
		{"unaligned", free + 5*page + 1, []error{syscall.EINVAL}},
	} {
		_, err := f.Map(0, int64(2*pageSize), &filemap.MapOptions{Addr: c.addr})
		for _, want := range c.is {
			wantError(t, err, want, f.Name())
		}
	}
	// Where the address space of a process has no room.
	_, err = f.Map(0, 0, &filemap.MapOptions{Addr: 1<<63 - 16*page})
	if err == nil || !strings.Contains(err.Error(), f.Name()) {
		t.Errorf("mapped above everything: %v", err)
	}
	wantError(t, err, syscall.ENOMEM)
	wantBytes(t, m, 0, pattern(2)...)
}

func TestOffsetsThatNoFileHas(t *testing.T) {
	f := openNew(t, pattern(100), nil)
	page := int64(pageSize)
	for _, off := range []int64{math.MaxInt64, math.MaxInt64 - page + 1, math.MaxInt64 - 2*page + 2} {
		_, err := f.Map(off, page, &filemap.MapOptions{Beyond: true})
		wantError(t, err, syscall.EOVERFLOW)
	}
	// And the kernel by itself.
	plain := osFile(t, pathOf(f))
	if _, err := sys.Mmap(0, uint64(2*page), sys.PROT_READ, sys.MAP_SHARED, int(plain.Fd()), -page); err != syscall.EOVERFLOW {
		t.Errorf("from the last page of all offsets on: %v", err)
	}
}

func TestSharedWritingNeedsAFileOpenedForWriting(t *testing.T) {
	content := pattern(100)
	f := openNew(t, content, nil)
	_, err := f.Map(0, 0, &filemap.MapOptions{Writable: true})
	wantError(t, err, syscall.EACCES, os.ErrPermission, "opened for reading and writing")
	wantError(t, f.Mapping().Protect(0, 100, shmkit.Read|shmkit.Write), syscall.EACCES)
	m := mapPart(t, f, 0, 0, &filemap.MapOptions{Writable: true, Private: true})
	_, err = m.WriteAt([]byte{77}, 0)
	must(t, err)
	wantBytes(t, m, 0, 77)
	wantContent(t, pathOf(f), content)
}

func TestTruncationTakesPrivateCopies(t *testing.T) {
	f := openNew(t, pattern(2*pageSize), &filemap.Options{Private: true, Writable: true})
	_, err := f.WriteAt([]byte{99}, int64(pageSize))
	must(t, err)
	other := osFile(t, pathOf(f))
	must(t, other.Truncate(int64(pageSize)))
	wantError(t, touch(f.Bytes(), pageSize), shmkit.ErrTruncated)
	must(t, other.Truncate(int64(2*pageSize)))
	wantBytes(t, f, int64(pageSize), 0)
}

func TestSystemCallBehindTheEnd(t *testing.T) {
	f := openNew(t, pattern(2*pageSize), &filemap.Options{Writable: true})
	other := osFile(t, pathOf(f))
	must(t, other.Truncate(int64(pageSize)))
	sinkFile := osFile(t, newFile(t, nil))
	cutOff := f.Bytes()[pageSize:]
	if n, err := sinkFile.Write(cutOff[:10]); n > 0 || err == nil {
		t.Errorf("write(2) from there: %d, %v", n, err)
	} else {
		wantError(t, err, syscall.EFAULT)
	}
	_, err := other.ReadAt(cutOff[:10], 0)
	wantError(t, err, syscall.EFAULT)
	if n, err := sinkFile.Write(f.Bytes()[pageSize-5 : pageSize+5]); n != 5 { // as far as there is something
		t.Errorf("write(2) across the end: %d, %v", n, err)
	}
}

func TestUnmappingAPart(t *testing.T) {
	content := pattern(3 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true})
	m, err := f.Map(0, 0, &filemap.MapOptions{Writable: true})
	must(t, err)
	b := m.Bytes()
	head, tail, err := m.Split(int64(pageSize))
	must(t, err)
	middle, tail, err := tail.Split(int64(pageSize))
	must(t, err)
	must(t, middle.Close())
	wantError(t, touch(b, pageSize), shmkit.ErrClosed)
	wantError(t, touch(b, 2*pageSize-1), shmkit.ErrClosed)
	must(t, touch(b, pageSize-1))
	must(t, poke(b, 2*pageSize))
	must(t, head.Close())
	must(t, tail.Close())
	// A part can show something else instead: an independent piece of another file.
	again, err := f.Map(0, 0, nil)
	must(t, err)
	head, tail, err = again.Split(int64(2 * pageSize))
	must(t, err)
	defer closeOK(t, head)
	instead := mapPart(t, openNew(t, []byte("something else"), nil), 0, 0, &filemap.MapOptions{Replace: tail})
	wantBytes(t, instead, 0, []byte("something else")...)
	wantBytes(t, head, int64(2*pageSize-1), content[2*pageSize-1])
	_, err = f.Map(0, 0, &filemap.MapOptions{Replace: instead})
	wantError(t, err, syscall.EINVAL, "do not fit")
}

func TestMunmapArguments(t *testing.T) {
	addr, err := sys.ReserveAnywhere(2 * pageSize)
	must(t, err)
	for what, err := range map[string]error{
		"length 0":     sys.Munmap(addr, 0),
		"unaligned":    sys.Munmap(addr+1, pageSize),
		"out of range": sys.Munmap(^uintptr(0)-uintptr(2*pageSize)+1, pageSize),
		"overflowing":  sys.Munmap(addr, -1),
	} {
		if err != syscall.EINVAL {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, sys.Munmap(addr, 2*pageSize))
	// In a piece of address space that nothing else of this process takes: low, and free.
	must(t, sys.ReserveAt(1<<20, 2*pageSize))
	must(t, sys.Munmap(1<<20, 2*pageSize))
	must(t, sys.Munmap(1<<20, 2*pageSize)) // twice is fine for the kernel
}
