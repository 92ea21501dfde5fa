package filemap_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

func TestResizeGrowsFileAndMapping(t *testing.T) {
	content := pattern(pageSize + 10)
	f := openNew(t, content, &filemap.Options{Writable: true})
	n := int64(3*pageSize + 7)
	must(t, f.Resize(n))
	want := append(content, make([]byte, int(n)-len(content))...)
	if !bytes.Equal(f.Bytes(), want) {
		t.Errorf("the mapping: %s", difference(f.Bytes(), want))
	}
	wantContent(t, pathOf(f), want)
	if b := blocks(t, pathOf(f)); b < n {
		t.Errorf("%d bytes are reserved, want %d", b, n)
	}
	_, err := f.WriteAt([]byte{1}, n-1)
	must(t, err)
}

func TestResizeShrinksFileAndMapping(t *testing.T) {
	content := pattern(4 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true})
	old := f.Bytes()
	must(t, f.Resize(int64(pageSize+1)))
	if f.Len() != pageSize+1 {
		t.Errorf("%v", f)
	}
	wantContent(t, pathOf(f), content[:pageSize+1])
	wantError(t, touch(old, 2*pageSize), shmkit.ErrUnmapped)
	_, err := f.ReadAt(make([]byte, 1), int64(pageSize+1))
	if err == nil {
		t.Error("a read behind the end succeeded")
	}
	must(t, f.Resize(int64(2*pageSize)))
	wantBytes(t, f, int64(pageSize), content[pageSize], 0, 0)
}

func TestResizeKeepsViews(t *testing.T) {
	content := pattern(2 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true, Reserve: 1 << 30})
	view, err := shmkit.ViewSlice[byte](f.Mapping(), 0, pageSize+1)
	must(t, err)
	addr := f.Mapping().Addr()
	must(t, f.Resize(512<<20)) // in place, into what was reserved
	if f.Mapping().Addr() != addr || view.Data()[pageSize] != content[pageSize] {
		t.Errorf("the mapping moved from %#x to %#x", addr, f.Mapping().Addr())
	}
	must(t, f.Resize(int64(pageSize+1))) // up to what the view shows
	err = f.Resize(int64(pageSize))
	wantError(t, err, shmkit.ErrInUse, f.Name())
	if f.Len() != pageSize+1 {
		t.Errorf("after a refused Resize: %v", f)
	}
	wantSize(t, pathOf(f), int64(pageSize+1))
	must(t, view.Close())
	must(t, f.Resize(int64(pageSize)))
}

func TestResizeIsRefusedUnderAViewOfAnotherWindow(t *testing.T) {
	f := openNew(t, pattern(4*pageSize), &filemap.Options{Writable: true, Len: int64(pageSize)})
	window := mapPart(t, f, int64(2*pageSize), 0, nil)
	view, err := shmkit.ViewSlice[byte](window, 0, 10)
	must(t, err)
	for _, n := range []int64{0, 1, int64(2*pageSize + 9)} {
		wantError(t, f.Resize(n), shmkit.ErrInUse)
		wantSize(t, pathOf(f), int64(4*pageSize))
		if f.Len() != pageSize {
			t.Errorf("after a refused Resize: %v", f)
		}
	}
	must(t, f.Resize(int64(2*pageSize+10)))
	must(t, view.Close())
	must(t, f.Resize(5))
	_, err = window.ReadAt(make([]byte, 1), 0)
	wantError(t, err, shmkit.ErrTruncated, "it has 5 bytes now")
}

// A mapping without room behind it moves, unless somebody looks at it, and then neither
// the file nor the mapping is changed.
func TestResizeMovesOnlyWhatNobodyLooksAt(t *testing.T) {
	f := openNew(t, pattern(pageSize), &filemap.Options{Writable: true})
	// Something right behind it.
	m := f.Mapping()
	addr := m.Addr()
	behind, err := f.Map(0, 0, &filemap.MapOptions{Addr: addr + uintptr(pageSize)})
	if err == nil {
		defer closeOK(t, behind)
	} else {
		wantError(t, err, syscall.EEXIST) // something is there anyway
	}
	view, err := shmkit.ViewSlice[byte](m, 0, 1)
	must(t, err)
	wantError(t, f.Resize(int64(2*pageSize)), shmkit.ErrInUse, "no room behind")
	wantSize(t, pathOf(f), int64(pageSize))
	if f.Len() != pageSize {
		t.Errorf("%v", f)
	}
	must(t, view.Close())
	must(t, f.Resize(int64(2*pageSize)))
	if f.Mapping() != m || m.Addr() == addr {
		t.Errorf("the mapping is %v", m)
	}
	wantBytes(t, f, int64(pageSize-1), pattern(pageSize)[pageSize-1], 0)
}

func TestResizeOfAWindow(t *testing.T) {
	path := newFile(t, pattern(3*pageSize))
	from := open(t, path, &filemap.Options{Writable: true, Off: 100})                                           // to the end
	some := open(t, path, &filemap.Options{Writable: true, Off: 100, Len: int64(pageSize)})                     // as far as it is there
	always := open(t, path, &filemap.Options{Writable: true, Off: 100, Len: int64(5 * pageSize), Beyond: true}) // come what may
	for _, c := range []struct{ size, from, some, always int }{
		{4 * pageSize, 4*pageSize - 100, pageSize, 5 * pageSize},
		{150, 50, 50, 5 * pageSize},
		{101, 1, 1, 5 * pageSize},
		{100, 0, 0, 5 * pageSize},
		{0, 0, 0, 5 * pageSize},
		{2 * pageSize, 2*pageSize - 100, pageSize, 5 * pageSize},
	} {
		must(t, from.Resize(int64(c.size)))
		for _, f := range []*filemap.File{some, always} {
			if n, err := f.Follow(); n != int64(c.size) || err != nil {
				t.Fatalf("Follow: %d, %v", n, err)
			}
		}
		if from.Len() != c.from || some.Len() != c.some || always.Len() != c.always {
			t.Errorf("of a file of %d bytes are mapped %d, %d and %d; want %d, %d and %d",
				c.size, from.Len(), some.Len(), always.Len(), c.from, c.some, c.always)
		}
	}
}

