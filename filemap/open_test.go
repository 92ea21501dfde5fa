package filemap_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestOpenMapsTheWholeFileReadOnly(t *testing.T) {
	content := pattern(3*pageSize + 100)
	f := openNew(t, content, nil)
	if f.Len() != len(content) || f.Mapping().Protection() != shmkit.Read {
		t.Errorf("%v", f)
	}
	if !bytes.Equal(f.Bytes(), content) {
		t.Errorf("Bytes: %s", difference(f.Bytes(), content))
	}
	wantBytes(t, f, int64(pageSize-1), content[pageSize-1:pageSize+2]...)
	if n, err := f.Size(); n != int64(len(content)) || err != nil {
		t.Errorf("Size is %d, %v", n, err)
	}
	if _, err := f.ReadAt(make([]byte, 1), int64(len(content))); err != io.EOF {
		t.Errorf("read at the end: %v", err)
	}
	_, err := f.WriteAt([]byte{1}, 0)
	wantError(t, err, shmkit.ErrReadOnly, f.Name())
}

func TestWritableMappingIsTheFile(t *testing.T) {
	f := openNew(t, pattern(2*pageSize), &filemap.Options{Writable: true})
	_, err := f.WriteAt([]byte("hello"), int64(pageSize-2))
	must(t, err)
	want := pattern(2 * pageSize)
	copy(want[pageSize-2:], "hello")
	wantContent(t, pathOf(f), want)
}

// A window of any offset and length, seen by the mapping as bytes 0 to Len.
func TestWindowOfAnyOffsetAndLength(t *testing.T) {
	content := pattern(5*pageSize + 17)
	path := newFile(t, content)
	whole := open(t, path, nil)
	for _, off := range []int{0, 1, 100, pageSize - 1, pageSize, pageSize + 1, 3*pageSize + 5, len(content) - 1} {
		for _, n := range []int{0, 1, 2, pageSize - 1, pageSize, pageSize + 1, 2 * pageSize, len(content) - off} {
			if off+n > len(content) {
				continue
			}
			want := content[off:]
			if n > 0 {
				want = want[:n]
			}
			f := open(t, path, &filemap.Options{Off: int64(off), Len: int64(n)})
			m := mapPart(t, whole, int64(off), int64(n), nil)
			for _, got := range [][]byte{f.Bytes(), m.Bytes()} {
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes at %d: %s", n, off, difference(got, want))
				}
			}
		}
	}
}

func TestWindowBeyondTheEndIsRefusedUnlessAskedFor(t *testing.T) {
	path := newFile(t, pattern(100))
	f := open(t, path, nil)
	for _, c := range []struct{ off, n int64 }{{0, 101}, {50, 51}, {100, 1}, {101, 0}, {5000, 0}, {1 << 40, 1}} {
		_, err := filemap.Open(path, &filemap.Options{Off: c.off, Len: c.n})
		wantError(t, err, shmkit.ErrTruncated, path, "100 bytes")
		_, err = f.Map(c.off, c.n, nil)
		wantError(t, err, shmkit.ErrTruncated, path, "100 bytes")
	}
	long := open(t, path, &filemap.Options{Len: int64(3 * pageSize), Beyond: true, Writable: true})
	if long.Len() != 3*pageSize {
		t.Errorf("%v", long)
	}
	wantBytes(t, long, 99, 100, 0)
	_, err := long.ReadAt(make([]byte, 1), int64(pageSize))
	wantError(t, err, shmkit.ErrTruncated)
	must(t, long.Truncate(int64(2*pageSize)))
	wantBytes(t, long, int64(pageSize), 0)
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	path := newFile(t, pattern(100))
	for _, o := range []filemap.Options{{Off: -1}, {Len: -1}, {Reserve: -1}, {Mode: fs.ModeSetuid | 0o600}, {Mode: fs.ModeDir}} {
		_, err := filemap.Open(path, &o)
		wantError(t, err, syscall.EINVAL, path)
		_, err = filemap.Create(path+"x", 10, &o)
		wantError(t, err, syscall.EINVAL, "create "+path+"x")
	}
	_, err := filemap.Create(path+"x", -1, nil)
	wantError(t, err, syscall.EINVAL, "size -1 is negative")
	f := open(t, path, nil)
	_, err = f.Map(-1, 10, nil)
	wantError(t, err, syscall.EINVAL, "map "+path)
	_, err = f.Map(1, 1<<63-1, &filemap.MapOptions{Beyond: true})
	wantError(t, err, syscall.EOVERFLOW)
	_, err = f.Map(100, 0, nil)
	wantError(t, err, shmkit.ErrTruncated, "nothing from there on")
}

