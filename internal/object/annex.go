package object

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// An object may have a second file, its annex, in the same directory. Some members map it
// from a descriptor that can only read, which no mprotect makes a way to write.

// annex is what a handle has of the second file.
type annex struct {
	mu     sync.Mutex
	made   *fdmap.File    // of a new object, until it has its name
	shown  [2]*annexShown // for reading; for reading and writing
	closed bool           // no more of it is mapped
}

// annexShown is a mapping of the second file.
type annexShown struct {
	m    *shmkit.Mapping
	view *shmkit.SliceView[byte] // holds the mapping
}

// annexName returns what the second file of an object in a file of some name is called. Who may write the
// object, but not its second file, may write another id, and still does not lead others to
// what belongs to an object of another name.
func annexName(id [16]byte, file string) string {
	sum := sha256.Sum256(append(id[:], file...))
	return fmt.Sprintf("messages.%x", sum[:16])
}

// annexPath returns where the second file of an object at path is, "" if it has none.
func (s *shape) annexPath(path string) string {
	if s.annex == 0 || path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(path), annexName(s.id, filepath.Base(path)))
}

// AnnexSize returns how many bytes the second file has, 0 if there is none.
func (o *Object) AnnexSize() int64 { return o.shape.annex }

// AnnexPath returns the second file of the object, "" if there is none.
func (o *Object) AnnexPath() string { return o.annexPath(o.place.path) }

// Annex maps the second file, for reading alone or for writing too; of each kind there is one
// mapping, the first call makes it. b is all of the file: memory that those who may write
// it may change at any moment, or truncate. It stays mapped until Unmap. fs.ErrPermission:
// the file's mode does not let this user.
func (o *Object) Annex(write bool) (m *shmkit.Mapping, b []byte, err error) {
	a := &o.second
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	if write {
		n = 1
	}
	if a.shown[n] == nil {
		if a.shown[n], err = o.showAnnex(write); err != nil {
			return nil, nil, o.fail("map", fmt.Errorf("its second file: %w", unwrapPath(err)), hint(err))
		}
	}
	return a.shown[n].m, a.shown[n].view.Data(), nil
}

// showAnnex opens and maps the second file. The caller holds second.mu.
func (o *Object) showAnnex(write bool) (*annexShown, error) {
	switch {
	case o.place.path == "":
		return nil, fmt.Errorf("an object without a name has none: %w", errors.ErrUnsupported)
	case o.shape.annex == 0:
		return nil, fmt.Errorf("the object has none: %w", errors.ErrUnsupported)
	case o.second.closed || o.closed.Load():
		return nil, ErrGone
	}
	file := o.second.made
	if file == nil || !write {
		f, err := o.openAnnex(write)
		if err != nil {
			return nil, err
		}
		if err := checkAnnex(f, o.trusted, o.shape.annex); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		file = fdmap.New(f, f.Name())
		defer file.Close() // the mapping holds it
	}
	protection := shmkit.Read
	if write {
		protection |= shmkit.Write
	}
	m, err := file.Map(fdmap.Options{Len: o.shape.annex, Protection: protection, Populate: true})
	if err != nil {
		return nil, err
	}
	v, err := shmkit.ViewSlice[byte](m, 0, m.Len())
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &annexShown{m, v}, nil
}

// openAnnex opens the second file, by its name if it has one yet.
func (o *Object) openAnnex(write bool) (f *os.File, err error) {
	path := o.AnnexPath()
	if made := o.second.made; made != nil {
		err = made.Use(func(whole *os.File) error {
			fd, err := sys.Reopen(int(whole.Fd()), os.O_RDONLY)
			if err == nil {
				f = os.NewFile(uintptr(fd), path)
			}
			return err
		})
		return f, err
	}
	return openAnnexAt(path, write)
}

func openAnnexAt(path string, write bool) (*os.File, error) {
	open := openReading
	if write {
		open = func(path string) (*os.File, error) {
			return os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		}
	}
	f, err := open(path)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, foreign("it is a symbolic link")
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENXIO):
		return nil, foreign("it is no regular file")
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: it is gone", ErrCorrupt)
	case errors.Is(err, fs.ErrPermission) && write:
		return nil, fmt.Errorf("%w: only who may write %s may publish", unwrapPath(err), path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: only who may read %s may subscribe", unwrapPath(err), path)
	}
	return f, err
}

