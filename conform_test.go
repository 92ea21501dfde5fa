package shmkit_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What independent suites assert of mprotect, mremap, mlock, madvise and mincore, and
// where it is tested here. Where the API makes a case impossible (an unaligned address,
// say), the system call is tested below it, so that a kernel that differs is noticed.
//
//	mprotect: unmapped, unaligned, read-only descriptor   TestMprotectErrors, TestProtectCannotExceedTheDescriptor
//	mprotect: NONE or READ, then a write                  TestProtectOfAPartMakesUsesFaultByName
//	mprotect: areas split and merge                       TestProtectOfPartsSplitsAndMergesTheArea
//	mprotect: huge length                                 TestMprotectErrors
//	mremap: grow a file's mapping                         TestResizeInReservedSpace…, TestMremapGrowsAFileMapping
//	mremap: unaligned, unmapped                           TestMremapErrors
//	mremap: no room without MAYMOVE, on a segment         TestMremapErrors
//	mremap: FIXED without MAYMOVE, unaligned, overlap     TestMremapErrors
//	mremap: FIXED unmaps its target                       TestMremapUnmapsItsTarget
//	mremap: old size 0 copies what is shared              TestMremapOfNothingCopiesWhatIsShared
//	mremap: private copies are kept, file pages appear    TestMremapKeepsPrivateCopies, TestResizeMovesOnlyWithoutViews
//	mremap: shared anonymous memory past its object       TestMremapPastAnObjectFaults
//	mremap: DONTUNMAP and userfaultfd                     TestDontUnmapAndUserfaultfd
//	mremap: locked, above the limit                       TestMremapOfLockedMemoryAboveTheLimit
//	mlock: hole; limit; limit 0                           TestMlockErrors, TestLockNamesTheLimit
//	mlock: resident is locked                             TestWhatIsLockedIsResident
//	mlock2: flags; on fault; VmLck counts once            TestMlockErrors, TestLockCountsPagesOnce, TestLockOnFaultBringsNothingIn
//	mlock: PROT_NONE                                      TestWhatNobodyMayTouchCannotBeLocked
//	mlock: not inherited by fork                          not here: Go programs do not fork without exec
//	MAP_LOCKED: limit 0, limit too small                  TestMapLockedLimits
//	mlockall                                              not here: it would lock the Go runtime; shmkit has no use for it
//	munlock: hole                                         TestMlockErrors
//	madvise: unaligned, unknown, locked, wrong kind, hole TestMadviseErrors, TestEveryAdviceIsTakenByTheMemoryItIsFor
//	madvise: DONTNEED of each kind                        TestDontNeedDropsPrivateCopiesOnly, TestDontNeedReadsAPrivateFileAgain
//	madvise: DONTFORK, WIPEONFORK in a child              not here: needs fork; the flags: TestEveryAdviceIsTaken…
//	madvise: guard pages                                  TestGuardPages
//	madvise: HWPOISON, SOFT_OFFLINE                       TestBrokenPagesAreForRoot: what is done before the kernel is asked
//	mincore: unaligned, hole, huge, rounding              TestMincoreErrors, TestResidentFollowsTouches
//	mincore: residency before and after a touch           TestResidentFollowsTouches
//
// The msync rows stand with the tests of Flush.

const (
	shared    = sys.MAP_SHARED | sys.MAP_ANONYMOUS
	privately = sys.MAP_PRIVATE | sys.MAP_ANONYMOUS
	rw        = sys.PROT_READ | sys.PROT_WRITE
)

