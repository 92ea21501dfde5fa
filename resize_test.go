package shmkit_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// newFile makes a file of whole pages in memory, page i full of bytes i+1.
func newFile(t testing.TB, pages int) (*fdmap.File, *os.File) {
	t.Helper()
	fd, err := sys.MemfdCreate(t.Name(), sys.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file, f := newFileOf(t, fd)
	for i := range pages {
		if _, err := f.WriteAt(filled(pageSize, byte(i+1)), int64(i*pageSize)); err != nil {
			t.Fatal(err)
		}
	}
	return file, f
}

// newFileOf takes over the descriptor of a memfd.
func newFileOf(t testing.TB, fd int) (*fdmap.File, *os.File) {
	t.Helper()
	f := os.NewFile(uintptr(fd), "memfd")
	file := fdmap.New(f, "memfd:test")
	t.Cleanup(func() { closeOK(t, file) })
	return file, f
}

func filled(n int, with byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = with
	}
	return b
}

func mapFile(t testing.TB, f *fdmap.File, o fdmap.Options) *shmkit.Mapping {
	t.Helper()
	if o.Protection == 0 {
		o.Protection = shmkit.Read | shmkit.Write
	}
	m, err := f.Map(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

// wantByte requires the byte at off.
func wantByte(t testing.TB, r io.ReaderAt, off int64, want byte) {
	t.Helper()
	var b [1]byte
	if _, err := r.ReadAt(b[:], off); err != nil || b[0] != want {
		t.Errorf("byte %d is %d, %v; want %d", off, b[0], err, want)
	}
}

func TestResizeInReservedSpaceKeepsAddressAndViews(t *testing.T) {
	f, _ := newFile(t, 4)
	m := mapFile(t, f, fdmap.Options{Off: 10, Len: 100, Reserve: int64(4 * pageSize)})
	v, err := shmkit.ViewSlice[byte](m, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, v)
	at := m.Addr()
	if err := m.Resize(int64(4*pageSize - 10)); err != nil {
		t.Fatal(err)
	}
	if m.Addr() != at || m.Len() != 4*pageSize-10 {
		t.Errorf("%v, want it at %#x", m, at)
	}
	wantByte(t, m, int64(3*pageSize-10), 4)
	if v.Data()[0] != 1 {
		t.Error("the view shows something else")
	}
}

func TestResizeMovesOnlyWithoutViews(t *testing.T) {
	f, _ := newFile(t, 8)
	for _, private := range []bool{false, true} {
		m := mapFile(t, f, fdmap.Options{Len: int64(pageSize), Private: private})
		// Nothing fits behind it.
		block := m.Addr() + uintptr(pageSize)
		if err := sys.ReserveAt(block, pageSize); err == nil {
			defer sys.Munmap(block, pageSize)
		}
		if err := m.Store32(8, 77); err != nil {
			t.Fatal(err)
		}
		v, err := shmkit.View[uint32](m, 8)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Resize(int64(8 * pageSize)); !errors.Is(err, shmkit.ErrInUse) {
			t.Errorf("with a view: %v", err)
		}
		old, late := m.Addr(), m.Bytes()
		closeOK(t, v)
		if err := m.Resize(int64(8 * pageSize)); err != nil {
			t.Fatal(err)
		}
		if m.Addr() == old {
			t.Fatal("it did not move")
		}
		wantByte(t, m, int64(7*pageSize), 8)
		if n, err := m.Load32(8); n != 77 || err != nil {
			t.Errorf("private %t: what was stored reads %d, %v", private, n, err)
		}
		if err := shmkit.Guard(func() { late[0]++ }); !errors.Is(err, shmkit.ErrUnmapped) {
			t.Errorf("a slice from before: %v", err)
		}
	}
}

func TestShrinkingIsRefusedUnderAView(t *testing.T) {
	f, _ := newFile(t, 4)
	m := mapFile(t, f, fdmap.Options{Len: int64(4 * pageSize)})
	low, err := shmkit.View[uint64](m, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, low)
	high, err := shmkit.View[uint64](m, int64(3*pageSize))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Resize(int64(pageSize)); !errors.Is(err, shmkit.ErrInUse) {
		t.Errorf("with a view behind: %v", err)
	}
	late := m.Bytes()
	closeOK(t, high)
	if err := m.Resize(int64(pageSize)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteAt([]byte{1}, int64(pageSize)); !errors.Is(err, shmkit.ErrOutOfRange) {
		t.Errorf("behind the new end: %v", err)
	}
	if err := shmkit.Guard(func() { late[2*pageSize]++ }); !errors.Is(err, shmkit.ErrUnmapped) {
		t.Errorf("a slice from before: %v", err)
	}
	if err := m.Resize(int64(2 * pageSize)); err != nil {
		t.Fatal(err)
	}
	wantByte(t, m, int64(pageSize), 2)
}

func TestSegmentsHaveOneSize(t *testing.T) {
	m := newMapping(t, 4096)
	if err := m.Resize(8192); !errors.Is(err, shmkit.ErrUnsupported) || !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestSplitMakesTwoMappingsOfOne(t *testing.T) {
	f, _ := newFile(t, 3)
	m := mapFile(t, f, fdmap.Options{Off: 5, Len: int64(3*pageSize - 5)})
	if _, _, err := m.Split(int64(pageSize)); !errors.Is(err, shmkit.ErrMisaligned) {
		t.Errorf("within a page: %v", err)
	}
	all := m.Bytes()
	head, rest, err := m.Split(int64(pageSize - 5))
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, head)
	middle, tail, err := rest.Split(int64(pageSize))
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, tail)
	if !m.Closed() || !rest.Closed() {
		t.Error("what was split is open")
	}
	wantByte(t, head, 0, 1)
	wantByte(t, middle, 0, 2)
	wantByte(t, tail, 0, 3)
	closeOK(t, middle) // a hole
	if err := shmkit.Guard(func() { all[pageSize]++ }); !errors.Is(err, shmkit.ErrClosed) {
		t.Errorf("in the hole: %v", err)
	}
	all[0], all[2*pageSize] = 7, 8 // the slice begins 5 bytes into the first page
	wantByte(t, head, 0, 7)
	wantByte(t, tail, 5, 8)
}
