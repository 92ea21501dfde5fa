package shmkit_test

import (
	"fmt"
	"math"
	"runtime"
	"structs"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
)

type header struct {
	_     structs.HostLayout
	Seq   atomic.Uint64
	Width uint32
	Depth uint32
	Tags  [4]int16
}

func TestViewPlacesATypeOverTheMemory(t *testing.T) {
	m := newMapping(t, 100)
	v, err := shmkit.View[header](m, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, v)
	if v.Mapping() != m {
		t.Error("the view does not tell its mapping")
	}
	h := v.Data()
	h.Seq.Store(1)
	h.Width, h.Depth = 2, 3
	h.Tags[3] = 4
	for off, want := range map[int64]uint32{8: 1, 12: 0, 16: 2, 20: 3, 24: 0, 28: 4 << 16} {
		if got, err := m.Load32(off); got != want || err != nil {
			t.Errorf("the word at %d is %#x, %v; want %#x", off, got, err, want)
		}
	}
	if err := m.Store32(16, 640); err != nil || h.Width != 640 {
		t.Errorf("a store through the mapping is not seen in the view: %d, %v", h.Width, err)
	}
}

func TestViewSlicePlacesARun(t *testing.T) {
	m := newMapping(t, 100)
	v, err := shmkit.ViewSlice[[3]uint16](m, 4, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, v)
	if len(v.Data()) != 16 || cap(v.Data()) != 16 {
		t.Errorf("len %d cap %d, want 16: an append must not reach what follows", len(v.Data()), cap(v.Data()))
	}
	for i := range v.Data() {
		v.Data()[i] = [3]uint16{uint16(i), 0, 0xFFFF}
	}
	got := make([]byte, 100)
	if _, err := m.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 100)
	for i := range 16 {
		copy(want[4+6*i:], []byte{byte(i), 0, 0, 0, 0xFF, 0xFF})
	}
	if string(got) != string(want) {
		t.Errorf("the memory is\n%x, want\n%x", got, want)
	}
}

func TestViewsCheckBounds(t *testing.T) {
	const size = 4097
	m := newMapping(t, size)
	view := func(off int64) error { return closed(shmkit.View[header](m, off)) }
	for _, off := range []int64{0, 8, 4064, 4072} {
		if err := view(off); err != nil {
			t.Errorf("a view at %d: %v", off, err)
		}
	}
	for _, off := range []int64{4074, 4080, 4096, size, size + 7, 8192, math.MaxInt64, math.MaxInt64 - 7, -1, -8, -32, math.MinInt64} {
		wantAccessError(t, view(off), "view shmkit_test.header in", shmkit.ErrOutOfRange,
			fmt.Sprintf("24 bytes at offset %d", off), fmt.Sprintf("%d bytes", size))
	}
	slice := func(off int64, n int) error { return closed(shmkit.ViewSlice[uint64](m, off, n)) }
	for _, c := range []struct {
		off int64
		n   int
	}{{0, 1}, {0, 512}, {8, 511}, {4088, 1}} {
		if err := slice(c.off, c.n); err != nil {
			t.Errorf("%d words at %d: %v", c.n, c.off, err)
		}
	}
	for _, c := range []struct {
		off int64
		n   int
	}{
		{0, 513}, {8, 512}, {4088, 2}, {4096, 1}, {size, 1}, {size + 7, 1},
		{0, 0}, {0, -1}, {8, math.MinInt}, {size, 0},
		// n times 8 overflows to something small, or to something negative.
		{0, math.MaxInt}, {0, math.MaxInt/8 + 1}, {0, 1 << 61}, {0, 1<<61 + 1}, {0, 1 << 60}, {0, 3 << 60},
		{-8, 1}, {-8, math.MaxInt}, {math.MaxInt64, math.MaxInt}, {math.MinInt64, 1},
	} {
		wantAccessError(t, slice(c.off, c.n), "view uint64 in", shmkit.ErrOutOfRange, fmt.Sprintf("at offset %d", c.off))
	}
	if err := closed(shmkit.ViewSlice[byte](m, 0, size)); err != nil {
		t.Errorf("all of the mapping: %v", err)
	}
	wantAccessError(t, closed(shmkit.ViewSlice[byte](m, 0, size+1)), "view uint8 in", shmkit.ErrOutOfRange)
	wantAccessError(t, closed(shmkit.View[[size + 1]byte](m, 0)), fmt.Sprintf("view [%d]uint8 in", size+1), shmkit.ErrOutOfRange)
}

func TestAViewOfALargeTypeCostsNoMemory(t *testing.T) {
	const size = 1 << 40
	m := newMapping(t, 4096)
	wantAccessError(t, closed(shmkit.View[[size]byte](m, 0)), fmt.Sprintf("view [%d]uint8 in", size), shmkit.ErrOutOfRange)
	large := newMapping(t, 64<<20) // of which no page is touched
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if err := closed(shmkit.View[[64 << 20]byte](large, 0)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("ten views allocated %d bytes", n)
	}
}

// closed closes a view that should not have been made, or was made to see whether
// it can be.
func closed[V interface{ Close() error }](v V, err error) error {
	if err != nil {
		return err
	}
	return v.Close()
}

