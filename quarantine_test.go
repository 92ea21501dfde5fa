package shmkit_test

import (
	"bytes"
	"math"
	"os"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/sysv"
)

// vmas counts the ranges in /proc/self/maps, of which the kernel allows
// vm.max_map_count.
func vmas(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte{'\n'})
}

func TestQuarantineIsBoundedInNumber(t *testing.T) {
	seg := newSegment(t, 1)
	before := vmas(t)
	var first *shmkit.Mapping
	for i := range shmkit.MaxQuarantined + 500 {
		m, err := seg.Attach(nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = m
		}
		m.Bytes()[0] = byte(i)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	n, size := shmkit.Quarantined()
	if n != shmkit.MaxQuarantined {
		t.Errorf("%d mappings in quarantine, want the bound of %d", n, shmkit.MaxQuarantined)
	}
	if size < n*pageSize || size > shmkit.MaxQuarantinedBytes {
		t.Errorf("%d bytes in quarantine", size)
	}
	if sys.Readable(first.Addr()) {
		t.Error("the oldest addresses are mapped to something")
	}
	if grown := vmas(t) - before; grown > shmkit.MaxQuarantined+100 {
		t.Errorf("the process has %d more ranges than before", grown)
	}
	if attached := attachCount(t, seg); attached != 0 {
		t.Errorf("%d mappings are attached", attached)
	}
	// However many come, it does not grow any more.
	registered := shmkit.Registered()
	for range 1000 {
		m, err := seg.Attach(nil)
		if err != nil {
			t.Fatal(err)
		}
		m.Bytes()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if again := shmkit.Registered(); again != registered {
		t.Errorf("the registry grew from %d to %d", registered, again)
	}
}

func TestQuarantineIsBoundedInBytes(t *testing.T) {
	const size = 1 << 36 // never touched
	seg, err := sysv.GetSegment(sysv.Private, size, &sysv.SegmentOptions{
		GetOptions: sysv.GetOptions{Create: true, Mode: 0o600}, NoReserve: true,
	})
	if err != nil {
		t.Skipf("needs a segment of %d bytes, without memory behind them: %v", size, err)
	}
	defer func() {
		if err := seg.Remove(); err != nil {
			t.Error(err)
		}
	}()
	for i := range 3 * shmkit.MaxQuarantinedBytes / size {
		m, err := seg.Attach(nil)
		if err != nil {
			t.Fatalf("attach number %d: %v", i+1, err)
		}
		b := m.Bytes()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		wantFault(t, shmkit.Guard(func() { b[size-1] = 1 }), m, size-1, shmkit.ErrClosed)
		if n, bytes := shmkit.Quarantined(); bytes > shmkit.MaxQuarantinedBytes {
			t.Fatalf("%d mappings of together %d bytes are in quarantine", n, bytes)
		}
	}
	// One mapping above the bound is kept, so that it too faults at first.
	huge, err := sysv.GetSegment(sysv.Private, shmkit.MaxQuarantinedBytes+1, &sysv.SegmentOptions{
		GetOptions: sysv.GetOptions{Create: true, Mode: 0o600}, NoReserve: true,
	})
	if err != nil {
		t.Skipf("needs a segment of 1 TiB, without memory behind it: %v", err)
	}
	m := attach(t, huge, nil)
	if err := huge.Remove(); err != nil {
		t.Error(err)
	}
	b := m.Bytes()
	closeOK(t, m)
	wantFault(t, shmkit.Guard(func() { b[len(b)-1] = 1 }), m, int64(len(b)-1), shmkit.ErrClosed)
	if n, _ := shmkit.Quarantined(); n != 1 {
		t.Errorf("%d mappings are in quarantine beside one that is larger than all may be", n)
	}
	closeOK(t, attach(t, seg, nil)) // shows no pointer, and so changes nothing
	other := attach(t, seg, nil)
	other.Bytes()
	closeOK(t, other)
	if n, bytes := shmkit.Quarantined(); n != 1 || bytes != size {
		t.Errorf("%d mappings of %d bytes are in quarantine, want the last one of %d", n, bytes, size)
	}
}

func TestQuarantineRespectsALimitedAddressSpace(t *testing.T) {
	for limit, want := range map[uint64]int{
		math.MaxUint64: shmkit.MaxQuarantinedBytes,
		1 << 30:        1 << 27,
		0:              0,
	} {
		if got := shmkit.Reservable(limit); got != want {
			t.Errorf("of %d bytes of address space %d may be reserved, want %d", limit, got, want)
		}
	}
}
