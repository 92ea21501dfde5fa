package sysv_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/shmkit/shmkit/sysv"
)

func TestUnalignedSizesStayAsTheyAre(t *testing.T) {
	for _, size := range []int64{1, 4095, 4096, 4097, 8191, 1 << 20, 1<<20 + 1} {
		seg := newSegment(t, size, 0o600)
		if got := stat(t, seg).Size; got != size {
			t.Errorf("made with %d bytes, the kernel says %d", size, got)
		}
		m := attach(t, seg, nil)
		if int64(m.Len()) != size {
			t.Errorf("made with %d bytes, the mapping has %d", size, m.Len())
		}
		if _, err := m.WriteAt([]byte{1}, size-1); err != nil {
			t.Errorf("the last of %d bytes: %v", size, err)
		}
		if _, err := m.WriteAt([]byte{1}, size); err == nil {
			t.Errorf("a byte behind the last of %d was written", size)
		}
	}
}

func TestAnExistingSegmentMustBeLargeEnough(t *testing.T) {
	seg := newSegment(t, 5000, 0o600)
	for _, size := range []int64{5001, 8192, 8193, 1 << 40, math.MaxInt64} {
		for _, create := range []bool{false, true} {
			_, err := sysv.GetSegment(seg.Key(), size, &sysv.SegmentOptions{GetOptions: sysv.GetOptions{Create: create}})
			wantError(t, err, invalid, address(seg.Key()), "5000 bytes", fmt.Sprint(size))
		}
	}
}

func TestASegmentOpenedAsSmallerIsMappedWhole(t *testing.T) {
	seg := newSegment(t, 3*int64(pageSize), 0o600)
	small, err := sysv.GetSegment(seg.Key(), 1, nil)
	ok(t, err)
	m := attach(t, small, nil)
	if m.Len() != 3*pageSize {
		t.Errorf("the mapping has %d bytes, want %d", m.Len(), 3*pageSize)
	}
	if _, err := m.WriteAt([]byte{1}, int64(m.Len())-1); err != nil {
		t.Error(err)
	}
}

func TestSizesAboveFourGigabytesAreExact(t *testing.T) {
	const size = 5<<30 + 12345
	seg, err := getPrivate(t, size, &sysv.SegmentOptions{
		GetOptions: sysv.GetOptions{Create: true, Mode: 0o600}, NoReserve: true,
	})
	if err != nil {
		t.Skipf("needs a segment of 5 GiB, of which two pages are used: %v", err)
	}
	if got := stat(t, seg).Size; got != size {
		t.Errorf("the kernel says %d bytes, want %d", got, int64(size))
	}
	all, err := sysv.Segments()
	ok(t, err)
	for _, info := range all {
		if info.ID == seg.ID() && info.Size != size {
			t.Errorf("the list says %d bytes, want %d", info.Size, int64(size))
		}
	}
	m := attach(t, seg, nil)
	if m.Len() != size || len(m.Bytes()) != size {
		t.Fatalf("the mapping has %d bytes, want %d", m.Len(), int64(size))
	}
	// Each mark stands where no other would, if an offset were cut to 32 bits.
	marks := map[int64]byte{0: 1, 1 << 31: 2, 1<<32 - 1: 3, 1 << 32: 4, size - 1<<32: 5, size - 1: 6}
	for off, mark := range marks {
		if n, err := m.WriteAt([]byte{mark}, off); n != 1 || err != nil {
			t.Errorf("write at %d: %d, %v", off, n, err)
		}
	}
	again := attach(t, seg, &sysv.AttachOptions{ReadOnly: true})
	for off, mark := range marks {
		b := []byte{0}
		if n, err := again.ReadAt(b, off); n != 1 || err != nil || b[0] != mark {
			t.Errorf("read at %d: %d bytes, %d, %v; want %d", off, n, b[0], err, mark)
		}
		if again.Bytes()[off] != mark {
			t.Errorf("byte %d of the slice is %d, want %d", off, again.Bytes()[off], mark)
		}
	}
	if v, err := again.Load64(size - 12345 - 8); v != 0 || err != nil {
		t.Errorf("a word above 4 GiB: %d, %v", v, err)
	}
}

func TestASizeThatNoMachineHasIsRefusedWithTheReason(t *testing.T) {
	key := freeKey(t)
	_, err := sysv.Create(key, math.MaxInt64, 0o600)
	if err == nil {
		t.Fatal("a segment of 8 EiB was made, with memory promised for it")
	}
	switch description := describe(err); description[:6] {
	case "ENOMEM":
		wantError(t, err, noMemory, "create segment "+address(key), "vm.overcommit_memory", fmt.Sprint(math.MaxInt64))
	case "ENOSPC":
		wantError(t, err, limitReached, "kernel.shmall")
	default:
		wantError(t, err, invalid, "kernel.shmmax")
	}
	if _, err := sysv.Open(key); err == nil {
		t.Error("a refused creation left a segment")
	}
}
