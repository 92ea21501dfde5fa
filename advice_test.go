package shmkit_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
)

// newAnonymous is private memory without a file, as no source of memory makes it.
func newAnonymous(t testing.TB, pages int) *shmkit.Mapping {
	t.Helper()
	size := pages * pageSize
	addr, err := sys.Mmap(0, uint64(size), sys.PROT_READ|sys.PROT_WRITE, sys.MAP_PRIVATE|sys.MAP_ANONYMOUS, -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := shmkit.NewMapping(vm.New(vm.Spec{Addr: addr, Len: size, Size: size, Readable: true, Writable: true, Name: "anon:", Unmap: sys.Munmap}))
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

// kinds are the kinds of memory that take different advice.
const (
	anonymous  = 1 << iota // private memory without a file
	sharedFile             // of a memfd, or a System V segment
	privateFile
	everything = anonymous | sharedFile | privateFile
)

// adviceTable says which memory takes which advice, since which Linux, and which flag of
// /proc/self/smaps it leaves on the area ("" none, "-xx" it takes that away).
var adviceTable = []struct {
	advice shmkit.Advice
	kinds  int
	optional
	flag string
}{
	{shmkit.AdviseNormal, everything, always, "-rr"},
	{shmkit.AdviseRandom, everything, always, "rr"},
	{shmkit.AdviseSequential, everything, always, "sr"},
	{shmkit.AdviseWillNeed, everything, always, ""},
	{shmkit.AdviseDontNeed, everything, always, ""},
	{shmkit.AdviseFree, anonymous, always, ""},
	{shmkit.AdviseRemove, sharedFile, always, ""},
	{shmkit.AdviseDontFork, everything, always, "dc"},
	{shmkit.AdviseDoFork, everything, always, "-dc"},
	{shmkit.AdviseMergeable, everything, configured, ""},
	{shmkit.AdviseUnmergeable, everything, configured, ""},
	{shmkit.AdviseHugePage, everything, configured, "hg"},
	{shmkit.AdviseNoHugePage, everything, configured, "nh"},
	{shmkit.AdviseDontDump, everything, always, "dd"},
	{shmkit.AdviseDoDump, everything, always, "-dd"},
	{shmkit.AdviseWipeOnFork, anonymous, always, "wf"},
	{shmkit.AdviseKeepOnFork, everything, always, "-wf"},
	{shmkit.AdviseCold, everything, newer, ""},
	{shmkit.AdvisePageOut, everything, newer, ""},
	{shmkit.AdvisePopulateRead, everything, newer, ""},
	{shmkit.AdvisePopulateWrite, everything, newer, ""},
	{shmkit.AdviseDontNeedLocked, everything, newer, ""},
	{shmkit.AdviseGuardInstall, everything, newer, ""},
	{shmkit.AdviseGuardRemove, everything, newer, ""},
}

// optional is whether a kernel may not know an advice.
type optional int

const (
	always     optional = iota
	configured          // left out of some kernels
	newer               // than the oldest that shmkit runs on
)

func TestEveryAdviceIsTakenByTheMemoryItIsFor(t *testing.T) {
	for _, c := range adviceTable {
		f, _ := newFile(t, 4)
		for kind, m := range map[int]*shmkit.Mapping{
			anonymous:      newAnonymous(t, 4),
			sharedFile:     mapFile(t, f, fdmap.Options{Len: pagesAt(4)}),
			privateFile:    mapFile(t, f, fdmap.Options{Len: pagesAt(4), Private: true}),
			sharedFile | 8: newMapping(t, pagesAt(4)),
		} {
			// A page of each kind is there, and the second is advised.
			if _, err := m.WriteAt([]byte{1}, pagesAt(1)); err != nil {
				t.Fatal(err)
			}
			err := m.Advise(pagesAt(1), pagesAt(1), c.advice)
			switch takes := c.kinds&kind != 0; {
			case !takes && c.advice == shmkit.AdviseRemove && kind == privateFile:
				wantOpError(t, err, "advise MADV_REMOVE of", syscall.EACCES, "through a shared mapping")
				continue
			case !takes:
				wantOpError(t, err, "advise "+c.advice.String()+" of", syscall.EINVAL, "does not know that")
				continue
			case errors.Is(err, syscall.EINVAL) && c.optional != always:
				t.Logf("this kernel does not know %v", c.advice)
				continue
			case err != nil:
				t.Errorf("memory of kind %d: %v", kind, err)
				continue
			}
			if flag, gone := strings.CutPrefix(c.flag, "-"); flag != "" {
				if vmFlag(t, m.Addr()+uintptr(pageSize), flag) == gone {
					t.Errorf("memory of kind %d: after %v the flag %s is there: %t", kind, c.advice, flag, gone)
				}
				if vmFlag(t, m.Addr(), flag) {
					t.Errorf("memory of kind %d: after %v of a page the flag %s is on its neighbour", kind, c.advice, flag)
				}
			}
		}
	}
}

// AdviseHWPoison breaks memory for good, so it is only tried where it is refused.
func TestBrokenPagesAreForRoot(t *testing.T) {
	m := newAnonymous(t, 1)
	for _, a := range []shmkit.Advice{shmkit.AdviseHWPoison, shmkit.AdviseSoftOffline} {
		closed := newAnonymous(t, 1)
		closeOK(t, closed)
		wantAccessError(t, closed.Advise(0, pagesAt(1), a), "advise "+a.String()+" of", shmkit.ErrClosed)
		wantAccessError(t, m.Advise(0, 1, a), "advise "+a.String()+" of", shmkit.ErrMisaligned)
	}
}

// Advice that changes what is read is not rounded to whole pages: the neighbours would be
// harmed.
func TestAdviceThatChangesWhatIsReadIsForWholePages(t *testing.T) {
	m := newAnonymous(t, 2)
	if err := m.Store32(0, 1); err != nil {
		t.Fatal(err)
	}
	for _, a := range []shmkit.Advice{
		shmkit.AdviseDontNeed, shmkit.AdviseDontNeedLocked, shmkit.AdviseFree, shmkit.AdviseRemove,
		shmkit.AdviseGuardInstall, shmkit.AdviseGuardRemove, shmkit.AdviseWipeOnFork,
	} {
		for _, r := range [][2]int64{{4, pagesAt(1) - 4}, {0, pagesAt(1) + 4}} {
			wantAccessError(t, m.Advise(r[0], r[1], a), "advise "+a.String()+" of", shmkit.ErrMisaligned)
		}
	}
	if v, err := m.Load32(0); v != 1 || err != nil {
		t.Errorf("the word beside it is %d, %v", v, err)
	}
}

func TestAdviceUnknownToTheKernelIsInvalid(t *testing.T) {
	m := newMapping(t, pagesAt(1))
	wantOpError(t, m.Advise(0, 1, shmkit.Advice(99)), "advise advice 99 of", syscall.EINVAL)
	// The kernel looks at 32 bits: it would take this for AdviseRemove, of the whole page.
	if err := m.Store32(4, 1); err != nil {
		t.Fatal(err)
	}
	a := shmkit.AdviseRemove | 1<<32
	wantOpError(t, m.Advise(0, 1, a), "advise "+a.String()+" of", syscall.EINVAL)
	if v, err := m.Load32(4); v != 1 || err != nil {
		t.Errorf("the word beside it is %d, %v", v, err)
	}
}

func TestAdviceHasTheNamesOfTheManual(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range adviceTable {
		name := c.advice.String()
		if !strings.HasPrefix(name, "MADV_") || seen[name] {
			t.Errorf("advice %d is called %q", int(c.advice), name)
		}
		seen[name] = true
	}
	if s := shmkit.AdviseCollapse.String(); s != "MADV_COLLAPSE" {
		t.Error(s)
	}
}

func TestDontNeedDropsPrivateCopiesOnly(t *testing.T) {
	f, _ := newFile(t, 3)
	shared := mapFile(t, f, fdmap.Options{Len: pagesAt(3)})
	private := mapFile(t, f, fdmap.Options{Len: pagesAt(3), Private: true})
	anon := newAnonymous(t, 3)
	for _, m := range []*shmkit.Mapping{shared, private, anon} {
		if _, err := m.WriteAt(filled(3*pageSize, 99), 0); err != nil {
			t.Fatal(err)
		}
		if err := m.Advise(pagesAt(1), pagesAt(1), shmkit.AdviseDontNeed); err != nil {
			t.Fatal(err)
		}
		wantByte(t, m, 0, 99)
		wantByte(t, m, pagesAt(2), 99)
	}
	wantByte(t, shared, pagesAt(1), 99)
	wantByte(t, private, pagesAt(1), 99) // which is in the file by now
	wantByte(t, anon, pagesAt(1), 0)
}

func TestRemoveMakesHolesForEverybody(t *testing.T) {
	f, o := newFile(t, 3)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(3)})
	other := mapFile(t, f, fdmap.Options{Len: pagesAt(3)})
	if err := m.Advise(pagesAt(1), pagesAt(1), shmkit.AdviseRemove); err != nil {
		t.Fatal(err)
	}
	wantByte(t, other, pagesAt(1), 0)
	wantByte(t, o, pagesAt(1), 0)
	wantByte(t, other, pagesAt(2), 3)
	wantOpError(t, mapFile(t, newReadOnlyFile(t, 1), fdmap.Options{Len: 1, Protection: readOnly}).Advise(0, 1, shmkit.AdviseRemove),
		"advise MADV_REMOVE of", syscall.EACCES)
}

