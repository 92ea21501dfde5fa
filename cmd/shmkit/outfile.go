package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// outFile is a file that is written whole or not at all: it has no name until
// Commit gives it one, and goes without a trace if the program ends before,
// however it ends.
type outFile struct {
	*os.File
	path    string // what it is to be called
	named   string // the name it has meanwhile, where it cannot be without one
	replace bool   // something of that name is to be replaced
}

// createOutFile begins a file that is to be called path, with permissions that
// the umask may cut, or those of the file it replaces.
func createOutFile(path string, mode fs.FileMode) (*outFile, error) {
	path = followLinks(path) // write what a link points to, not the link
	old, err := os.Stat(path)
	switch {
	case err == nil && !old.Mode().IsRegular():
		return nil, fmt.Errorf("%s exists and is no regular file", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	o := &outFile{path: path, replace: err == nil}
	if o.replace && stuck(old, o.dir()) {
		return nil, &fs.PathError{Op: "replace", Path: path, Err: syscall.EPERM}
	}
	if err := o.open(mode); err != nil {
		return nil, err
	}
	if o.replace {
		if err := o.Chmod(old.Mode().Perm()); err != nil {
			return nil, errors.Join(err, o.Abort())
		}
	}
	return o, nil
}

// followLinks returns what a symbolic link points to, which need not exist yet,
// without links on the way there.
func followLinks(path string) string {
	for range 40 { // as many as the kernel follows
		if target, err := filepath.EvalSymlinks(path); err == nil {
			return target
		}
		dir, name := filepath.Split(path) // not Dir: what .. means depends on links
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			path = filepath.Join(real, name)
		}
		to, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(path) + "/" + to
		}
		path = to
	}
	return path
}

// probeOutFile returns why createOutFile will fail, as far as that can be known
// beforehand. Of a directory: with any name in it.
func probeOutFile(path string, dir bool) error {
	if !dir {
		o, err := createOutFile(path, 0o600)
		if err != nil {
			return err
		}
		return o.Abort()
	}
	o := &outFile{path: filepath.Join(path, "file")}
	if err := o.open(0o600); err != nil {
		return &fs.PathError{Op: "create a file in", Path: path, Err: unwrapPath(err)}
	}
	return o.Abort()
}

// open makes the file, where it is going to be.
func (o *outFile) open(mode fs.FileMode) error {
	fd, err := sys.OpenTmpfile(o.dir(), uint32(mode.Perm()))
	switch {
	case err == nil:
		o.File = os.NewFile(uintptr(fd), o.path)
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EISDIR): // a file system, or kernel, without O_TMPFILE
		o.named = o.tempName()
		o.File, err = os.OpenFile(o.named, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode.Perm())
	}
	return pathError("create", o.path, unwrapPath(err))
}

// stuck reports whether a directory keeps this user from replacing a file in it,
// as /tmp does with the files of others.
func stuck(file fs.FileInfo, dir string) bool {
	d, err := os.Stat(dir)
	if err != nil || d.Mode()&fs.ModeSticky == 0 {
		return false
	}
	me := uint32(os.Geteuid())
	return me != 0 && owner(d) != me && owner(file) != me
}

func owner(f fs.FileInfo) uint32 {
	if st, ok := f.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return uint32(os.Geteuid())
}

// unwrapPath returns what went wrong without the path it went wrong with.
func unwrapPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// dir is the folder of the file, as the kernel takes it: "a/.." is nowhere if there
// is no a.
func (o *outFile) dir() string {
	dir, _ := filepath.Split(o.path)
	if dir == "" {
		return "./"
	}
	return dir
}

func (o *outFile) tempName() string {
	return o.dir() + fmt.Sprintf(".%s.%016x", filepath.Base(o.path), rand.Uint64())
}

// Commit gives the file its name, in one step.
func (o *outFile) Commit() error {
	err := o.commit()
	return errors.Join(err, o.Close())
}

func (o *outFile) commit() error {
	if o.named == "" {
		if !o.replace {
			err := sys.LinkTmpfile(int(o.Fd()), o.path)
			if !errors.Is(err, fs.ErrExist) {
				return pathError("create", o.path, err)
			}
		}
		// A name cannot be linked over: it takes another and a rename.
		o.named = o.tempName()
		if err := sys.LinkTmpfile(int(o.Fd()), o.named); err != nil {
			return pathError("create", o.named, err)
		}
	}
	if err := os.Rename(o.named, o.path); err != nil {
		return errors.Join(err, os.Remove(o.named))
	}
	return nil
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// Abort drops the file.
func (o *outFile) Abort() error {
	if o.named != "" {
		return errors.Join(o.Close(), os.Remove(o.named))
	}
	return o.Close()
}

// reset drops what was written so far.
func (o *outFile) reset() error {
	if err := o.Truncate(0); err != nil {
		return err
	}
	_, err := o.Seek(0, io.SeekStart)
	return err
}
