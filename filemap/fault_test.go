package filemap_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

// wantFault requires err to be a fault of f at that offset, for that reason, with what is
// known of the access.
func wantFault(t *testing.T, err error, f *filemap.File, off int64, access shmkit.Protection, cause error) {
	t.Helper()
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) {
		t.Fatalf("got %v (%T), want a fault", err, err)
	}
	if !errors.Is(err, cause) || fault.Off != off || fault.Access != access || fault.Mapping != f.Name() {
		t.Errorf("%v: offset %d, access %v; want %v at %d, access %v", err, fault.Off, fault.Access, cause, off, access)
	}
	if !strings.Contains(err.Error(), f.Name()) {
		t.Errorf("the message %q does not name the file", err)
	}
}

func TestTruncatedFileFaultsUntilItHasGrownAgain(t *testing.T) {
	content := pattern(4 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true})
	m := f.Mapping()
	other := osFile(t, pathOf(f))
	page := int64(pageSize)
	must(t, other.Truncate(page+1))
	one := make([]byte, 1)

	_, err := f.ReadAt(one, 2*page)
	wantFault(t, err, f, 2*page, shmkit.Read, shmkit.ErrTruncated)
	if text := "it has 4097 bytes now, and this is byte 8192"; pageSize == 4096 && !strings.Contains(err.Error(), text) {
		t.Errorf("the message %q does not say %q", err, text)
	}
	_, err = f.WriteAt(one, 3*page)
	wantFault(t, err, f, 3*page, shmkit.Write, shmkit.ErrTruncated)
	_, err = m.Load64(2*page + 8)
	wantFault(t, err, f, 2*page+8, shmkit.Read, shmkit.ErrTruncated)
	wantFault(t, m.Store32(2*page+4, 1), f, 2*page+4, shmkit.Write, shmkit.ErrTruncated)
	_, err = m.CompareAndSwap64(2*page, 0, 1)
	wantFault(t, err, f, 2*page, shmkit.Write, shmkit.ErrTruncated)
	// A program's own load and store look alike.
	wantFault(t, touch(m.Bytes(), int(3*page)+5), f, 3*page+5, 0, shmkit.ErrTruncated)
	wantFault(t, poke(m.Bytes(), int(3*page)+5), f, 3*page+5, 0, shmkit.ErrTruncated)
	view, err := shmkit.View[[16]byte](m, 2*page)
	must(t, err)
	defer closeOK(t, view)
	wantFault(t, shmkit.Guard(func() { view.Data()[0] = 1 }), f, 2*page, 0, shmkit.ErrTruncated)
	wantFault(t, m.Prefault(2*page, page, shmkit.Read), f, 2*page, shmkit.Read, shmkit.ErrTruncated)
	must(t, f.Flush(0, int64(f.Len()), filemap.Sync)) // there is nothing to write behind the end

	must(t, other.Truncate(4*page))
	must(t, m.Store32(2*page+4, 7))
	view.Data()[0] = 1
	wantBytes(t, f, 2*page, 1, 0, 0, 0, 7)
	wantBytes(t, f, 3*page, 0, 0)
	wantBytes(t, f, page, content[page], 0)
}

func TestWindowsFaultIsToldInTheFile(t *testing.T) {
	f := openNew(t, pattern(4*pageSize), &filemap.Options{Off: int64(pageSize + 100)})
	must(t, osFile(t, pathOf(f)).Truncate(10))
	off := int64(pageSize - 99) // of the window; the first byte of page 2 of the file has 1 less
	_, err := f.ReadAt(make([]byte, 1), off)
	wantFault(t, err, f, off, shmkit.Read, shmkit.ErrTruncated)
	wantError(t, err, "it has 10 bytes now, and this is byte")
}

func TestReadOnlyMappingFaultsOnWriting(t *testing.T) {
	f := openNew(t, pattern(2*pageSize), nil)
	must(t, f.Mapping().Prefault(0, int64(2*pageSize), shmkit.Read)) // what is there can only have been written to
	wantFault(t, poke(f.Bytes(), pageSize+1), f, int64(pageSize+1), shmkit.Write, shmkit.ErrReadOnly)
	view, err := shmkit.ViewSlice[byte](f.Mapping(), 0, 10)
	must(t, err)
	defer closeOK(t, view)
	wantFault(t, poke(view.Data(), 3), f, 3, shmkit.Write, shmkit.ErrReadOnly)
	wantFault(t, shmkit.Guard(func() { copy(f.Bytes(), "text") }), f, 0, shmkit.Write, shmkit.ErrReadOnly)
}

func TestGuardPageFaults(t *testing.T) {
	f := openNew(t, pattern(3*pageSize), &filemap.Options{Writable: true})
	page := int64(pageSize)
	err := f.Mapping().Advise(page, page, shmkit.AdviseGuardInstall)
	if errors.Is(err, syscall.EINVAL) {
		t.Skipf("guard pages in file mappings need Linux 6.15: %v", err)
	}
	must(t, err)
	wantFault(t, touch(f.Bytes(), pageSize+9), f, page+9, 0, shmkit.ErrGuardPage)
	_, err = f.WriteAt([]byte{1}, page)
	wantFault(t, err, f, page, shmkit.Write, shmkit.ErrGuardPage)
	must(t, touch(f.Bytes(), 0))
	must(t, f.Mapping().Advise(page, page, shmkit.AdviseGuardRemove))
	wantBytes(t, f, page, pattern(3 * pageSize)[page])
}

// A fault whose cause is gone when it is looked for is told as what it was.
func TestFaultOfAFileThatHasGrownAgain(t *testing.T) {
	f := openNew(t, pattern(2*pageSize), &filemap.Options{Writable: true})
	other := osFile(t, pathOf(f))
	must(t, other.Truncate(1))
	err := shmkit.Guard(func() {
		defer func() {
			r := recover()
			must(t, other.Truncate(int64(2*pageSize)))
			panic(r)
		}()
		sink = f.Bytes()[pageSize]
	})
	wantFault(t, err, f, int64(pageSize), 0, shmkit.ErrTruncated)
	wantError(t, err, "it has grown again since")
}
