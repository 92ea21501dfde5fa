// Package posixkind has the kind posix:, POSIX shared memory objects: the files of
// /dev/shm, as package posixshm makes and opens them.
//
// The user of the command says which object he means, so that objects of other users
// are opened too, where their mode allows it, but for a stream.
package posixkind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/posixshm"
)

// Objects is the kind posix: POSIX shared memory objects.
type Objects struct{ kind.OwnNothing }

// What objects can do.
var (
	_ kind.Creator    = Objects{}
	_ kind.Inspected  = Objects{}
	_ kind.Stater     = Objects{}
	_ kind.Setter     = Objects{}
	_ kind.Disposable = Objects{}
	_ kind.Limiter    = Objects{}
	_ kind.Memory     = Objects{}
	_ kind.Scanner    = Objects{}
	_ kind.Streams    = Objects{}
	_ kind.Explainer  = Objects{}
	_ kind.Completer  = Objects{}
)

// Name implements kind.Kind; the methods below implement the capabilities.
func (Objects) Name() string { return "posix" }

// Title implements kind.Kind.
func (Objects) Title() string { return "POSIX shared memory objects" }

// Without implements kind.Explainer.
func (Objects) Without(verb string) string {
	switch verb {
	case "unlock":
		return "its memory is locked by a process, such as shmkit lock, and until that ends"
	case "flush":
		return "it is in memory only: there is no device to write it back to"
	}
	return ""
}

// path is where an object is.
func path(a address.Address) string {
	name, _ := a.Target.(address.Name)
	return filepath.Join(string(posixshm.Default), string(name))
}

// name is what posixshm calls it.
func name(a address.Address) string { return a.Target.String() }

// failed is an error of posixshm; what isn't there is put as people would.
func failed(a address.Address, err error) error {
	var e *posixshm.Error
	if errors.As(err, &e) && errors.Is(err, fs.ErrNotExist) && e.Hint == "" {
		return kind.Missing(a, err)
	}
	return err
}

// look looks at an object.
func look(a address.Address) (*inode.Handle, error) {
	h, err := inode.Open(path(a), a.String(), false)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := posixshm.Stat(name(a)); err != nil { // which knows why
			return nil, failed(a, err)
		}
	}
	return h, err
}

// open opens an object of whomever.
func open(a address.Address, write bool) (*posixshm.Object, error) {
	o, err := posixshm.Open(name(a), &posixshm.OpenOptions{ReadOnly: !write, AnyOwner: true})
	return o, failed(a, err)
}

// CreateOptions implements kind.Creator.
func (Objects) CreateOptions() []kind.Option { return inode.CreateOptions() }

// Create implements kind.Creator.
func (k Objects) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	size := o.Int64("size")
	if err := inode.CheckSize(size); err != nil {
		return kind.Object{}, false, err
	}
	// The umask does not count, as it does not for other kinds.
	opts := &posixshm.Options{Mode: o.Mode("mode"), ExactMode: true, Sparse: o.On("sparse")}
	create := posixshm.OpenOrCreate
	if o.On("exclusive") {
		create = posixshm.Create
	}
	if opts.Mode == 0 { // to posixshm that is 0600
		return kind.Object{}, false, kind.Usage("--mode 0 would let nobody open it")
	}
	obj, err := create(name(a), size, opts)
	if err != nil {
		return kind.Object{}, false, err
	}
	created := obj.Created()
	made, err := k.Stat(a)
	return made, created, errors.Join(err, obj.Close())
}

// SetOptions implements kind.Setter.
func (Objects) SetOptions() []kind.Option { return inode.SetOptions() }

// Set implements kind.Setter.
func (Objects) Set(a address.Address, o kind.Options) error {
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
	obj, err := open(a, true)
	if err != nil {
		return err
	}
	defer obj.Close() // the size is set by then, or not
	return obj.Resize(size)
}

// Remove implements kind.Remover.
func (Objects) Remove(a address.Address) ([]address.Address, error) {
	return nil, failed(a, posixshm.Remove(name(a)))
}

// AllRemovable implements kind.Disposable.
func (Objects) AllRemovable() {}

// OpenMemory implements kind.Memory.
func (Objects) OpenMemory(a address.Address, write bool) (*shmkit.Mapping, error) {
	obj, err := open(a, write)
	if err != nil {
		return nil, err
	}
	m, err := obj.Map(&posixshm.MapOptions{ReadOnly: !write})
	if errors.Is(err, posixshm.ErrEmpty) {
		err = &kind.Error{Text: fmt.Sprintf("%s is empty: there is nothing to map; shmkit set --size makes it longer", a), Err: err}
	}
	return m, errors.Join(failed(a, err), obj.Close())
}

// Scan implements kind.Scanner.
func (Objects) Scan(ctx context.Context, a address.Address, o *filemap.ScanOptions, do func(int64, []byte) error) error {
	h, err := look(a)
	if err != nil {
		return err
	}
	h.Close()
	// Its main mapping is a byte: a scan has its own.
	f, err := filemap.Open(path(a), &filemap.Options{NoFollow: true, Len: 1, Beyond: true})
	if err != nil {
		return kind.Called(err, path(a), a.String())
	}
	defer f.Close()
	return kind.Called(f.Scan(ctx, o, do), path(a), a.String())
}

// Limits implements kind.Limiter.
func (Objects) Limits() ([]kind.Limit, error) {
	use, err := sys.UseOfFileSystem(string(posixshm.Default))
	if err != nil {
		return nil, &fs.PathError{Op: "look at the file system of", Path: string(posixshm.Default), Err: err}
	}
	all, err := posixshm.List()
	if err != nil {
		return nil, err
	}
	n := uint64(len(all))
	return []kind.Limit{
		inode.UseLimit("max_bytes", "bytes of "+string(posixshm.Default), "bytes", use.Bytes, use.FreeBytes),
		inode.UseLimit("max_files", "files there (inodes)", "", use.Files, use.FreeFiles),
		{Name: "objects", Description: "objects", Used: &n},
	}, nil
}
