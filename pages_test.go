package shmkit_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

const (
	none      = shmkit.Protection(0)
	readOnly  = shmkit.Read
	readWrite = shmkit.Read | shmkit.Write
)

// pagesAt is page i of a mapping that begins with one.
func pagesAt(i int) int64 { return int64(i * pageSize) }

// newReadOnlyFile is newFile through a descriptor for reading.
func newReadOnlyFile(t testing.TB, pages int) *fdmap.File {
	t.Helper()
	_, f := newFile(t, pages)
	fd, err := sys.Reopen(int(f.Fd()), os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	file := fdmap.New(os.NewFile(uintptr(fd), "memfd"), "memfd:read-only")
	t.Cleanup(func() { closeOK(t, file) })
	return file
}

// wantOpError requires err to be an OpError of op with the errno, whose text says texts.
func wantOpError(t testing.TB, err error, op string, errno syscall.Errno, texts ...string) {
	t.Helper()
	var e *shmkit.OpError
	if !errors.As(err, &e) || e.Op != op || !errors.Is(err, errno) {
		t.Fatalf("got error %v (%T), want an *OpError of %q with %v", err, err, op, errno)
	}
	for _, text := range append(texts, e.Mapping, errno.Error()) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the message %q does not say %q", err, text)
		}
	}
}

// wantPageFault is wantFault with the access.
func wantPageFault(t testing.TB, err error, m *shmkit.Mapping, off int64, access shmkit.Protection, cause error) {
	t.Helper()
	wantFault(t, err, m, off, cause)
	var fault *shmkit.FaultError
	if errors.As(err, &fault) && fault.Access != access {
		t.Errorf("%q: the access is %v, want %v", err, fault.Access, access)
	}
	word := map[shmkit.Protection]string{0: "fault", readOnly: "read fault", shmkit.Write: "write fault"}[access]
	if !strings.HasPrefix(err.Error(), word) {
		t.Errorf("the message %q does not begin with %q", err, word)
	}
}

func TestProtectOfPartsSplitsAndMergesTheArea(t *testing.T) {
	f, _ := newFile(t, 6)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(6)})
	steps := []struct {
		page, pages int
		p           shmkit.Protection
		want        []string
	}{
		{2, 2, readOnly, []string{"0-2 rw-s", "2-4 r--s", "4-6 rw-s"}},
		{3, 1, none, []string{"0-2 rw-s", "2-3 r--s", "3-4 ---s", "4-6 rw-s"}},
		{2, 2, readWrite, []string{"0-6 rw-s"}},
		{0, 6, readOnly, []string{"0-6 r--s"}},
		{5, 1, readWrite, []string{"0-5 r--s", "5-6 rw-s"}},
	}
	for _, s := range steps {
		if err := m.Protect(pagesAt(s.page), pagesAt(s.pages), s.p); err != nil {
			t.Fatal(err)
		}
		if got := areas(t, m, 6); !slices.Equal(got, s.want) {
			t.Errorf("after %d pages from %d on became %v: %q, want %q", s.pages, s.page, s.p, got, s.want)
		}
	}
}

func TestProtectOfAPartMakesUsesFaultByName(t *testing.T) {
	f, _ := newFile(t, 4)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(4)})
	if err := m.Protect(pagesAt(1), pagesAt(1), readOnly); err != nil {
		t.Fatal(err)
	}
	if err := m.Protect(pagesAt(2), pagesAt(1), none); err != nil {
		t.Fatal(err)
	}
	if m.Protection() != readWrite {
		t.Errorf("some part is rw-, and Protection is %v", m.Protection())
	}
	b := m.Bytes()
	wantByte(t, m, pagesAt(1), 2) // a page that is there can only have been written to
	wantPageFault(t, shmkit.Guard(func() { b[pageSize+3] = 1 }), m, pagesAt(1)+3, shmkit.Write, shmkit.ErrReadOnly)
	_, err := m.WriteAt([]byte{1}, pagesAt(1))
	wantPageFault(t, err, m, pagesAt(1), shmkit.Write, shmkit.ErrReadOnly)
	// Also with the race detector, which would do it in C.
	wantPageFault(t, m.Store64(pagesAt(1)+8, 1), m, pagesAt(1)+8, shmkit.Write, shmkit.ErrReadOnly)
	_, err = m.CompareAndSwap32(pagesAt(1)+8, 0, 1)
	wantPageFault(t, err, m, pagesAt(1)+8, shmkit.Write, shmkit.ErrReadOnly)
	wantByte(t, m, pagesAt(1), 2)
	wantPageFault(t, shmkit.Guard(func() { b[2*pageSize]++ }), m, pagesAt(2), 0, shmkit.ErrNotReadable)
	_, err = m.Load64(pagesAt(2) + 8)
	wantPageFault(t, err, m, pagesAt(2)+8, readOnly, shmkit.ErrNotReadable)
	_, err = m.Add64(pagesAt(2)+8, 1)
	wantPageFault(t, err, m, pagesAt(2)+8, shmkit.Write, shmkit.ErrNotReadable)
	// Neighbours are as before.
	for _, page := range []int{0, 3} {
		if _, err := m.WriteAt([]byte{9}, pagesAt(page)); err != nil {
			t.Error(err)
		}
	}
	// And what was closed off works again when it is let in again.
	if err := m.Protect(pagesAt(1), pagesAt(2), readWrite); err != nil {
		t.Fatal(err)
	}
	wantByte(t, m, pagesAt(2), 3)
	if _, err := m.WriteAt([]byte{1}, pagesAt(1)); err != nil {
		t.Error(err)
	}
}

