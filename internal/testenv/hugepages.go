package testenv

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

const reservedHugePages = "/proc/sys/vm/nr_hugepages"

// HugePages makes sure that n huge pages of the machine's default size are free until
// the test ends, and returns their size in bytes. It needs root, and is skipped where
// the machine has none or finds none. The number belongs to the whole machine: test
// processes that change it take turns, each for the length of its test.
func HugePages(t testing.TB, n int) int64 {
	t.Helper()
	kilobytes, ok := sys.Meminfo("Hugepagesize")
	if !ok {
		t.Skip("this kernel has no huge pages")
	}
	RequireRoot(t)
	f, err := os.OpenFile(reservedHugePages, os.O_RDWR, 0)
	if err != nil {
		t.Skipf("huge pages cannot be reserved: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	for err = syscall.EINTR; err == syscall.EINTR; {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(reservedHugePages)
	if err != nil {
		t.Fatal(err)
	}
	before, err := strconv.Atoi(strings.TrimSpace(string(old)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the lock goes
		if err := os.WriteFile(reservedHugePages, old, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(reservedHugePages, []byte(strconv.Itoa(before+n)), 0); err != nil {
		t.Skipf("huge pages cannot be reserved: %v", err)
	}
	free, _ := sys.Meminfo("HugePages_Free")
	promised, _ := sys.Meminfo("HugePages_Rsvd")
	if free < promised+uint64(n) {
		t.Skipf("the kernel found %d of %d huge pages", free-promised, n)
	}
	return int64(kilobytes) << 10
}

// HugePageSize returns how large huge pages are by default, in bytes. It skips where
// there are none.
func HugePageSize(t testing.TB) int {
	t.Helper()
	kilobytes, ok := sys.Meminfo("Hugepagesize")
	if !ok {
		t.Skip("this kernel has no huge pages")
	}
	return int(kilobytes) << 10
}