func TestFollow(t *testing.T) {
	path := newFile(t, pattern(100))
	f := open(t, path, nil)
	other := osFile(t, path)
	must(t, other.Truncate(int64(2*pageSize)))
	if f.Len() != 100 {
		t.Errorf("%v", f)
	}
	n, err := f.Follow()
	if n != int64(2*pageSize) || err != nil || f.Len() != 2*pageSize {
		t.Errorf("Follow: %d, %v, %v", n, err, f)
	}
	view, err := shmkit.ViewSlice[byte](f.Mapping(), int64(pageSize), 1)
	must(t, err)
	for _, n := range []int64{10, 0} {
		must(t, other.Truncate(n))
		_, err = f.Follow()
		wantError(t, err, shmkit.ErrInUse)
		if n == 0 { // what is left is nothing, though Follow cuts no file
			wantError(t, err, fmt.Sprintf("reaches to %d of 0 bytes", pageSize+1))
		}
	}
	must(t, view.Close())
	if n, err := f.Follow(); n != 0 || err != nil || f.Mapping() != nil {
		t.Errorf("Follow: %d, %v, %v", n, err, f)
	}
	must(t, other.Truncate(10))
	if n, err := f.Follow(); n != 10 || err != nil || f.Len() != 10 {
		t.Errorf("Follow: %d, %v, %v", n, err, f)
	}
}

// Whoever closes the main mapping and not the File is told so, and the file stays as it is.
func TestResizeAfterTheMainMappingWasClosed(t *testing.T) {
	content := pattern(2 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true, Reserve: 1 << 20})
	m := f.Mapping()
	must(t, m.Close())
	other := osFile(t, pathOf(f))
	for _, grown := range []int64{0, int64(pageSize), int64(2 * pageSize), int64(3 * pageSize)} {
		must(t, other.Truncate(int64(2*pageSize)))
		err := f.Resize(grown)
		wantError(t, err, shmkit.ErrClosed, "resize", "open the file anew")
		wantSize(t, pathOf(f), int64(2*pageSize))
		must(t, other.Truncate(grown))
		_, err = f.Follow()
		wantError(t, err, shmkit.ErrClosed, "follow", "open the file anew")
		if _, err = f.ReadAt(make([]byte, 1), 0); !errors.Is(err, shmkit.ErrClosed) {
			t.Errorf("ReadAt: %v", err)
		}
		if f.Mapping() != m || f.Bytes() != nil {
			t.Errorf("it has become %v", f)
		}
	}
	window := mapPart(t, f, 0, 0, nil) // others are as ever
	wantBytes(t, window, 0, 0, 0)
	must(t, f.Sync())
	must(t, f.Close())
}

func TestTruncateChangesTheFileAlone(t *testing.T) {
	content := pattern(3 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true})
	view, err := shmkit.ViewSlice[byte](f.Mapping(), 0, f.Len())
	must(t, err)
	defer closeOK(t, view)
	must(t, f.Truncate(int64(pageSize)))
	if f.Len() != 3*pageSize {
		t.Errorf("%v", f)
	}
	wantSize(t, pathOf(f), int64(pageSize))
	wantError(t, touch(view.Data(), pageSize), shmkit.ErrTruncated)
	must(t, f.Truncate(int64(3*pageSize)))
	must(t, touch(view.Data(), pageSize))
	wantBytes(t, f, int64(pageSize-1), content[pageSize-1], 0)
	wantError(t, f.Truncate(-1), syscall.EINVAL, "truncate")
	wantError(t, f.Resize(-1), syscall.EINVAL, "resize")
	wantError(t, openNew(t, content, nil).Truncate(1), syscall.EINVAL, "opened for reading only")
}

// A file and its mapping follow a random course of sizes, stores included, as a slice
// does.
func TestResizeAtRandomAgreesWithASlice(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	for _, o := range []filemap.Options{{}, {Sparse: true}, {Reserve: 1 << 20}, {Off: 5000}, {Off: 123, Len: 9000}} {
		path := newPath(t)
		f := create(t, path, o.Off+o.Len, &o)
		model := make([]byte, o.Off+o.Len)
		for range 300 {
			n := r.IntN(20 * pageSize)
			must(t, f.Resize(int64(n)))
			if n < len(model) {
				model = model[:n:n]
			}
			model = append(model, make([]byte, n-len(model))...)
			part := model[min(int(o.Off), n):]
			if o.Len > 0 {
				part = part[:min(int(o.Len), len(part))]
			}
			if f.Len() != len(part) {
				t.Fatalf("a file of %d bytes is %v", n, f)
			}
			if len(part) > 0 {
				at := r.IntN(len(part))
				part[at] = byte(r.Int())
				_, err := f.WriteAt(part[at:at+1], int64(at))
				must(t, err)
			}
			if !bytes.Equal(f.Bytes(), part) {
				t.Fatalf("the mapping: %s", difference(f.Bytes(), part))
			}
		}
		got, err := os.ReadFile(path)
		must(t, err)
		if !bytes.Equal(got, model) {
			t.Errorf("the file: %s", difference(got, model))
		}
	}
}
