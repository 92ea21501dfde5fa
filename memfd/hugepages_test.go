package memfd_test

import (
	"math"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

func needHugePages(t *testing.T) (size int64) {
	t.Helper()
	kilobytes, ok := sys.Meminfo("Hugepagesize")
	if !ok {
		t.Skip("this kernel has no huge pages")
	}
	return int64(kilobytes) << 10
}

func TestHugePagesAreSealedAndHandedOverAsAnyOther(t *testing.T) {
	huge := testenv.HugePages(t, 2)
	for _, o := range []memfd.Options{{}, {HugePageSize: huge}} {
		o.HugePages = true
		f := createWith(t, huge+1, &o)
		if size(t, f) != 2*huge || f.PageSize() != int(huge) {
			t.Errorf("%d bytes asked for: it has %d, in pages of %d", huge+1, size(t, f), f.PageSize())
		}
		wantSeals(t, f, memfd.DefaultSeals)
		wantError(t, f.Truncate(huge), syscall.EPERM, "sealed: shrink")

		a, b := socketPair(t, syscall.SOCK_STREAM)
		ok(t, memfd.Send(a, f))
		got, err := memfd.Receive(b, &memfd.Want{Seals: memfd.DefaultSeals, Size: 2 * huge})
		ok(t, err)
		closing(t, got)
		if got.PageSize() != int(huge) || got.Name() != "test" {
			t.Errorf("received: %q, in pages of %d", got.Name(), got.PageSize())
		}
		m, n := mapped(t, f, nil), mapped(t, got, &memfd.MapOptions{Off: huge - 3})
		if n.Len() != int(huge)+3 {
			t.Errorf("a part has %d bytes", n.Len())
		}
		ok(t, m.Store64(2*huge-8, 42))
		if v, err := n.Load64(huge + 3 - 8); v != 42 && err == nil || err != nil && v != 0 {
			t.Errorf("the other side reads %d, %v", v, err)
		}
		ok(t, m.Close())
		ok(t, n.Close())
		info, err := f.Stat()
		ok(t, err)
		if info.PageSize != int(huge) || info.Allocated != 2*huge {
			t.Errorf("stat says %+v", info)
		}
		closeOK(t, got)
		closeOK(t, f)
	}
}

func TestWriteToHugePagesIsInvalid(t *testing.T) {
	huge := testenv.HugePages(t, 1)
	f := createWith(t, huge, &memfd.Options{HugePages: true})
	_, err := f.WriteAt([]byte{1}, 0)
	wantError(t, err, syscall.EINVAL, "huge pages", "only a mapping writes")
	if n, err := f.ReadAt(make([]byte, 10), 0); n != 10 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestSizesOfHugePagesAreWhole(t *testing.T) {
	huge := needHugePages(t)
	f := createWith(t, 0, &memfd.Options{HugePages: true, NoReserve: true, Seals: memfd.NoSeals})
	wantError(t, f.Truncate(huge+4096), syscall.EINVAL, "sizes are whole ones")
	ok(t, f.Truncate(3*huge))
	ok(t, f.Truncate(huge))
}

func TestAHugePageIsNotUnmappedInParts(t *testing.T) {
	huge := testenv.HugePages(t, 1)
	f := createWith(t, huge, &memfd.Options{HugePages: true})
	m := mapped(t, f, nil)
	if err := sys.Munmap(m.Addr(), pageSize); err != syscall.EINVAL {
		t.Errorf("munmap of a part: %v", err)
	}
	_, _, err := m.Split(int64(pageSize))
	wantError(t, err, shmkit.ErrMisaligned)
	_, err = m.WriteAt([]byte{1}, 0)
	ok(t, err)
}

func TestTooFewHugePagesAreNoMemory(t *testing.T) {
	needHugePages(t)
	const size = 1 << 46
	// Reserved, it fails when it is made …
	f, err := memfd.CreateWith("huge", 1<<40, &memfd.Options{HugePages: true})
	if err == nil {
		closeOK(t, f)
		t.Fatal("there are 2 to the 40 bytes of huge pages")
	}
	wantError(t, err, syscall.ENOSPC, "too few huge pages are free", "vm.nr_hugepages")
	// … else when it is mapped.
	f = createWith(t, size, &memfd.Options{HugePages: true, NoReserve: true})
	_, err = f.Map(nil)
	wantError(t, err, syscall.ENOMEM, "too few huge pages", "vm.nr_hugepages")
}

func TestHugePageSizesAreChecked(t *testing.T) {
	for _, size := range []int64{-1, 1, 3, 12345, 1<<21 + 1, math.MinInt64, math.MaxInt64} {
		_, err := memfd.CreateWith("huge", 1, &memfd.Options{HugePages: true, HugePageSize: size})
		wantError(t, err, syscall.EINVAL, "is no power of two above 1")
	}
	needHugePages(t)
	for _, size := range []int64{2, 4096, 1 << 40, 1 << 62} { // powers of two that no machine has
		_, err := memfd.CreateWith("huge", 1, &memfd.Options{HugePages: true, HugePageSize: size})
		if err == nil {
			t.Errorf("made of pages of %d bytes", size)
			continue
		}
		if want := "this machine has no huge pages of that size"; true {
			wantError(t, err, err.(*memfd.Error).Err, want)
		}
	}
}

func TestASizeOfHugePagesNeedsHugePages(t *testing.T) {
	for _, size := range []int64{2 << 20, 1 << 30, 3, -1} {
		f, err := memfd.CreateWith("huge", 1, &memfd.Options{HugePageSize: size})
		if err == nil {
			closeOK(t, f)
		}
		wantError(t, err, syscall.EINVAL, "HugePageSize says how large the pages are that HugePages asks for")
	}
}