// Whatever is not a regular file is refused with what it is, and without touching it:
// opening a pipe would wait for its writer.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, syscall.Mkfifo(at("pipe"), 0o600))
	must(t, os.Mkdir(at("folder"), 0o700))
	listener, err := net.Listen("unix", at("socket"))
	must(t, err)
	defer closeOK(t, listener)
	for _, c := range []struct {
		path, what string
		errno      error
	}{
		{at("pipe"), "a named pipe", syscall.ENODEV},
		{at("folder"), "a folder", syscall.EISDIR},
		{at("socket"), "a socket", syscall.ENODEV},
		{"/dev/null", "a character device", syscall.ENODEV},
		{"/dev/zero", "a character device", syscall.ENODEV},
	} {
		for _, o := range []*filemap.Options{nil, {Writable: true}, {Private: true}} {
			_, err := filemap.Open(c.path, o)
			wantError(t, err, filemap.ErrNotRegular, c.errno, c.path, c.what)
		}
		_, err := filemap.OpenOrCreate(c.path, 10, nil)
		wantError(t, err, filemap.ErrNotRegular, c.errno)
		_, err = filemap.Create(c.path, 10, nil)
		wantError(t, err, fs.ErrExist)
		err = filemap.Scan(t.Context(), c.path, nil, func(int64, []byte) error { return nil })
		wantError(t, err, filemap.ErrNotRegular, "scan "+c.path)
	}
}

func TestNoFollow(t *testing.T) {
	path := newFile(t, pattern(10))
	link := path + "-link"
	must(t, os.Symlink(path, link))
	wantBytes(t, open(t, link, nil), 0, 1, 2)
	_, err := filemap.Open(link, &filemap.Options{NoFollow: true})
	wantError(t, err, syscall.ELOOP, filemap.ErrNotRegular, "a symbolic link")
	wantBytes(t, open(t, path, &filemap.Options{NoFollow: true}), 0, 1, 2)
}

func TestErrorsOfOpenSayWhyAndWhoseItIs(t *testing.T) {
	_, err := filemap.Open("/nonexistent/file", nil)
	wantError(t, err, fs.ErrNotExist, syscall.ENOENT, "open /nonexistent/file: no such file or directory")
	var e *filemap.Error
	if !errors.As(err, &e) || e.Op != "open" || e.Path != "/nonexistent/file" {
		t.Errorf("got %#v", err)
	}
	_, err = filemap.Open("", nil)
	wantError(t, err, fs.ErrNotExist)
}

func TestPermissionOfTheFileCounts(t *testing.T) {
	dir, err := os.MkdirTemp("", "filemap-*")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "file")
	must(t, os.WriteFile(path, pattern(100), 0o600))
	runRole(t, &testenv.StartOptions{Credential: testenv.Nobody(t)}, "open refused", path, "r")
	must(t, os.Chmod(path, 0o444))
	runRole(t, &testenv.StartOptions{Credential: testenv.Nobody(t)}, "open refused", path, "w")
}

// openRefused is a role: the file belongs to root.
func openRefused(args []string) error {
	_, err := filemap.Open(args[0], &filemap.Options{Writable: args[1] == "w"})
	if !errors.Is(err, fs.ErrPermission) || !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), "it belongs to uid 0 gid 0, mode 0") {
		return errors.Join(errors.New("not refused, or not for the right reason"), err)
	}
	if args[1] == "r" {
		return nil
	}
	// A private mapping may be written nevertheless.
	f, err := filemap.Open(args[0], &filemap.Options{Writable: true, Private: true})
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("mine"), 0)
	return errors.Join(err, f.Close())
}

func TestPrivateIsCopyOnWrite(t *testing.T) {
	content := pattern(2 * pageSize)
	f := openNew(t, content, &filemap.Options{Writable: true, Private: true})
	_, err := f.WriteAt([]byte{0xff}, 5)
	must(t, err)
	wantBytes(t, f, 4, content[4], 0xff, content[6])
	must(t, f.Flush(0, int64(f.Len()), filemap.Sync))
	must(t, f.Flush(0, int64(f.Len()), filemap.Async))
	must(t, f.Sync())
	wantContent(t, pathOf(f), content)
	err = f.Resize(1)
	wantError(t, err, syscall.EINVAL, "opened for reading only")
}

func TestExec(t *testing.T) {
	path := newFile(t, pattern(100))
	f, err := filemap.Open(path, &filemap.Options{Exec: true})
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("the folder for temporary files is mounted noexec: %v", err)
	}
	must(t, err)
	defer closeOK(t, f)
	if p := area(t, f.Mapping(), 0).Perms; p != "r-xs" {
		t.Errorf("the mapping is %s", p)
	}
}