func TestProtectOfTheWholeIsRefusedBeforeItFaults(t *testing.T) {
	f, _ := newFile(t, 2)
	m := mapFile(t, f, fdmap.Options{Off: 100, Len: int64(2*pageSize) - 200})
	whole := int64(m.Len())
	if err := m.Protect(0, whole, readOnly); err != nil {
		t.Fatal(err)
	}
	_, err := m.WriteAt([]byte{1}, 5)
	wantAccessError(t, err, "write", shmkit.ErrReadOnly)
	wantAccessError(t, m.Store32(4, 1), "store", shmkit.ErrReadOnly)
	if err := m.Protect(0, whole, none); err != nil {
		t.Fatal(err)
	}
	_, err = m.ReadAt(make([]byte, 1), 0)
	wantAccessError(t, err, "read", shmkit.ErrNotReadable)
	if err := m.Protect(0, whole, readWrite); err != nil || m.Protection() != readWrite {
		t.Errorf("back to rw-: %v, %v", m, err)
	}
	wantByte(t, m, 0, 1)
}

// What a descriptor was not opened for stays forbidden, and is not remembered as
// allowed.
func TestProtectCannotExceedTheDescriptor(t *testing.T) {
	f := newReadOnlyFile(t, 4)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(2), Protection: readOnly, Reserve: pagesAt(4)})
	for _, pages := range []int{1, 2} {
		err := m.Protect(0, pagesAt(pages), readWrite)
		wantOpError(t, err, "protect", syscall.EACCES, "not opened for that")
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v is not fs.ErrPermission", err)
		}
	}
	if m.Protection() != readOnly {
		t.Errorf("Protection is %v", m.Protection())
	}
	_, err := m.WriteAt([]byte{1}, 0)
	wantAccessError(t, err, "write", shmkit.ErrReadOnly)
	if err := m.Resize(pagesAt(4)); err != nil { // which maps the rest for what it believes is allowed
		t.Error(err)
	}
	wantByte(t, m, pagesAt(3), 4)

	// A private mapping of it may be written.
	p := mapFile(t, f, fdmap.Options{Len: pagesAt(2), Protection: readOnly, Private: true})
	if err := p.Protect(0, pagesAt(1), readWrite); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WriteAt([]byte{99}, 0); err != nil {
		t.Error(err)
	}
	wantByte(t, p, 0, 99)
	wantByte(t, m, 0, 1)
}

func TestPageControlWantsRangesInTheMapping(t *testing.T) {
	f, _ := newFile(t, 3)
	lead := int64(100)
	m := mapFile(t, f, fdmap.Options{Off: lead, Len: pagesAt(3) - 200})
	n := int64(m.Len())
	page := pagesAt(1)
	for _, r := range []struct{ off, n int64 }{{-1, 1}, {0, -1}, {0, n + 1}, {n, 1}, {1, n}, {1 << 62, 1 << 62}, {n + 1, 0}} {
		for op, err := range map[string]error{
			"protect":                 m.Protect(r.off, r.n, readWrite),
			"lock":                    m.Lock(r.off, r.n),
			"unlock":                  m.Unlock(r.off, r.n),
			"advise MADV_WILLNEED of": m.Advise(r.off, r.n, shmkit.AdviseWillNeed),
			"prefault":                m.Prefault(r.off, r.n, readOnly),
			"flush":                   m.Flush(r.off, r.n, shmkit.FlushSync),
		} {
			wantAccessError(t, err, op, shmkit.ErrOutOfRange)
		}
	}
	// What changes contents or protection would reach neighbours.
	for _, r := range []struct{ off, n int64 }{{1, page - lead - 1}, {0, 10}, {page - lead, 10}, {page - lead + 1, n - (page - lead) - 1}} {
		wantAccessError(t, m.Protect(r.off, r.n, readWrite), "protect", shmkit.ErrMisaligned, "where a page begins")
		wantAccessError(t, m.Advise(r.off, r.n, shmkit.AdviseDontNeed), "advise MADV_DONTNEED of", shmkit.ErrMisaligned)
		if err := m.Advise(r.off, r.n, shmkit.AdviseWillNeed); err != nil {
			t.Error(err)
		}
		if err := errors.Join(m.Lock(r.off, r.n), m.Unlock(r.off, r.n)); err != nil {
			t.Error(err)
		}
	}
	for _, r := range []struct{ off, n int64 }{{0, n}, {0, page - lead}, {page - lead, page}, {2*page - lead, n - 2*page + lead}, {0, 0}, {n, 0}} {
		if err := m.Protect(r.off, r.n, readWrite); err != nil {
			t.Errorf("%d bytes from %d: %v", r.n, r.off, err)
		}
	}
	wantOpError(t, m.Protect(0, n, 8), "protect", syscall.EINVAL, "Read, Write and Exec")
	wantOpError(t, m.Flush(0, n, 3), "flush", syscall.EINVAL, "FlushSync, FlushAsync and FlushInvalidate")
	closeOK(t, m)
	wantAccessError(t, m.Protect(0, n, readOnly), "protect", shmkit.ErrClosed)
	_, err := m.Resident(0, 1)
	wantAccessError(t, err, "residency of", shmkit.ErrClosed)
}