// Advice of parts, and locks, are properties of areas, and go with them.
func TestAMoveTakesAdviceAndLocksAlong(t *testing.T) {
	for _, private := range []bool{false, true} {
		f, _ := newFile(t, 12)
		m := mapFile(t, f, fdmap.Options{Len: pagesAt(6), Private: private})
		blockBehind(t, m, 6)
		before := lockedPages(t)
		if _, err := m.WriteAt([]byte{71}, pagesAt(4)); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{
			m.Protect(pagesAt(1), pagesAt(1), readOnly),
			m.Protect(pagesAt(2), pagesAt(1), none),
			m.Advise(pagesAt(3), pagesAt(1), shmkit.AdviseDontDump),
			m.Lock(pagesAt(4), pagesAt(1)),
			m.LockOnFault(pagesAt(5), pagesAt(1)),
			m.Advise(0, pagesAt(1), shmkit.AdviseRandom),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		had, from := areas(t, m, 6), m.Addr()
		if err := m.Resize(pagesAt(12)); err != nil {
			t.Fatal(err)
		}
		if m.Addr() == from {
			t.Fatal("it did not move")
		}
		if got := areas(t, m, 6); !slices.Equal(got, had) {
			t.Errorf("private %t: the areas are %q, and were %q", private, got, had)
		}
		at := func(page int) uintptr { return m.Addr() + uintptr(page*pageSize) }
		for page, flag := range map[int]string{0: "rr", 3: "dd", 4: "lo", 5: "lf"} {
			if !vmFlag(t, at(page), flag) {
				t.Errorf("private %t: page %d has no flag %s any more", private, page, flag)
			}
		}
		if n := lockedPages(t) - before; n != 2 {
			t.Errorf("private %t: %d pages are locked, want 2", private, n)
		}
		wantByte(t, m, pagesAt(4), 71)
		wantByte(t, m, pagesAt(11), 12)
		_, err := m.WriteAt([]byte{1}, pagesAt(1))
		wantPageFault(t, err, m, pagesAt(1), shmkit.Write, shmkit.ErrReadOnly)
		_, err = m.ReadAt(make([]byte, 1), pagesAt(2))
		wantPageFault(t, err, m, pagesAt(2), shmkit.Read, shmkit.ErrNotReadable)
		closeOK(t, m)
		if n := lockedPages(t) - before; n != 0 {
			t.Errorf("private %t: %d pages are locked after Close", private, n)
		}
	}
}

// Pages that cannot be brought in, having been cut off, are no reason not to move.
func TestALockedMappingOfATruncatedFileMoves(t *testing.T) {
	f, o := newFile(t, 3)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(3)})
	blockBehind(t, m, 3)
	if err := m.Lock(0, pagesAt(3)); err != nil {
		t.Fatal(err)
	}
	if err := o.Truncate(pagesAt(1)); err != nil {
		t.Fatal(err)
	}
	if err := m.Resize(pagesAt(6)); err != nil {
		t.Fatal(err)
	}
	wantByte(t, m, 0, 1)
	_, err := m.ReadAt(make([]byte, 1), pagesAt(5))
	wantPageFault(t, err, m, pagesAt(5), shmkit.Read, shmkit.ErrTruncated)
}