// checkAnnex refuses a second file that cannot be trusted, or is not as the header says.
func checkAnnex(f *os.File, trusted owners, size int64) error {
	if err := checkFile(f, trusted); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch present := info.Sys().(*syscall.Stat_t).Blocks * 512; {
	case info.Size() != size:
		return fmt.Errorf("%w: the header says %d bytes, it has %d", ErrCorrupt, size, info.Size())
	case present < size: // whoever makes an object reserves it
		return fmt.Errorf("%w: it has holes: %d bytes of %d are there", ErrCorrupt, present, size)
	}
	return nil
}

// makeAnnex makes the second file of a new object, without a name yet, and reserves it.
func (o *Object) makeAnnex(mode fs.FileMode) error {
	fd, err := sys.OpenTmpfile(filepath.Dir(o.place.path), uint32(mode.Perm()))
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), o.place.path)
	o.second.made = fdmap.New(f, o.place.path) // its name needs the id
	if err := f.Chmod(mode.Perm()); err != nil {
		return err
	}
	_, err = fdmap.Reserve(context.Background(), fd, 0, 0, o.shape.annex, int64(os.Getpagesize()))
	return err
}

// link gives a new object its names. If it has two, J keeps everybody out who finds the
// first one, until both are there. fs.ErrExist: somebody else has the first.
func (o *Object) link() (err error) {
	path := o.place.path
	if o.second.made != nil {
		if err := o.locks.join(context.Background(), sys.F_WRLCK); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, o.locks.leave()) }()
		point("create:locked")
	}
	if err := linkTo(o.locks.file, path); err != nil {
		return err
	}
	if made := o.second.made; made != nil {
		point("create:half")
		if err := linkTo(made, o.AnnexPath()); err != nil {
			if errors.Is(err, fs.ErrExist) { // of a random name
				err = fmt.Errorf("%w: there is a %s already", ErrForeign, o.AnnexPath())
			}
			return errors.Join(err, syscall.Unlink(path))
		}
		o.second.mu.Lock()
		defer o.second.mu.Unlock()
		o.second.made = nil
		if err := made.Close(); err != nil {
			return err
		}
	}
	point("create:named")
	return nil
}

func linkTo(file *fdmap.File, path string) error {
	return file.Use(func(f *os.File) error { return sys.LinkTmpfile(int(f.Fd()), path) })
}

// annexGone reports whether the object should have a second file and there is nothing under
// its name. J is held: nobody is about to give it its name, or to remove it.
func (o *Object) annexGone() (bool, error) {
	path := o.AnnexPath()
	if path == "" {
		return false, nil
	}
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// readAnnexPath returns where the second file of an object is that may be broken, "" if its
// header does not say that it has one.
func (p place) readAnnexPath(l *locks) (path string, err error) {
	b := make([]byte, headerSize)
	err = l.file.Use(func(f *os.File) error {
		_, err := f.ReadAt(b, 0)
		return err
	})
	if errors.Is(err, io.EOF) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	h := headerAt(b)
	if size := h.annex.Load(); size == 0 || size > maxSize || h.id == [16]byte{} {
		return "", nil
	}
	s := shape{annex: 1, id: h.id}
	return s.annexPath(p.path), nil
}

// unlinkAnnex removes the second file of the object that l has open. What is no regular file,
// or belongs to another user than the object, was not made with it and stays.
func unlinkAnnex(path string, l *locks) error {
	annex, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var object fs.FileInfo
	err = l.file.Use(func(f *os.File) (err error) {
		object, err = f.Stat()
		return err
	})
	if err != nil {
		return err
	}
	if !annex.Mode().IsRegular() || annex.Sys().(*syscall.Stat_t).Uid != object.Sys().(*syscall.Stat_t).Uid {
		return nil
	}
	if err := syscall.Unlink(path); err != nil && err != syscall.ENOENT {
		return err
	}
	return nil
}

// unmapAnnex gives back what is mapped of the second file, for good.
func (o *Object) unmapAnnex() error {
	a := &o.second
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	var errs []error
	for n, shown := range a.shown {
		if shown != nil {
			errs = append(errs, shown.view.Close(), shown.m.Close())
			a.shown[n] = nil
		}
	}
	if a.made != nil {
		errs = append(errs, a.made.Close())
		a.made = nil
	}
	return errors.Join(errs...)
}
