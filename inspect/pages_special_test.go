package inspect_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// mapHere maps n bytes in this process until the test ends.
func mapHere(t testing.TB, fd int, n uint64, flags int) (addr uintptr) {
	t.Helper()
	addr, err := sys.Mmap(0, n, sys.PROT_READ|sys.PROT_WRITE, flags, fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sys.Munmap(addr, int(n)); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// populate makes the pages of a range present.
func populate(t testing.TB, addr uintptr, n uint64) {
	t.Helper()
	if err := sys.Madvise(addr, n, sys.MADV_POPULATE_WRITE); err != nil {
		t.Skipf("pages cannot be made one by one: %v", err) // before Linux 5.14
	}
}

// ownPages looks at a private mapping of this process.
func ownPages(t testing.TB, addr uintptr) []inspect.Page {
	t.Helper()
	p, err := inspect.PagesOfMapping(os.Getpid(), uint64(addr), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	return each(t, p, p.Processes[0])
}

func TestASparseTebibyte(t *testing.T) {
	const pages = 1 << 28
	page := int64(os.Getpagesize())
	path := "/dev/shm/" + testenv.Name(t)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(pages * page); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{1}, (pages-1)*page); err != nil {
		t.Fatal(err)
	}
	a := startMapper(t, "shared", path)
	a.touch("write", 0, pages/2)
	p := look(t, objectOf(t, path, a), nil)
	picture := func() string {
		var got []string
		for row, err := range p.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			object, process := row.Runs[0].State, row.Runs[1].State
			got = append(got, fmt.Sprint(row.Count, " ", object&(present|hole), " ", process&present))
		}
		return strings.Join(got, ", ")
	}
	whole := fmt.Sprintf("1 present present, %d hole empty, 1 present present, %d hole empty, 1 present empty", pages/2-1, pages/2-2)
	settles(t, func() error { return want(picture(), whole) })
}

func TestHugePagesAreToldPageByPage(t *testing.T) {
	size := uint64(testenv.HugePages(t, 2))
	fd, err := sys.MemfdCreate("huge", sys.MFD_HUGETLB|sys.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "huge")
	defer f.Close()
	if err := f.Truncate(int64(2 * size)); err != nil {
		t.Fatal(err)
	}
	addr := mapHere(t, fd, 2*size, sys.MAP_SHARED)
	populate(t, addr+uintptr(size), size)
	o := &inspect.Object{Address: "memfd:self", ID: inspect.ID{Class: inspect.MemfdClass}, Size: 2 * size, PageSize: size}
	o.Users = []inspect.User{{PID: os.Getpid(), Descriptors: []int{fd}, Ranges: []inspect.Range{{Start: uint64(addr), End: uint64(addr) + 2*size}}}}
	p := look(t, o, nil)
	per := int(size) / os.Getpagesize()
	for n, page := range each(t, p, p.Processes[0]) {
		want := inspect.PageState(0)
		if n >= per {
			want = present | inspect.PageHuge
		}
		if page.State&(present|inspect.PageHuge) != want {
			t.Fatalf("page %d: %v", n, page.State)
		}
	}
	// Without /proc/kpageflags, which is root's, the scan of the page table tells, where there is one.
	root := t.TempDir()
	if err := os.Symlink(fmt.Sprintf("/proc/%d", os.Getpid()), fmt.Sprintf("%s/%d", root, os.Getpid())); err != nil {
		t.Fatal(err)
	}
	plain := look(t, o, &inspect.PagesOptions{Proc: root})
	last := each(t, plain, plain.Processes[0])[per]
	if _, _, err := sys.PagemapScan(pagemapFile(t), uint64(addr), uint64(addr)+size, sys.PageIsHuge, sys.PageIsHuge, make([]sys.PageRegion, 1)); err == nil &&
		last.State&(present|inspect.PageHuge|inspect.PageLarge) != present|inspect.PageHuge {
		t.Errorf("the scan tells %v", last.State)
	}
	// Of the file itself the kernel tells nothing.
	if got := each(t, p, p.Object)[0].State; got != inspect.PageUnknown || len(p.Object.Blind) != 1 {
		t.Errorf("%v, %q", got, p.Object.Blind)
	}
}

func TestGuardPages(t *testing.T) {
	page := uint64(os.Getpagesize())
	// Between pages of other protection, or the kernel makes it one mapping with what lies beside it.
	addr := mapHere(t, -1, 6*page, sys.MAP_PRIVATE|sys.MAP_ANONYMOUS) + uintptr(page)
	for _, beside := range []uintptr{addr - uintptr(page), addr + uintptr(4*page)} {
		if err := sys.Mprotect(beside, int(page), 0); err != nil {
			t.Fatal(err)
		}
	}
	const guardInstall = 102 // MADV_GUARD_INSTALL
	if err := sys.Madvise(addr+uintptr(2*page), page, guardInstall); err != nil {
		t.Skipf("there are no guard pages: %v", err) // before Linux 6.13
	}
	populate(t, addr, page)
	told := true // from swapped ones: before Linux 6.15 they are not
	settles(t, func() error {
		got := picture(ownPages(t, addr), inspect.PageGuard, "G", inspect.PageSwapped, "S", present|inspect.PageCopy|inspect.PageExclusive, "C")
		if told = got != "C.S."; !told {
			return nil
		}
		return want(got, "C.G.")
	})
	if !told {
		t.Skip("the kernel does not tell guard pages from swapped ones")
	}
}

func TestPagesInSwap(t *testing.T) {
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil || strings.Count(string(swaps), "\n") < 2 {
		t.Skip("needs swap space")
	}
	page := uint64(os.Getpagesize())
	fd, err := sys.MemfdCreate("swapped", sys.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "swapped")
	defer f.Close()
	if err := f.Truncate(int64(4 * page)); err != nil {
		t.Fatal(err)
	}
	addr := mapHere(t, fd, 4*page, sys.MAP_SHARED)
	populate(t, addr, 3*page)
	o := &inspect.Object{Address: "memfd:self", ID: inspect.ID{Class: inspect.MemfdClass}, Size: 4 * page}
	o.Users = []inspect.User{{PID: os.Getpid(), Descriptors: []int{fd}, Ranges: []inspect.Range{{Start: uint64(addr), End: uint64(addr) + 4*page}}}}
	p := look(t, o, nil)
	const pageOut = 21 // MADV_PAGEOUT
	testenv.Eventually(t, "the kernel has swapped two of the pages", func() bool {
		if err := sys.Madvise(addr, 2*page, pageOut); err != nil {
			t.Fatal(err)
		}
		return picture(each(t, p, p.Object), inspect.PageSwapped, "S", present, "M", hole, "-") == "SSM-"
	})
}

// pagemapFile is a descriptor of this process's page table until the test ends.
func pagemapFile(t testing.TB) int {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}
