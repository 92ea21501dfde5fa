package shmkit_test

import (
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestWordsReadBackWhatWasWritten(t *testing.T) {
	m := newMapping(t, 24)
	if err := m.Store64(8, math.MaxUint64-1); err != nil {
		t.Fatal(err)
	}
	if v, err := m.Load64(8); v != math.MaxUint64-1 || err != nil {
		t.Errorf("Load64: %#x, %v", v, err)
	}
	if v, err := m.Add64(8, 2); v != 0 || err != nil {
		t.Errorf("Add64 past the largest value: %#x, %v; want 0", v, err)
	}
	if v, err := m.Add64(8, math.MaxUint64); v != math.MaxUint64 || err != nil {
		t.Errorf("Add64 of -1: %#x, %v", v, err)
	}
	if v, err := m.Swap64(8, 5); v != math.MaxUint64 || err != nil {
		t.Errorf("Swap64: %#x, %v", v, err)
	}
	if ok, err := m.CompareAndSwap64(8, 4, 6); ok || err != nil {
		t.Errorf("CompareAndSwap64 of another value: %t, %v", ok, err)
	}
	if ok, err := m.CompareAndSwap64(8, 5, 6); !ok || err != nil {
		t.Errorf("CompareAndSwap64: %t, %v", ok, err)
	}

	if err := m.Store32(20, math.MaxUint32); err != nil {
		t.Fatal(err)
	}
	if v, err := m.Add32(20, 1); v != 0 || err != nil {
		t.Errorf("Add32 past the largest value: %#x, %v; want 0", v, err)
	}
	if v, err := m.Swap32(20, 7); v != 0 || err != nil {
		t.Errorf("Swap32: %#x, %v", v, err)
	}
	if ok, err := m.CompareAndSwap32(20, 8, 9); ok || err != nil {
		t.Errorf("CompareAndSwap32 of another value: %t, %v", ok, err)
	}
	if ok, err := m.CompareAndSwap32(20, 7, 9); !ok || err != nil {
		t.Errorf("CompareAndSwap32: %t, %v", ok, err)
	}

	// The words are where the bytes are, and nowhere else.
	for off, want := range map[int64]uint32{0: 0, 4: 0, 8: 6, 12: 0, 16: 0, 20: 9} {
		if v, err := m.Load32(off); v != want || err != nil {
			t.Errorf("Load32(%d): %d, %v; want %d", off, v, err, want)
		}
	}
}

func TestWordsCheckBoundsAndAlignment(t *testing.T) {
	m := newMapping(t, 21) // the last whole words are at 16 (32 bits) and 8 (64 bits)
	ops := map[string]map[int]func(off int64) error{
		"load": {
			4: func(off int64) error { _, err := m.Load32(off); return err },
			8: func(off int64) error { _, err := m.Load64(off); return err },
		},
		"store": {
			4: func(off int64) error { return m.Store32(off, 0) },
			8: func(off int64) error { return m.Store64(off, 0) },
		},
		"add": {
			4: func(off int64) error { _, err := m.Add32(off, 0); return err },
			8: func(off int64) error { _, err := m.Add64(off, 0); return err },
		},
		"swap": {
			4: func(off int64) error { _, err := m.Swap32(off, 0); return err },
			8: func(off int64) error { _, err := m.Swap64(off, 0); return err },
		},
		"compare and swap": {
			4: func(off int64) error { _, err := m.CompareAndSwap32(off, 0, 0); return err },
			8: func(off int64) error { _, err := m.CompareAndSwap64(off, 0, 0); return err },
		},
	}
	for op, sizes := range ops {
		for size, use := range sizes {
			last := int64(21-size) / int64(size) * int64(size)
			for _, off := range []int64{0, int64(size), last} {
				if err := use(off); err != nil {
					t.Errorf("%s %d bytes at %d: %v", op, size, off, err)
				}
			}
			for _, off := range []int64{1, 2, int64(size) - 1, int64(size) + 1, last - 1} {
				wantAccessError(t, use(off), op, shmkit.ErrMisaligned, fmt.Sprint(off), fmt.Sprintf("multiple of %d", size))
			}
			for _, off := range []int64{-1, -int64(size), last + int64(size), 20, 21, 24, pageEnd, math.MaxInt64, math.MaxInt64 - 7, math.MinInt64} {
				wantAccessError(t, use(off), op, shmkit.ErrOutOfRange, fmt.Sprintf("%d bytes at offset %d", size, off), "21 bytes")
			}
		}
	}
}

// pageEnd is an offset that is mapped, but behind the end of a short mapping.
const pageEnd = 4088

func TestAWordNeedsAMappingAsLongAsItself(t *testing.T) {
	for size := range int64(8) {
		m := newMapping(t, size+1)
		_, err := m.Load64(0)
		if fits := size+1 >= 8; fits != (err == nil) {
			t.Errorf("Load64 of a mapping of %d bytes: %v", size+1, err)
		}
	}
}

// addWords adds 1 to the first 64-bit word and to the third 32-bit word, n times
// each: by turns with the methods and through a view.
func addWords(m *shmkit.Mapping, n int) error {
	type words struct {
		A atomic.Uint64
		B atomic.Uint32
	}
	v, err := shmkit.View[words](m, 0)
	if err != nil {
		return err
	}
	defer v.Close()
	for i := range n {
		switch i % 3 {
		case 0:
			v.Data().A.Add(1)
			v.Data().B.Add(1)
		case 1:
			if _, err := m.Add64(0, 1); err != nil {
				return err
			}
			if _, err := m.Add32(8, 1); err != nil {
				return err
			}
		default:
			for done := false; !done; {
				old, err := m.Load64(0)
				if err != nil {
					return err
				}
				if done, err = m.CompareAndSwap64(0, old, old+1); err != nil {
					return err
				}
			}
			for done := false; !done; {
				old, err := m.Load32(8)
				if err != nil {
					return err
				}
				if done, err = m.CompareAndSwap32(8, old, old+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func TestWordsAreAtomicBetweenProcesses(t *testing.T) {
	const others, n = 3, 20_000
	seg := newSegment(t, 64)
	m := attach(t, seg, nil)
	procs := make([]*testenv.Proc, others)
	for i := range procs {
		procs[i] = testenv.Start(t, "add", strconv.Itoa(seg.ID()), strconv.Itoa(n))
		procs[i].Expect("ready")
	}
	for _, p := range procs {
		p.Send("go")
	}
	if err := addWords(m, n); err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		if err := p.Wait(); err != nil {
			t.Fatalf("%v: %s", err, p.Stderr())
		}
	}
	const want = (others + 1) * n
	if v, err := m.Load64(0); v != want || err != nil {
		t.Errorf("the 64-bit sum is %d, %v; want %d", v, err, want)
	}
	if v, err := m.Load32(8); v != want || err != nil {
		t.Errorf("the 32-bit sum is %d, %v; want %d", v, err, want)
	}
}
