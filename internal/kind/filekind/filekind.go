// Package filekind has the kind file:, regular files by path, mapped or not.
//
// A path leads where it leads for open(2), through symbolic links too; but a link is
// neither removed nor made, and a stream does not follow one in the last place.
package filekind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
)

// Files is the kind file: regular files.
type Files struct{ kind.OwnNothing }

// What files can do. They lack kind.Disposable on purpose: lists tell of files that
// happen to be mapped.
var (
	_ kind.Creator   = Files{}
	_ kind.Inspected = Files{}
	_ kind.Stater    = Files{}
	_ kind.Setter    = Files{}
	_ kind.Remover   = Files{}
	_ kind.Memory    = Files{}
	_ kind.Flusher   = Files{}
	_ kind.Scanner   = Files{}
	_ kind.Streams   = Files{}
	_ kind.Explainer = Files{}
	_ kind.Completer = Files{}
)

// Name implements kind.Kind; the methods below implement the capabilities.
func (Files) Name() string { return "file" }

// Title implements kind.Kind.
func (Files) Title() string { return "files that are mapped shared" }

// Without implements kind.Explainer.
func (Files) Without(verb string) string {
	switch verb {
	case "unlock":
		return "its memory is locked by a process, such as shmkit lock, and until that ends"
	case "limits":
		return "files are limited by the file system that each is on (df), and by ulimit -f"
	case "rm --all":
		return "files are not all made to be shared, so that each has to be named: shmkit rm file:PATH"
	}
	return ""
}

func path(a address.Address) string { return a.Target.String() }

// failed puts what filemap says of a file that isn't there as people would.
func failed(a address.Address, err error) error {
	if errors.Is(err, syscall.ENOENT) {
		return kind.Missing(a, err)
	}
	return err
}

// look looks at the file that an address leads to.
func look(a address.Address) (*inode.Handle, error) {
	h, err := inode.Open(path(a), a.String(), true)
	return h, failed(a, err)
}

// CreateOptions implements kind.Creator.
func (Files) CreateOptions() []kind.Option { return inode.CreateOptions() }

// Create implements kind.Creator.
func (k Files) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	size := o.Int64("size")
	if err := inode.CheckSize(size); err != nil {
		return kind.Object{}, false, err
	}
	for {
		err := create(a, size, o)
		if err == nil {
			made, err := k.Stat(a)
			return made, true, err
		}
		if !errors.Is(err, fs.ErrExist) || o.On("exclusive") {
			return kind.Object{}, false, err
		}
		made, size, err := k.stat(a)
		if errors.Is(err, fs.ErrNotExist) {
			if inode.Dangling(path(a)) {
				return kind.Object{}, false, &kind.Error{Text: fmt.Sprintf("%s is a symbolic link to nothing", a), Err: syscall.ENOENT}
			}
			continue // it went between the two
		}
		if err == nil {
			err = inode.LargeEnough(a, size, o.Int64("size"))
		}
		return made, false, err
	}
}

// create makes a file, whole and of the mode that was asked for, whatever the umask.
func create(a address.Address, size int64, o kind.Options) error {
	mode := o.Mode("mode")
	if mode == 0 { // to filemap that is 0600
		return kind.Usage("--mode 0 would let nobody open it")
	}
	// Its main mapping is a byte: only the file is wanted.
	f, err := filemap.Create(path(a), size, &filemap.Options{Mode: mode, Sparse: o.On("sparse"), Len: 1})
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(mode), f.Close())
}

// SetOptions implements kind.Setter.
func (Files) SetOptions() []kind.Option { return inode.SetOptions() }

// Set implements kind.Setter.
func (Files) Set(a address.Address, o kind.Options) error {
	h, err := look(a)
	if err != nil {
		return err
	}
	defer h.Close()
	var s inode.Steps
	if size, ok := kind.Given[int64](o, "size"); ok {
		s.Do("size", func() error { return resize(a, size) })
	}
	s.SetOwnerAndMode(h, o)
	return s.Err()
}

func resize(a address.Address, size int64) error {
	f, err := filemap.Open(path(a), &filemap.Options{Writable: true, Len: 1, Beyond: true})
	if err != nil {
		return failed(a, err)
	}
	return errors.Join(f.Resize(size), f.Close())
}

// Remove implements kind.Remover. Only a regular file is removed, and no link to one:
// the address means what the link leads to.
func (Files) Remove(a address.Address) ([]address.Address, error) {
	h, err := inode.Open(path(a), a.String(), false)
	if err != nil {
		return nil, failed(a, err)
	}
	h.Close()
	if err := syscall.Unlink(path(a)); err != nil {
		return nil, h.Failed("remove", err)
	}
	return nil, nil
}

// OpenMemory implements kind.Memory.
func (Files) OpenMemory(a address.Address, write bool) (*shmkit.Mapping, error) {
	f, err := filemap.Open(path(a), &filemap.Options{Writable: write})
	if err != nil {
		return nil, failed(a, err)
	}
	size, err := f.Size()
	if err == nil && size == 0 {
		err = nothing(a, f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m, err := f.Map(0, 0, &filemap.MapOptions{Writable: write})
	return m, errors.Join(err, f.Close()) // the mapping keeps what it needs
}

// nothing says why there is nothing to map of a file.
func nothing(a address.Address, f *filemap.File) error {
	err := f.Scan(context.Background(), nil, func(int64, []byte) error { return nil }) // which looks whether it is
	if errors.Is(err, syscall.ENODEV) {
		return &kind.Error{Text: fmt.Sprintf("%s has content but no length, as files of /proc do, and cannot be mapped; read it", a), Err: err}
	}
	return &kind.Error{Text: fmt.Sprintf("%s is empty: there is nothing to map; shmkit set --size makes it longer", a), Err: syscall.EINVAL}
}

// OpenToFlush implements kind.Flusher.
func (k Files) OpenToFlush(a address.Address) (*shmkit.Mapping, error) { return k.OpenMemory(a, false) }

// Scan implements kind.Scanner.
func (Files) Scan(ctx context.Context, a address.Address, o *filemap.ScanOptions, do func(int64, []byte) error) error {
	return failed(a, filemap.Scan(ctx, path(a), o, do))
}
