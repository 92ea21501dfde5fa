package shmkit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"testing"
	"testing/iotest"

	"github.com/shmkit/shmkit"
)

// pattern is n bytes, no two neighbouring pages of which are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestMappingIsAnIOReaderAt(t *testing.T) {
	content := pattern(3*pageSize + 17)
	m := newMapping(t, int64(len(content)))
	if n, err := m.WriteAt(content, 0); n != len(content) || err != nil {
		t.Fatalf("WriteAt: %d, %v", n, err)
	}
	if err := iotest.TestReader(io.NewSectionReader(m, 0, int64(m.Len())), content); err != nil {
		t.Error(err)
	}
	// A section that promises more than there is ends where the mapping does.
	got, err := io.ReadAll(io.NewSectionReader(m, 5, math.MaxInt64-5))
	if err != nil || !bytes.Equal(got, content[5:]) {
		t.Errorf("a reader past the end gives %d bytes, %v; want %d", len(got), err, len(content)-5)
	}
}

func TestMappingIsAnIOWriterAt(t *testing.T) {
	m := newMapping(t, 100)
	w := io.NewOffsetWriter(m, 10)
	for _, s := range []string{"one ", "two ", "three"} {
		if n, err := io.WriteString(w, s); n != len(s) || err != nil {
			t.Fatalf("write %q: %d, %v", s, n, err)
		}
	}
	got := make([]byte, 13)
	if _, err := m.ReadAt(got, 10); err != nil || string(got) != "one two three" {
		t.Errorf("read back %q, %v", got, err)
	}
}

func TestReadAtAtEveryEdge(t *testing.T) {
	const size = 4097
	content := pattern(size)
	m := newMapping(t, size)
	if _, err := m.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		off    int64
		length int
		n      int
		err    error
	}{
		{0, 0, 0, nil},
		{0, 1, 1, nil},
		{0, size - 1, size - 1, nil},
		{0, size, size, nil},
		{0, size + 1, size, io.EOF},
		{1, size, size - 1, io.EOF},
		{4095, 2, 2, nil},
		{size - 1, 0, 0, nil},
		{size - 1, 1, 1, nil},
		{size - 1, 2, 1, io.EOF},
		{size, 0, 0, nil},
		{size, 1, 0, io.EOF},
		{size + 1, 0, 0, nil},
		{size + 1, 1, 0, io.EOF}, // within the last page, but behind the end
		{8192, 1, 0, io.EOF},
		{math.MaxInt32 + 1, 1, 0, io.EOF},
		{math.MaxInt64, 0, 0, nil},
		{math.MaxInt64, 1, 0, io.EOF},
		{math.MaxInt64, size, 0, io.EOF},
		{-1, 0, 0, shmkit.ErrOutOfRange},
		{-1, 1, 0, shmkit.ErrOutOfRange},
		{-size, size, 0, shmkit.ErrOutOfRange},
		{math.MinInt64, 1, 0, shmkit.ErrOutOfRange},
	} {
		t.Run(fmt.Sprintf("%d bytes at %d", c.length, c.off), func(t *testing.T) {
			const untouched = 0xAA
			p := bytes.Repeat([]byte{untouched}, c.length)
			n, err := m.ReadAt(p, c.off)
			if n != c.n || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("got %d, %v; want %d, %v", n, err, c.n, c.err)
			}
			if c.err == io.EOF && err != io.EOF {
				t.Errorf("io.Reader users compare with ==, and %#v is not io.EOF", err)
			}
			if n > 0 && !bytes.Equal(p[:n], content[c.off:c.off+int64(n)]) {
				t.Error("the bytes are not those of the mapping")
			}
			if rest := p[n:]; !bytes.Equal(rest, bytes.Repeat([]byte{untouched}, len(rest))) {
				t.Error("bytes behind n were touched")
			}
		})
	}
}

func TestWriteAtWritesAllOrNothing(t *testing.T) {
	const size = 4097
	m := newMapping(t, size)
	for _, c := range []struct {
		off    int64
		length int
		fits   bool
	}{
		{0, 0, true},
		{0, 1, true},
		{0, size, true},
		{size - 1, 1, true},
		{size, 0, true},
		{4095, 2, true},
		{0, size + 1, false},
		{1, size, false},
		{size - 1, 2, false},
		{size, 1, false},
		{size + 1, 0, false},
		{size + 1, 1, false},
		{-1, 0, false},
		{-1, 1, false},
		{-1, size, false},
		{math.MaxInt64, 0, false},
		{math.MaxInt64, 1, false},
		{math.MinInt64, 1, false},
	} {
		t.Run(fmt.Sprintf("%d bytes at %d", c.length, c.off), func(t *testing.T) {
			before := make([]byte, size)
			if _, err := m.ReadAt(before, 0); err != nil {
				t.Fatal(err)
			}
			p := pattern(c.length)
			for i := range p {
				p[i] ^= 0x5A
			}
			n, err := m.WriteAt(p, c.off)
			want := bytes.Clone(before)
			if c.fits {
				copy(want[c.off:], p)
				if n != c.length || err != nil {
					t.Errorf("got %d, %v; want %d, nil", n, err, c.length)
				}
			} else {
				if n != 0 {
					t.Errorf("wrote %d bytes", n)
				}
				wantAccessError(t, err, "write", shmkit.ErrOutOfRange,
					fmt.Sprintf("%d bytes at offset %d", c.length, c.off), fmt.Sprintf("%d bytes", size))
			}
			after := make([]byte, size)
			if _, err := m.ReadAt(after, 0); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(after, want) {
				t.Error("the memory is not what it should be afterwards")
			}
		})
	}
}

