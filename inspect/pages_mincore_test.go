package inspect

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

// statesOf asks for the pages of a file as if the kernel had no cachestat, or as it has.
func statesOf(t *testing.T, f *os.File, size int64, mincore bool) (states []PageState) {
	t.Helper()
	v := newObjectView(f, size)
	if mincore {
		v.walk = (&objectPages{f: f, size: size, memory: true, mincore: true}).walk
	}
	pages := (size + int64(pageBytes) - 1) / int64(pageBytes)
	for r, err := range v.Runs(t.Context(), 0, pages) {
		if err != nil {
			t.Fatal(err)
		}
		for range r.Count {
			states = append(states, r.State)
		}
	}
	if int64(len(states)) != pages {
		t.Fatalf("%d states of %d pages", len(states), pages)
	}
	return states
}

func TestOlderKernelsAreAskedPageByPage(t *testing.T) {
	f, err := os.CreateTemp("/dev/shm", "shmkit-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	size := 9*int64(pageBytes) + 1
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{0, 4, 5, 9} {
		if _, err := f.WriteAt([]byte{1}, n*int64(pageBytes)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	old := statesOf(t, f, size, true)
	for n, s := range old {
		want := PageHole
		if n == 0 || n == 4 || n == 5 || n == 9 {
			want = PagePresent
		}
		if s != want {
			t.Errorf("page %d: %v, want %v", n, s, want)
		}
	}
	if after, err := f.Stat(); err != nil || blocks(after) != blocks(before) {
		t.Errorf("%d blocks are allocated, %d were before", blocks(after), blocks(before))
	}
	for n, s := range statesOf(t, f, size, false) {
		if s != old[n] {
			t.Errorf("page %d: cachestat says %v, mincore %v", n, s, old[n])
		}
	}
}

// A file on a device: dropped from the cache it is on the device only, stored to it is dirty.
func TestPagesOfAFileOnADevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 4*pageBytes)); err != nil {
		t.Fatal(err)
	}
	v := newObjectView(f, 4*int64(pageBytes))
	if len(v.Blind) > 0 {
		t.Skipf("the kernel does not tell: %q", v.Blind)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	for n, s := range statesOf(t, f, 4*int64(pageBytes), false) {
		if s&PagePresent == 0 || s&(PageDirty|PageHole|PageSwapped) != 0 {
			t.Errorf("written back, page %d: %v", n, s)
		}
	}
	if _, err := f.WriteAt([]byte{1}, 2*int64(pageBytes)); err != nil {
		t.Fatal(err)
	}
	states := statesOf(t, f, 4*int64(pageBytes), false)
	if states[2]&(PageDirty|PageWriteback) == 0 && !isTmpfs(t, f) {
		t.Errorf("stored to: %v", states)
	}
}

func blocks(info os.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks }

func isTmpfs(t *testing.T, f *os.File) bool {
	magic, _, _, err := sys.FileSystem(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return uint32(magic) == sys.TMPFS_MAGIC
}
