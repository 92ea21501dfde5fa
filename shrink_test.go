package shmkit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/vm"
)

// A view of any mapping of the file is an obstacle to cutting the file under it: of the
// one that shrinks, of another window, and of the halves that Split made.
func TestShrinkIsRefusedUnderAViewOfAnyMapping(t *testing.T) {
	file, f := newFile(t, 4)
	main := mapFile(t, file, fdmap.Options{Len: int64(4 * pageSize)})
	window := mapFile(t, file, fdmap.Options{Off: int64(pageSize), Len: int64(3*pageSize - 5)})
	head, tail, err := mapFile(t, file, fdmap.Options{Len: int64(4 * pageSize)}).Split(int64(2 * pageSize))
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, head)
	defer closeOK(t, tail)
	end := int64(2*pageSize + 7)
	shrink := func() error {
		return shmkit.Shrink(vm.Cut{Object: file, End: end, Do: func() error { return f.Truncate(end) }}, main, end)
	}
	for _, c := range []struct {
		m   *shmkit.Mapping
		off int64 // of the last byte that may be looked at
	}{{main, end - 1}, {window, end - 1 - int64(pageSize)}, {tail, 6}} {
		view, err := shmkit.ViewSlice[byte](c.m, c.off, 2)
		if err != nil {
			t.Fatal(err)
		}
		err = shrink()
		if !errors.Is(err, shmkit.ErrInUse) || !strings.Contains(err.Error(), "a view reaches to 8200 of 8199 bytes") {
			t.Errorf("a view of %v: %v", c.m, err)
		}
		if info, err := f.Stat(); err != nil || info.Size() != int64(4*pageSize) || main.Len() != 4*pageSize {
			t.Fatalf("a refused Shrink left %d bytes, and a mapping of %d: %v", info.Size(), main.Len(), err)
		}
		closeOK(t, view)
		if view, err = shmkit.ViewSlice[byte](c.m, c.off, 1); err != nil {
			t.Fatal(err)
		}
		defer closeOK(t, view)
	}
	if err := shrink(); err != nil || int64(main.Len()) != end {
		t.Errorf("with views of what stays: %v, a mapping of %d bytes", err, main.Len())
	}
	if _, err := window.ReadAt(make([]byte, 1), int64(2*pageSize)); !errors.Is(err, shmkit.ErrTruncated) {
		t.Errorf("another window, behind the end: %v", err)
	}
}

func TestShrinkThatFailsLeavesThePrivateCopies(t *testing.T) {
	file, _ := newFile(t, 2)
	m := mapFile(t, file, fdmap.Options{Len: int64(2 * pageSize), Private: true})
	if _, err := m.WriteAt([]byte{99}, int64(pageSize)); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no")
	if err := shmkit.Shrink(vm.Cut{Object: file, End: 1, Do: func() error { return failure }}, m, 1); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if m.Len() != 2*pageSize {
		t.Errorf("the mapping has %d bytes", m.Len())
	}
	wantByte(t, m, int64(pageSize), 99)
}