// rawPages maps pages that no Mapping knows, until the test ends.
func rawPages(t testing.TB, pages, flags int) uintptr {
	t.Helper()
	addr, err := sys.Mmap(0, uint64(pages*pageSize), rw, flags, -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sys.Munmap(addr, pages*pageSize); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// hole is three pages of which the second is not mapped.
func hole(t testing.TB) uintptr {
	t.Helper()
	addr := rawPages(t, 3, privately)
	if err := sys.Munmap(addr+uintptr(pageSize), pageSize); err != nil {
		t.Fatal(err)
	}
	return addr
}

func wantErrno(t testing.TB, what string, err error, want syscall.Errno) {
	t.Helper()
	if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

var onePage, pages3 = uint64(pageSize), uint64(3 * pageSize)

func TestMprotectErrors(t *testing.T) {
	at := rawPages(t, 1, privately)
	wantErrno(t, "unmapped", sys.Mprotect(0, pageSize, sys.PROT_READ), syscall.ENOMEM)
	wantErrno(t, "unaligned", sys.Mprotect(at+1, pageSize, sys.PROT_READ), syscall.EINVAL)
	wantErrno(t, "huge length", sys.Mprotect(at, -pageSize, sys.PROT_READ), syscall.ENOMEM)
	wantErrno(t, "a hole", sys.Mprotect(hole(t), 3*pageSize, sys.PROT_READ), syscall.ENOMEM)
	m := mapFile(t, newReadOnlyFile(t, 1), fdmap.Options{Len: 1, Protection: readOnly})
	wantErrno(t, "read-only descriptor", sys.Mprotect(m.Addr(), pageSize, rw), syscall.EACCES)
}

func TestMremapErrors(t *testing.T) {
	at, target := rawPages(t, 2, privately), rawPages(t, 2, privately)
	fixed := sys.MREMAP_MAYMOVE | sys.MREMAP_FIXED
	try := func(what string, want syscall.Errno, addr uintptr, old, n uint64, flags int, to uintptr) {
		t.Helper()
		_, err := sys.Mremap(addr, old, n, flags, to)
		wantErrno(t, what, err, want)
	}
	try("unaligned", syscall.EINVAL, at+1, onePage, onePage, sys.MREMAP_MAYMOVE, 0)
	free, err := sys.ReserveAnywhere(pageSize)
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.Munmap(free, pageSize); err != nil {
		t.Fatal(err)
	}
	try("unmapped", syscall.EFAULT, free, onePage, 2*onePage, sys.MREMAP_MAYMOVE, 0)
	try("FIXED without MAYMOVE", syscall.EINVAL, at, onePage, onePage, sys.MREMAP_FIXED, target)
	try("unaligned target", syscall.EINVAL, at, onePage, onePage, fixed, target+1)
	try("overlap", syscall.EINVAL, at, 2*onePage, 2*onePage, fixed, at+uintptr(pageSize))
	try("unknown flag", syscall.EINVAL, at, onePage, onePage, 1<<20, 0)
	try("to no length", syscall.EINVAL, at, onePage, 0, sys.MREMAP_MAYMOVE, 0)

	// A segment is never extended in place; here there is no room besides.
	m := newMapping(t, pagesAt(1))
	blockBehind(t, m, 1)
	try("no room", syscall.ENOMEM, m.Addr(), onePage, 2*onePage, 0, 0)
	wantByte(t, m, 0, 0)
}

func TestMremapGrowsAFileMapping(t *testing.T) {
	f, _ := newFile(t, 3)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(3), Protection: readOnly})
	at, err := sys.Mremap(m.Addr(), 0, pages3, sys.MREMAP_MAYMOVE, 0) // a second one, to play with
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.Munmap(at+uintptr(pageSize), 2*pageSize); err != nil {
		t.Fatal(err)
	}
	grown, err := sys.Mremap(at, onePage, pages3, sys.MREMAP_MAYMOVE, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if b := sys.Bytes(grown, 3*pageSize)[i*pageSize]; b != byte(i+1) {
			t.Errorf("page %d reads %d", i, b)
		}
	}
	if err := sys.Munmap(grown, 3*pageSize); err != nil {
		t.Error(err)
	}
}

func TestMremapUnmapsItsTarget(t *testing.T) {
	at, target := rawPages(t, 1, privately), rawPages(t, 1, privately)
	sys.Bytes(at, 1)[0], sys.Bytes(target, 1)[0] = 1, 2
	to, err := sys.Mremap(at, onePage, onePage, sys.MREMAP_MAYMOVE|sys.MREMAP_FIXED, target)
	if err != nil || to != target {
		t.Fatalf("%#x, %v", to, err)
	}
	if b := sys.Bytes(target, 1)[0]; b != 1 {
		t.Errorf("the target reads %d", b)
	}
	if sys.Readable(at) {
		t.Error("the old addresses can be read")
	}
}

func TestMremapOfNothingCopiesWhatIsShared(t *testing.T) {
	at := rawPages(t, 1, shared)
	again, err := sys.Mremap(at, 0, onePage, sys.MREMAP_MAYMOVE, 0)
	if err != nil {
		t.Fatal(err)
	}
	sys.Bytes(at, 1)[0] = 7
	if b := sys.Bytes(again, 1)[0]; b != 7 {
		t.Errorf("the copy reads %d", b)
	}
	if err := sys.Munmap(again, pageSize); err != nil {
		t.Error(err)
	}
	_, err = sys.Mremap(rawPages(t, 1, privately), 0, onePage, sys.MREMAP_MAYMOVE, 0)
	wantErrno(t, "private", err, syscall.EINVAL)

	// So is a segment, which is attached once more.
	seg := newSegment(t, pagesAt(1))
	m := attach(t, seg, nil)
	again, err = sys.Mremap(m.Addr(), 0, onePage, sys.MREMAP_MAYMOVE, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := attachCount(t, seg); n != 2 {
		t.Errorf("attached %d times", n)
	}
	if err := sys.Munmap(again, pageSize); err != nil {
		t.Error(err)
	}
}

func TestMremapKeepsPrivateCopies(t *testing.T) {
	f, _ := newFile(t, 3)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(1), Private: true, Reserve: pagesAt(3)})
	if _, err := m.WriteAt([]byte{50}, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Resize(pagesAt(3)); err != nil {
		t.Fatal(err)
	}
	wantByte(t, m, 0, 50)
	wantByte(t, m, 1, 1)
	wantByte(t, m, pagesAt(2), 3)
}

func TestMremapPastAnObjectFaults(t *testing.T) {
	at, err := sys.Mmap(0, onePage, rw, shared, -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	grown, err := sys.Mremap(at, onePage, 2*onePage, sys.MREMAP_MAYMOVE, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !sys.Readable(grown) || sys.Readable(grown+uintptr(pageSize)) {
		t.Error("what lies behind the object can be read, or the object cannot")
	}
	if err := sys.Munmap(grown, 2*pageSize); err != nil {
		t.Error(err)
	}
}

func TestMlockErrors(t *testing.T) {
	at := hole(t)
	wantErrno(t, "mlock of a hole", sys.Mlock(at, pages3), syscall.ENOMEM)
	wantErrno(t, "munlock of a hole", sys.Munlock(at, pages3), syscall.ENOMEM)
	wantErrno(t, "munlock of what is there", sys.Munlock(at, onePage), 0)
	wantErrno(t, "mlock2 with an unknown flag", sys.Mlock2(at, onePage, 2), syscall.EINVAL)
	wantErrno(t, "mlock2 without flags", sys.Mlock2(at, onePage, 0), 0)
	wantErrno(t, "munlock", sys.Munlock(at, onePage), 0)
}

func TestWhatIsLockedIsResident(t *testing.T) {
	m := newHole(t, 4, fdmap.Options{})
	if err := m.Lock(0, pagesAt(4)); err != nil {
		t.Fatal(err)
	}
	rss, err := smapsNumber(m.Addr(), "Rss")
	if err != nil {
		t.Fatal(err)
	}
	lock, err := smapsNumber(m.Addr(), "Locked")
	if err != nil {
		t.Fatal(err)
	}
	if rss != lock || rss != 4*pageSize {
		t.Errorf("resident %d, locked %d bytes", rss, lock)
	}
}

func TestMapLockedLimits(t *testing.T) {
	opts := &testenv.StartOptions{}
	if os.Geteuid() == 0 {
		opts.DropCaps = []testenv.Capability{testenv.CapIPCLock}
	}
	testenv.StartWith(t, opts, "map locked", "0", fmt.Sprint(int(syscall.EPERM))).Expect("refused")
	testenv.StartWith(t, opts, "map locked", "1", fmt.Sprint(int(syscall.EAGAIN))).Expect("refused")
}

// mapLockedRole may lock args[0] pages, and must be refused two with errno args[1].
func mapLockedRole(args []string) error {
	pages, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	want, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	limit := uint64(pages * pageSize)
	if err := syscall.Setrlimit(rlimitMemlock, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	_, err = sys.Mmap(0, 2*onePage, rw, privately|sys.MAP_LOCKED, -1, 0)
	if !errors.Is(err, syscall.Errno(want)) {
		return fmt.Errorf("got %v", err)
	}
	return testenv.Say("refused")
}

func TestMremapOfLockedMemoryAboveTheLimit(t *testing.T) {
	opts := &testenv.StartOptions{}
	if os.Geteuid() == 0 {
		opts.DropCaps = []testenv.Capability{testenv.CapIPCLock}
	}
	testenv.StartWith(t, opts, "grow locked").Expect("refused")
}

func growLockedRole([]string) error {
	limit := 2 * onePage
	if err := syscall.Setrlimit(rlimitMemlock, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	at, err := sys.Mmap(0, 2*onePage, rw, privately|sys.MAP_LOCKED, -1, 0)
	if err != nil {
		return err
	}
	if _, err := sys.Mremap(at, 2*onePage, pages3, sys.MREMAP_MAYMOVE, 0); !errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("got %v", err)
	}
	return testenv.Say("refused")
}

func TestMadviseErrors(t *testing.T) {
	at := rawPages(t, 2, privately)
	wantErrno(t, "unaligned", sys.Madvise(at+1, onePage, sys.MADV_NORMAL), syscall.EINVAL)
	wantErrno(t, "unknown", sys.Madvise(at, onePage, 1212), syscall.EINVAL)
	wantErrno(t, "a hole", sys.Madvise(hole(t), pages3, sys.MADV_NORMAL), syscall.ENOMEM)
	wantErrno(t, "no length", sys.Madvise(at, 0, sys.MADV_NORMAL), 0)

	f, _ := newFile(t, 2)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(2)})
	if err := m.Lock(0, pagesAt(1)); err != nil {
		t.Fatal(err)
	}
	for _, a := range []shmkit.Advice{shmkit.AdviseDontNeed, shmkit.AdviseRemove} {
		wantOpError(t, m.Advise(0, pagesAt(1), a), "advise "+a.String()+" of", syscall.EINVAL, "locked")
	}
	if err := m.Advise(0, pagesAt(1), shmkit.AdviseDontNeedLocked); err != nil && !errors.Is(err, syscall.EINVAL) { // since 5.18
		t.Error(err)
	}
	wantByte(t, m, 0, 1)
}

func TestDontNeedReadsAPrivateFileAgain(t *testing.T) {
	f, _ := newFile(t, 1)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(1), Private: true})
	if _, err := m.WriteAt([]byte{90}, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Advise(0, pagesAt(1), shmkit.AdviseDontNeed); err != nil {
		t.Fatal(err)
	}
	wantByte(t, m, 0, 1)
}

func TestMincoreErrors(t *testing.T) {
	at := rawPages(t, 2, privately)
	vec := make([]byte, 8)
	wantErrno(t, "unaligned", sys.Mincore(at+1, onePage, vec), syscall.EINVAL)
	wantErrno(t, "a hole", sys.Mincore(hole(t), pages3, vec), syscall.ENOMEM)
	wantErrno(t, "huge length", sys.Mincore(at, 1<<62, vec), syscall.ENOMEM)
	vec = []byte{9, 9, 9}
	wantErrno(t, "rounded up", sys.Mincore(at, onePage+1, vec), 0)
	if vec[0]&1 != 0 || vec[1]&1 != 0 || vec[2] != 9 {
		t.Errorf("two untouched pages: %v", vec)
	}
	sys.Bytes(at, 1)[0] = 1
	wantErrno(t, "after a touch", sys.Mincore(at, 2*onePage, vec), 0)
	if vec[0]&1 != 1 || vec[1]&1 != 0 {
		t.Errorf("after a touch of the first page: %v", vec)
	}
}
