package fdmap_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

const (
	read      = shmkit.Read
	readWrite = shmkit.Read | shmkit.Write
)

var page = os.Getpagesize()

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newFile takes over a new file of whole pages, page i full of bytes i+1.
func newFile(t testing.TB, pages int) (*fdmap.File, *os.File) {
	t.Helper()
	o, err := os.Create(filepath.Join(t.TempDir(), "file"))
	ok(t, err)
	for i := range pages {
		_, err := o.WriteAt([]byte(strings.Repeat(string(rune(i+1)), page)), int64(i*page))
		ok(t, err)
	}
	f := fdmap.New(o, "file:test")
	t.Cleanup(func() { ok(t, f.Close()) })
	return f, o
}

// reopened is the same file, opened with other flags.
func reopened(t testing.TB, o *os.File, flags int) *fdmap.File {
	t.Helper()
	again, err := os.OpenFile(o.Name(), flags, 0)
	ok(t, err)
	f := fdmap.New(again, "file:reopened")
	t.Cleanup(func() { ok(t, f.Close()) })
	return f
}

func mapOK(t testing.TB, f *fdmap.File, o fdmap.Options) *shmkit.Mapping {
	t.Helper()
	m, err := f.Map(o)
	ok(t, err)
	t.Cleanup(func() { ok(t, m.Close()) })
	return m
}

func wantByte(t testing.TB, m interface {
	ReadAt([]byte, int64) (int, error)
}, off int64, want byte) {
	t.Helper()
	var b [1]byte
	if _, err := m.ReadAt(b[:], off); err != nil || b[0] != want {
		t.Errorf("byte %d is %d, %v; want %d", off, b[0], err, want)
	}
}

