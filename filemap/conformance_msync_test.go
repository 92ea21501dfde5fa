package filemap_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/sys"
)

// What Linux does with msync, as TestTailBehind… and its neighbours have it for mmap:
//
//	case                                       where                               test
//	MS_INVALIDATE on a locked range EBUSY      ltp msync03; gv MsyncInvalidate     TestInvalidateOfALockedRange
//	unaligned; bad bit; SYNC and ASYNC EINVAL  ltp msync03; gv BothSyncAndAsync    TestMsyncArguments (sys), TestFlushOfAnyRange
//	hole, unmapped ENOMEM; length 0 ok         ltp msync03; gv UnmappedAddress…    TestMsyncArguments (sys), TestFlushOfWhatIsNotMapped
//	page clean after MS_SYNC                   ltp msync04                         TestFlushCleansPages

func TestInvalidateOfALockedRange(t *testing.T) {
	f := openNew(t, pattern(2*pageSize), &filemap.Options{Writable: true})
	m := f.Mapping()
	if err := m.Lock(0, 1); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOMEM) {
		t.Skipf("this process may not lock memory: %v", err)
	} else {
		must(t, err)
	}
	wantError(t, f.Flush(0, 10, filemap.Invalidate), syscall.EBUSY, "flush", f.Name())
	must(t, f.Flush(int64(pageSize), 10, filemap.Invalidate))
	must(t, f.Flush(0, 10, filemap.Sync))
	must(t, f.Flush(0, 10, filemap.Async))
	must(t, m.Unlock(0, 1))
	must(t, f.Flush(0, 10, filemap.Invalidate))
}

func TestMsyncArguments(t *testing.T) {
	f := openNew(t, pattern(3*pageSize), &filemap.Options{Writable: true})
	addr, n := f.Mapping().Addr(), uint64(3*pageSize)
	for _, c := range []struct {
		what   string
		addr   uintptr
		n      uint64
		flags  int
		answer error
	}{
		{"unaligned", addr + 1, n - 1, sys.MS_SYNC, syscall.EINVAL},
		{"an unknown bit", addr, n, sys.MS_SYNC | 1<<10, syscall.EINVAL},
		{"sync and async", addr, n, sys.MS_SYNC | sys.MS_ASYNC, syscall.EINVAL},
		{"sync and invalidate", addr, n, sys.MS_SYNC | sys.MS_INVALIDATE, nil},
		{"none", addr, n, 0, nil},
		{"longer than all addresses", addr, ^uint64(0) - uint64(addr) + 1 - uint64(pageSize), sys.MS_SYNC, syscall.ENOMEM},
		{"nothing of what is not mapped", 1 << 20, 0, sys.MS_SYNC, nil},
		{"what is not mapped", 1 << 20, 10, sys.MS_SYNC, syscall.ENOMEM},
		{"what is not mapped, async", 1 << 20, 10, sys.MS_ASYNC, syscall.ENOMEM},
	} {
		err := sys.Msync(c.addr, c.n, c.flags)
		if err != c.answer && !errors.Is(err, c.answer) {
			t.Errorf("%s: %v, want %v", c.what, err, c.answer)
		}
	}
	// With a hole in it, what is there is written, and the hole told.
	reserved, err := sys.ReserveAnywhere(3 * pageSize)
	must(t, err)
	must(t, sys.Munmap(reserved+uintptr(pageSize), pageSize))
	if err := sys.Msync(reserved, n, sys.MS_SYNC); err != syscall.ENOMEM {
		t.Errorf("with a hole: %v", err)
	}
	must(t, sys.Munmap(reserved, pageSize))
	must(t, sys.Munmap(reserved+uintptr(2*pageSize), pageSize))
}

func TestFlushOfWhatIsNotMapped(t *testing.T) {
	f := openNew(t, pattern(3*pageSize), &filemap.Options{Writable: true})
	m := f.Mapping()
	wantError(t, m.Flush(0, int64(4*pageSize), filemap.Sync), shmkit.ErrOutOfRange)
	must(t, f.Resize(int64(pageSize)))
	wantError(t, m.Flush(0, int64(2*pageSize), filemap.Sync), shmkit.ErrOutOfRange)
	must(t, m.Flush(0, int64(pageSize), filemap.Sync))
	must(t, m.Close())
	wantError(t, m.Flush(0, 1, filemap.Sync), shmkit.ErrClosed)
}