func TestPopulateAndAdvice(t *testing.T) {
	content := pattern(64 * pageSize)
	for _, o := range []filemap.Options{{Populate: true}, {Advice: shmkit.AdviseWillNeed}, {Advice: shmkit.AdviseRandom, Reserve: 1 << 20}} {
		f := openNew(t, content, &o)
		if !bytes.Equal(f.Bytes(), content) {
			t.Errorf("%+v: %s", o, difference(f.Bytes(), content))
		}
	}
	_, err := filemap.Open(newFile(t, content), &filemap.Options{Advice: 12345})
	wantError(t, err, syscall.EINVAL, "advice 12345")
}

// An empty file has no mapping, and behaves like a file of no bytes, until it grows.
func TestEmptyFile(t *testing.T) {
	f := openNew(t, nil, &filemap.Options{Writable: true})
	if f.Mapping() != nil || f.Len() != 0 || f.Bytes() != nil {
		t.Errorf("an empty file has the mapping %v", f.Mapping())
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err != io.EOF {
		t.Errorf("read: %v", err)
	}
	if n, err := f.ReadAt(nil, 0); n != 0 || err != nil {
		t.Errorf("read nothing: %d, %v", n, err)
	}
	_, err := f.ReadAt(make([]byte, 1), -1)
	wantError(t, err, shmkit.ErrOutOfRange)
	_, err = f.WriteAt([]byte{1}, 0)
	wantError(t, err, shmkit.ErrOutOfRange)
	wantError(t, f.Flush(0, 1, filemap.Sync), shmkit.ErrOutOfRange)
	must(t, f.Flush(0, 0, filemap.Sync))
	must(t, f.Sync())
	if all, err := io.ReadAll(f.NewCursor()); len(all) != 0 || err != nil {
		t.Errorf("a cursor reads %v, %v", all, err)
	}
	if s := f.String(); !strings.HasSuffix(s, "nothing mapped") {
		t.Errorf("it is described as %q", s)
	}
	must(t, f.Resize(10))
	_, err = f.WriteAt([]byte{7}, 9)
	must(t, err)
	must(t, f.Resize(0))
	if f.Mapping() != nil {
		t.Errorf("after Resize to 0 the mapping is %v", f.Mapping())
	}
	must(t, f.Resize(10))
	wantBytes(t, f, 0, make([]byte, 10)...) // what was cut off is gone
}

func TestCloseIsTheEndOfTheMainMappingOnly(t *testing.T) {
	content := pattern(2 * pageSize)
	path := newFile(t, content)
	f, err := filemap.Open(path, &filemap.Options{Writable: true})
	must(t, err)
	window := mapPart(t, f, int64(pageSize), 0, &filemap.MapOptions{Writable: true})
	view, err := shmkit.ViewSlice[byte](f.Mapping(), 0, 4)
	must(t, err)
	must(t, f.Close())
	must(t, f.Close())

	for _, err := range []error{
		func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err }(),
		func() error { _, err := f.WriteAt(make([]byte, 1), 0); return err }(),
		func() error { _, err := f.Size(); return err }(),
		func() error { _, err := f.Map(0, 1, nil); return err }(),
		func() error { _, err := f.Follow(); return err }(),
		f.Flush(0, 1, filemap.Sync), f.Sync(), f.Resize(1), f.Truncate(1),
		f.Scan(t.Context(), nil, func(int64, []byte) error { return nil }),
	} {
		wantError(t, err, fs.ErrClosed, shmkit.ErrClosed)
	}
	if view.Data()[3] != content[3] {
		t.Error("the view shows something else")
	}
	must(t, view.Close())
	// The other window has all a mapping has, the descriptor included.
	wantBytes(t, window, 0, content[pageSize:pageSize+4]...)
	_, err = window.WriteAt([]byte{9}, 0)
	must(t, err)
	must(t, window.Flush(0, 1, filemap.Async))
	must(t, window.Flush(0, 1, filemap.Sync))
	must(t, window.Resize(1))
	content[pageSize] = 9
	wantContent(t, path, content)
}

func TestCloseOfAnEmptyFile(t *testing.T) {
	f, err := filemap.Open(newFile(t, nil), nil)
	must(t, err)
	must(t, f.Close())
	_, err = f.ReadAt(make([]byte, 1), 0)
	wantError(t, err, fs.ErrClosed, shmkit.ErrClosed, "the handle is closed")
	_, err = f.Size()
	wantError(t, err, fs.ErrClosed, "the handle is closed")
}