// wantRefused requires the map to fail with the errno, and a text that says texts.
func wantRefused(t testing.TB, f *fdmap.File, o fdmap.Options, errno syscall.Errno, texts ...string) {
	t.Helper()
	m, err := f.Map(o)
	if err == nil {
		ok(t, m.Close())
	}
	var e *shmkit.OpError
	if !errors.As(err, &e) || !errors.Is(err, errno) || e.Op != "map" || e.Mapping != f.Name() {
		t.Errorf("%+v: %v, want %v", o, err, errno)
		return
	}
	for _, text := range append(texts, f.Name()) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

func TestOffsetsAndLengthsNeedNoAlignment(t *testing.T) {
	f, o := newFile(t, 3)
	for _, w := range []struct{ off, n int }{{0, 1}, {1, 1}, {page - 1, 2}, {page, page}, {page + 7, 2*page - 7}, {5, 3*page - 5}} {
		for _, private := range []bool{false, true} {
			m := mapOK(t, f, fdmap.Options{Off: int64(w.off), Len: int64(w.n), Protection: readWrite, Private: private})
			if m.Len() != w.n || int(m.Addr())%page != w.off%page || m.Name() != "file:test" {
				t.Errorf("window %+v: got %v", w, m)
			}
			wantByte(t, m, 0, byte(w.off/page+1))
			wantByte(t, m, int64(w.n)-1, byte((w.off+w.n-1)/page+1))
			_, err := m.ReadAt(make([]byte, 1), int64(w.n))
			if err == nil {
				t.Errorf("window %+v: a byte behind the end", w)
			}
			// Written through one way, seen in the other, if shared.
			_, err = m.WriteAt([]byte{200}, 0)
			ok(t, err)
			wantByte(t, o, int64(w.off), map[bool]byte{false: 200, true: byte(w.off/page + 1)}[private])
			_, err = m.WriteAt([]byte{byte(w.off/page + 1)}, 0)
			ok(t, err)
			ok(t, m.Close())
		}
	}
}

func TestProtectionIsThatOfTheMapping(t *testing.T) {
	f, _ := newFile(t, 1)
	for p, perms := range map[shmkit.Protection]string{0: "---s", read: "r--s", readWrite: "rw-s", shmkit.Write: "-w-s"} {
		m := mapOK(t, f, fdmap.Options{Len: 1, Protection: p})
		for e := range sys.Maps(m.Addr(), m.Addr()+1) {
			if e.Perms != perms {
				t.Errorf("%v is mapped %s", p, e.Perms)
			}
		}
		if m.Protection() != p {
			t.Errorf("Protection is %v, want %v", m.Protection(), p)
		}
	}
}

func TestMapRefusals(t *testing.T) {
	f, o := newFile(t, 2)
	wantRefused(t, f, fdmap.Options{}, syscall.EINVAL, "at least 1 byte")
	wantRefused(t, f, fdmap.Options{Len: -1}, syscall.EINVAL, "at least 1 byte")
	wantRefused(t, f, fdmap.Options{Off: -1, Len: 1}, syscall.EINVAL, "an offset is not negative")
	wantRefused(t, f, fdmap.Options{Len: 1, Reserve: -1}, syscall.EINVAL, "reserved")
	wantRefused(t, f, fdmap.Options{Off: math.MaxInt64, Len: 1}, syscall.EOVERFLOW, "no file is that long")
	wantRefused(t, f, fdmap.Options{Off: math.MaxInt64 - 5000, Len: math.MaxInt64}, syscall.EOVERFLOW)
	wantRefused(t, f, fdmap.Options{Off: 1, Len: 1, Reserve: math.MaxInt64}, syscall.EOVERFLOW)
	wantRefused(t, f, fdmap.Options{Len: 1 << 60, Protection: read}, syscall.ENOMEM, "address space")
	wantRefused(t, f, fdmap.Options{Len: 1, Reserve: 1 << 60, Protection: read}, syscall.ENOMEM, "address space")

	ro := reopened(t, o, os.O_RDONLY)
	wantRefused(t, ro, fdmap.Options{Len: 1, Protection: readWrite}, syscall.EACCES, "reading and writing")
	if _, err := ro.Map(fdmap.Options{Len: 1, Protection: readWrite}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not fs.ErrPermission", err)
	}
	mapOK(t, ro, fdmap.Options{Len: 1, Protection: readWrite, Private: true})
	wantRefused(t, reopened(t, o, os.O_WRONLY), fdmap.Options{Len: 1, Protection: shmkit.Write}, syscall.EACCES, "for writing only")
	wantRefused(t, reopened(t, o, 0o10000000), fdmap.Options{Len: 1, Protection: read}, syscall.EBADF, "O_PATH")

	null, err := os.Open("/dev/tty0")
	if err == nil {
		n := fdmap.New(null, "file:tty")
		wantRefused(t, n, fdmap.Options{Len: 1, Protection: read}, syscall.ENODEV, "no memory behind it")
		ok(t, n.Close())
	}
	r, w, err := os.Pipe()
	ok(t, err)
	ok(t, w.Close())
	p := fdmap.New(r, "pipe")
	wantRefused(t, p, fdmap.Options{Len: 1, Protection: read}, syscall.ENODEV, "no memory behind it")
	ok(t, p.Close())
	dir, err := os.Open(t.TempDir())
	ok(t, err)
	d := fdmap.New(dir, "dir")
	wantRefused(t, d, fdmap.Options{Len: 1, Protection: read}, syscall.ENODEV)
	ok(t, d.Close())
}

func TestSealedMemoryIsRefusedWithTheReason(t *testing.T) {
	fd, err := sys.MemfdCreate("sealed", sys.MFD_CLOEXEC|sys.MFD_ALLOW_SEALING)
	ok(t, err)
	o := os.NewFile(uintptr(fd), "memfd")
	f := fdmap.New(o, "memfd:sealed")
	t.Cleanup(func() { ok(t, f.Close()) })
	ok(t, o.Truncate(10))
	ok(t, sys.AddSeals(fd, sys.F_SEAL_WRITE))
	wantRefused(t, f, fdmap.Options{Len: 10, Protection: readWrite}, syscall.EPERM, "sealed")
	mapOK(t, f, fdmap.Options{Len: 10, Protection: readWrite, Private: true})
}

func TestAddrIsWhereTheOffsetStands(t *testing.T) {
	f, _ := newFile(t, 3)
	free, err := sys.ReserveAnywhere(8 * page)
	ok(t, err)
	ok(t, sys.Munmap(free, 8*page))
	for _, reserve := range []int64{0, int64(4 * page)} {
		addr := free + uintptr(page) + 100
		m := mapOK(t, f, fdmap.Options{Off: int64(page + 100), Len: 5, Protection: read, Addr: addr, Reserve: reserve})
		if m.Addr() != addr {
			t.Errorf("asked for %#x, got %v", addr, m)
		}
		wantByte(t, m, 0, 2)
		wantRefused(t, f, fdmap.Options{Len: 5, Protection: read, Addr: addr - 100, Reserve: reserve}, syscall.EEXIST, fmt.Sprintf("%#x are not free", addr-100))
		wantRefused(t, f, fdmap.Options{Off: 5, Len: 5, Protection: read, Addr: free, Reserve: reserve}, syscall.EINVAL, "as the offset")
		ok(t, m.Close())
	}
	wantRefused(t, f, fdmap.Options{Len: 5, Protection: read, Addr: math.MaxUint64 &^ uintptr(page-1)}, syscall.ENOMEM)
	// Its page would begin at address 0, which is not "anywhere".
	wantRefused(t, f, fdmap.Options{Off: 5, Len: 5, Protection: read, Addr: 5}, syscall.EINVAL, "first page")
}

func TestReservedSpaceIsBeyondReachUntilGrown(t *testing.T) {
	f, _ := newFile(t, 4)
	m := mapOK(t, f, fdmap.Options{Off: 10, Len: 20, Protection: readWrite, Reserve: int64(3*page - 10)})
	if sys.Readable(m.Addr() - 10 + uintptr(page)) {
		t.Error("what is reserved can be read")
	}
	// Nobody else gets it.
	wantRefused(t, f, fdmap.Options{Len: 1, Protection: read, Addr: m.Addr() - 10 + uintptr(2*page)}, syscall.EEXIST)
	at := m.Addr()
	ok(t, m.Resize(int64(3*page-10)))
	if m.Addr() != at {
		t.Errorf("it moved within what was reserved: %v", m)
	}
	wantByte(t, m, int64(3*page-11), 3)
	addr := m.Addr() - 10
	ok(t, m.Close())
	for e := range sys.Maps(addr, addr+uintptr(3*page)) {
		t.Errorf("still mapped: %+v", e)
	}
}

func TestPopulateBringsPagesIn(t *testing.T) {
	f, o := newFile(t, 0)
	ok(t, o.Truncate(int64(4*page)))
	m := mapOK(t, f, fdmap.Options{Len: int64(4 * page), Protection: readWrite, Populate: true})
	pages, err := m.Resident(0, int64(m.Len()))
	ok(t, err)
	for i, in := range pages {
		if !in {
			t.Errorf("page %d is not in memory", i)
		}
	}
}

func TestReplaceTakesThePlaceOfAnotherMapping(t *testing.T) {
	f, _ := newFile(t, 4)
	g, _ := newFile(t, 1)
	old := mapOK(t, f, fdmap.Options{Len: int64(2 * page), Protection: readWrite})
	wantRefused(t, g, fdmap.Options{Len: int64(2*page) + 1, Protection: read, Replace: old}, syscall.EINVAL, "do not fit", "file:test")
	wantRefused(t, g, fdmap.Options{Off: 1, Len: int64(2 * page), Protection: read, Replace: old}, syscall.EINVAL, "do not fit")
	wantRefused(t, g, fdmap.Options{Len: 1, Replace: old, Addr: old.Addr()}, syscall.EINVAL, "has its address")
	wantRefused(t, g, fdmap.Options{Len: 1, Replace: old, Reserve: 1}, syscall.EINVAL, "no room to grow")
	wantRefused(t, reopened(t, mustFile(t), os.O_RDONLY), fdmap.Options{Len: 1, Protection: readWrite, Replace: old}, syscall.EACCES)
	wantByte(t, old, int64(page), 2) // as it was
	m := mapOK(t, f, fdmap.Options{Off: int64(2*page) + 9, Len: 10, Protection: read, Replace: old})
	if !old.Closed() || m.Addr() != old.Addr()+9 {
		t.Errorf("%v stands in for %v", m, old)
	}
	wantByte(t, m, 0, 3)
	ok(t, m.Resize(int64(2*page-9)))
	wantByte(t, m, int64(page), 4)
	_, err := f.Map(fdmap.Options{Len: 1, Protection: read, Replace: old})
	if !errors.Is(err, shmkit.ErrClosed) {
		t.Errorf("replacing what is closed: %v", err)
	}
}

func mustFile(t testing.TB) *os.File {
	t.Helper()
	_, o := newFile(t, 1)
	return o
}