func TestViewsCheckAlignment(t *testing.T) {
	type word32 struct{ A, B uint32 }
	type atomic64 struct {
		A uint32
		B atomic.Int64
	}
	m := newMapping(t, 4096)
	check := func(align int, view func(off int64) error) {
		t.Helper()
		for off := range int64(33) {
			err := view(off)
			if off%int64(align) == 0 {
				if err != nil {
					t.Errorf("offset %d, alignment %d: %v", off, align, err)
				}
				continue
			}
			wantAccessError(t, err, "view", shmkit.ErrMisaligned, fmt.Sprintf("offset %d", off), fmt.Sprintf("multiple of %d", align))
		}
	}
	check(1, func(off int64) error { return closed(shmkit.View[[5]byte](m, off)) })
	check(1, func(off int64) error { return closed(shmkit.View[bool](m, off)) })
	check(2, func(off int64) error { return closed(shmkit.ViewSlice[[3]int16](m, off, 7)) })
	check(4, func(off int64) error { return closed(shmkit.View[word32](m, off)) })
	check(4, func(off int64) error { return closed(shmkit.View[complex64](m, off)) })
	check(8, func(off int64) error { return closed(shmkit.View[atomic64](m, off)) })
	check(8, func(off int64) error { return closed(shmkit.ViewSlice[float64](m, off, 2)) })
	check(8, func(off int64) error { return closed(shmkit.View[complex128](m, off)) })
	check(8, func(off int64) error { return closed(shmkit.ViewSlice[atomic.Uint64](m, off, 2)) })
}

func TestAViewKeepsTheMemoryUntilItIsClosed(t *testing.T) {
	seg := newSegment(t, 4096)
	m := attach(t, seg, nil)
	first, err := shmkit.View[uint64](m, 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := shmkit.ViewSlice[byte](m, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	closeOK(t, m)
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("after Close under two views %d mappings are attached, want 1", n)
	}
	if _, err := m.Load64(0); err == nil {
		t.Error("a closed mapping can be used")
	}
	if _, err := shmkit.View[uint64](m, 0); err == nil {
		t.Error("a new view of a closed mapping can be made")
	}
	*first.Data() = 7
	closeOK(t, first)
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("with one view left %d mappings are attached, want 1", n)
	}
	closeOK(t, first) // again, which must not count twice
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("after closing the same view twice %d mappings are attached, want 1", n)
	}
	second.Data()[0] = 8
	closeOK(t, second)
	if n := attachCount(t, seg); n != 0 {
		t.Errorf("after the last view %d mappings are attached, want 0", n)
	}
	closeOK(t, second)
	closeOK(t, m)
	if v, err := attach(t, seg, nil).Load64(0); v != 7 || err != nil {
		t.Errorf("what the view wrote reads as %d, %v; want 7", v, err)
	}
}

func TestAClosedViewHasNoData(t *testing.T) {
	m := newMapping(t, 64)
	v, err := shmkit.View[uint64](m, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := shmkit.ViewSlice[uint64](m, 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	closeOK(t, v)
	closeOK(t, s)
	if v.Data() != nil || s.Data() != nil {
		t.Error("a closed view has data")
	}
	if err := m.Store64(0, 1); err != nil {
		t.Errorf("closing a view closed the mapping: %v", err)
	}
}

func TestConcurrentClosesOfAViewCountOnce(t *testing.T) {
	for range 50 {
		seg := newSegment(t, 64)
		m := attach(t, seg, nil)
		v, err := shmkit.View[uint64](m, 0)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { closeOK(t, v) })
		}
		wg.Wait()
		if n := attachCount(t, seg); n != 1 {
			t.Fatalf("%d mappings are attached, want 1", n)
		}
		if err := m.Store64(0, 1); err != nil {
			t.Fatal(err)
		}
		closeOK(t, m)
		if n := attachCount(t, seg); n != 0 {
			t.Fatalf("%d mappings are attached after Close, want 0", n)
		}
	}
}

func TestARefusedViewHoldsNothing(t *testing.T) {
	seg := newSegment(t, 64)
	m := attach(t, seg, nil)
	for _, err := range []error{
		closed(shmkit.View[uint64](m, 4)),
		closed(shmkit.View[uint64](m, 64)),
		closed(shmkit.View[string](m, 0)),
		closed(shmkit.ViewSlice[byte](m, 0, 0)),
	} {
		if err == nil {
			t.Error("a view that should be refused was made")
		}
	}
	closeOK(t, m)
	if n := attachCount(t, seg); n != 0 {
		t.Errorf("%d mappings are attached after Close, want 0", n)
	}
}

func TestAStoreThroughAViewOfAReadOnlyMappingFaults(t *testing.T) {
	m := newReadOnly(t, 64)
	v, err := shmkit.View[header](m, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, v)
	if v.Data().Width != 0 {
		t.Error("a fresh segment is not zero")
	}
	wantFault(t, shmkit.Guard(func() { v.Data().Depth = 1 }), m, 12, shmkit.ErrReadOnly)
	if raceDetector() {
		t.Skip("the race detector does atomic stores in C, where a fault ends the program")
	}
	wantFault(t, shmkit.Guard(func() { v.Data().Seq.Add(1) }), m, 0, shmkit.ErrReadOnly)
}