func TestWriteToAReadOnlyMappingIsRefused(t *testing.T) {
	m := newReadOnly(t, 64)
	n, err := m.WriteAt([]byte{1}, 0)
	if n != 0 {
		t.Errorf("wrote %d bytes", n)
	}
	wantAccessError(t, err, "write", shmkit.ErrReadOnly)
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not %v", err, fs.ErrPermission)
	}
	wantAccessError(t, m.Store32(0, 1), "store", shmkit.ErrReadOnly)
	wantAccessError(t, m.Store64(0, 1), "store", shmkit.ErrReadOnly)
	_, err = m.Add32(0, 1)
	wantAccessError(t, err, "add", shmkit.ErrReadOnly)
	_, err = m.Swap64(0, 1)
	wantAccessError(t, err, "swap", shmkit.ErrReadOnly)
	_, err = m.CompareAndSwap64(0, 0, 1)
	wantAccessError(t, err, "compare and swap", shmkit.ErrReadOnly)
	if v, err := m.Load64(0); v != 0 || err != nil {
		t.Errorf("Load64: %d, %v; reading should work, and find what was there", v, err)
	}
	if n, err := m.ReadAt(make([]byte, 64), 0); n != 64 || err != nil {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
}

func TestReadOfAnUnreadableMappingIsRefused(t *testing.T) {
	m := newUnreadable(t, pageSize)
	_, err := m.ReadAt(make([]byte, 1), 0)
	wantAccessError(t, err, "read", shmkit.ErrNotReadable)
	_, err = m.Load32(0)
	wantAccessError(t, err, "load", shmkit.ErrNotReadable)
	b := m.Bytes()
	var first byte
	wantFault(t, shmkit.Guard(func() { first = b[0] }), m, 0, shmkit.ErrNotReadable)
	if first != 0 {
		t.Error("read something")
	}
}

func TestCopyWithinOneMappingHandlesOverlap(t *testing.T) {
	const size = 10_000
	m := newMapping(t, size)
	content := pattern(size)
	if _, err := m.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	v, err := shmkit.ViewSlice[byte](m, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, v)
	copy(content[100:], content[:5000])
	if _, err := m.WriteAt(v.Data()[:5000], 100); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(v.Data(), content) {
		t.Error("writing part of a mapping over itself is not as copy does it")
	}
}

func TestAccessorsTurnFaultsIntoErrors(t *testing.T) {
	m, cut := newCuttable(t, 4)
	if _, err := m.WriteAt(pattern(4*pageSize), 0); err != nil {
		t.Fatal(err)
	}
	cut(2 * pageSize)
	gone := int64(2 * pageSize)

	n, err := m.ReadAt(make([]byte, 4*pageSize), 0)
	if n != 0 {
		t.Errorf("ReadAt reports %d bytes beside the fault", n)
	}
	wantFaultFrom(t, err, m, gone)
	n, err = m.WriteAt(make([]byte, 4*pageSize), 0)
	if n != 0 {
		t.Errorf("WriteAt reports %d bytes beside the fault", n)
	}
	wantFaultFrom(t, err, m, gone)
	// One byte leaves no choice.
	for _, off := range []int64{gone, gone + 1, gone + 4711, 4*int64(pageSize) - 1} {
		_, err = m.ReadAt(make([]byte, 1), off)
		wantFault(t, err, m, off, shmkit.ErrNoMemory)
		_, err = m.WriteAt(make([]byte, 1), off)
		wantFault(t, err, m, off, shmkit.ErrNoMemory)
	}

	off := gone + 8
	_, err = m.Load32(off)
	wantFault(t, err, m, off, shmkit.ErrNoMemory)
	wantFault(t, m.Store64(off, 1), m, off, shmkit.ErrNoMemory)
	_, err = m.Add64(off, 1)
	wantFault(t, err, m, off, shmkit.ErrNoMemory)
	_, err = m.Swap32(off, 1)
	wantFault(t, err, m, off, shmkit.ErrNoMemory)
	_, err = m.CompareAndSwap64(off, 0, 1)
	wantFault(t, err, m, off, shmkit.ErrNoMemory)

	// What is left works, and what comes back does too.
	if n, err := m.ReadAt(make([]byte, 2*pageSize), 0); n != 2*pageSize || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
	cut(4 * pageSize)
	if v, err := m.Load32(off); v != 0 || err != nil {
		t.Errorf("after growing again: %d, %v; want 0", v, err)
	}
	// A fault holds nothing: the mapping goes at once.
	closeOK(t, m)
	if _, ok := mapped(t, m.Addr()); ok {
		t.Error("still mapped after Close")
	}
}

// wantFaultFrom requires a fault in m at offset gone or behind it: a copy does not
// touch the bytes in order.
func wantFaultFrom(t *testing.T, err error, m *shmkit.Mapping, gone int64) {
	t.Helper()
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) {
		t.Fatalf("got error %v (%T), want a *FaultError", err, err)
	}
	if fault.Off < gone || fault.Off >= int64(m.Len()) {
		t.Errorf("the fault is at offset %d, where nothing is missing", fault.Off)
	}
	wantFault(t, err, m, fault.Off, shmkit.ErrNoMemory)
}

func TestAFaultOfTheCallersBufferNamesTheMappingItIsIn(t *testing.T) {
	from := newMapping(t, 64)
	into := newReadOnly(t, 64)
	_, err := from.ReadAt(into.Bytes(), 0)
	wantFault(t, err, into, 0, shmkit.ErrReadOnly)

	b, release := foreignMemory()
	defer func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	}()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a buffer outside of all mappings should panic as without the library")
			}
		}()
		_, _ = from.ReadAt(b, 0)
	}()
	closeOK(t, from)
	if _, ok := mapped(t, from.Addr()); ok {
		t.Error("the panic left the mapping held")
	}
}
