package filemap_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

func create(t testing.TB, path string, size int64, o *filemap.Options) *filemap.File {
	t.Helper()
	f, err := filemap.Create(path, size, o)
	must(t, err)
	t.Cleanup(func() { closeOK(t, f) })
	return f
}

// entries lists the folder of path.
func entries(t testing.TB, path string) []string {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestCreateIsExclusiveWritableAndReserved(t *testing.T) {
	path := newPath(t)
	const size = 1<<20 + 5
	f := create(t, path, size, nil)
	if f.Len() != size || f.Mapping().Protection() != shmkit.Read|shmkit.Write {
		t.Errorf("%v", f)
	}
	wantContent(t, path, make([]byte, size))
	if n := blocks(t, path); n < size {
		t.Errorf("%d bytes of the device are reserved, want %d", n, size)
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
	_, err = filemap.Create(path, 10, nil)
	wantError(t, err, fs.ErrExist, syscall.EEXIST, "create "+path)
	wantSize(t, path, size)
}

func TestCreateSparse(t *testing.T) {
	path := newPath(t)
	f := create(t, path, 1<<40, &filemap.Options{Sparse: true, Mode: 0o640})
	if n := blocks(t, path); n > 1<<20 {
		t.Errorf("%d bytes of the device are taken", n)
	}
	_, err := f.WriteAt([]byte("far"), 1<<40-3)
	must(t, err)
	must(t, f.Resize(1<<40+1))
	if n := blocks(t, path); n > 1<<20 {
		t.Errorf("%d bytes of the device are taken after Resize", n)
	}
}

func TestCreateModeIsUnderTheUmask(t *testing.T) {
	path := newPath(t)
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	create(t, path, 1, &filemap.Options{Mode: 0o666})
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o644 {
		t.Errorf("the mode is %v", info.Mode())
	}
}

func TestCreateEmpty(t *testing.T) {
	path := newPath(t)
	f := create(t, path, 0, &filemap.Options{Init: func(*shmkit.Mapping) error { return errors.New("called") }})
	wantSize(t, path, 0)
	must(t, f.Resize(5))
	wantSize(t, path, 5)
}

// Init runs before the name is there, and its failure leaves nothing.
func TestInitBeforeTheNameAppears(t *testing.T) {
	path := newPath(t)
	failure := errors.New("no content today")
	_, err := filemap.Create(path, 100, &filemap.Options{Init: func(m *shmkit.Mapping) error {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("while Init runs: %v", err)
		}
		return failure
	}})
	wantError(t, err, failure, path)
	if names := entries(t, path); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	create(t, path, 100, &filemap.Options{Init: func(m *shmkit.Mapping) error {
		_, err := m.WriteAt([]byte("born whole"), 0)
		return err
	}})
	f := open(t, path, &filemap.Options{Len: 10})
	if string(f.Bytes()) != "born whole" {
		t.Errorf("it holds %q", f.Bytes())
	}
}

// What Init writes is in the file also if the mapping is to be private.
func TestInitOfAPrivateMapping(t *testing.T) {
	path := newPath(t)
	f := create(t, path, 4, &filemap.Options{Private: true, Populate: true, Init: func(m *shmkit.Mapping) error {
		_, err := m.WriteAt([]byte("file"), 0)
		return err
	}})
	_, err := f.WriteAt([]byte("m"), 0)
	must(t, err)
	wantBytes(t, f, 0, []byte("mile")...)
	wantContent(t, path, []byte("file"))
}

func TestCreateWhereItCannotBe(t *testing.T) {
	path := newPath(t)
	_, err := filemap.Create(filepath.Join(path, "below"), 1, nil)
	wantError(t, err, fs.ErrNotExist)
	must(t, os.Symlink(path+"-nowhere", path))
	_, err = filemap.Create(path, 1, nil)
	wantError(t, err, fs.ErrExist)
	_, err = filemap.OpenOrCreate(path, 1, nil)
	wantError(t, err, fs.ErrNotExist, "a dangling symbolic link")
	_, err = filemap.Create(newPath(t), 1<<62, nil)
	if !errors.Is(err, syscall.EFBIG) && !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a file of 4 EiB: %v", err)
	}
}

func TestOpenOrCreate(t *testing.T) {
	path := newPath(t)
	f, err := filemap.OpenOrCreate(path, 100, nil)
	must(t, err)
	_, err = f.WriteAt([]byte("first"), 0)
	must(t, err)
	must(t, f.Close())
	f, err = filemap.OpenOrCreate(path, 5, nil)
	must(t, err)
	defer closeOK(t, f)
	if f.Len() != 100 { // an existing file keeps its size
		t.Errorf("%v", f)
	}
	_, err = f.WriteAt([]byte("again"), 0)
	must(t, err)
}

// Of many that create one name at once exactly one does, and everybody finds it whole.
func TestCreatorsRace(t *testing.T) {
	const racers = 16
	for range 20 {
		path := newPath(t)
		var made atomic.Int32
		var wg sync.WaitGroup
		for range racers {
			wg.Go(func() {
				f, err := filemap.OpenOrCreate(path, 5, &filemap.Options{Init: func(m *shmkit.Mapping) error {
					_, err := m.WriteAt([]byte("whole"), 0)
					return err
				}})
				if err != nil {
					t.Error(err)
					return
				}
				if string(f.Bytes()) != "whole" {
					t.Errorf("found %q", f.Bytes())
				}
				closeOK(t, f)
			})
			wg.Go(func() {
				f, err := filemap.Create(path, 5, &filemap.Options{Init: func(m *shmkit.Mapping) error {
					_, err := m.WriteAt([]byte("whole"), 0)
					return err
				}})
				switch {
				case err == nil:
					made.Add(1)
					closeOK(t, f)
				case !errors.Is(err, fs.ErrExist):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if names := entries(t, path); made.Load() > 1 || len(names) != 1 {
			t.Fatalf("%d made it, and there are %v", made.Load(), names)
		}
	}
}
