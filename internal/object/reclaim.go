package object

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// Reclaim removes the name of an object that was left behind, as the next one to open it
// would: no living member has it, it is not persistent, and keep, as of Config, finds nothing
// that it has to tell. removed is false if that is not so. One that is gone counts as removed.
func Reclaim(ctx context.Context, d Dir, kind Kind, name string, keep func(*Object) bool) (removed bool, err error) {
	p := place{address: kind.String() + ":" + name}
	file, err := FileName(kind, name)
	if err != nil {
		return false, p.fail("remove", err, "")
	}
	p.path = filepath.Join(d.path, file)
	removed, err = p.reclaim(ctx, kind, keep)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errAgain):
		return true, nil
	case err != nil:
		return false, p.fail("remove", err, "")
	}
	d.tidy()
	return removed, nil
}

func (p place) reclaim(ctx context.Context, kind Kind, keep func(*Object) bool) (removed bool, err error) {
	f, err := os.OpenFile(p.path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, syscall.ELOOP) {
		err = foreign("it is a symbolic link")
	}
	if err != nil {
		return false, err
	}
	o := &Object{place: p, locks: locks{file: fdmap.New(f, p.address)}, keep: keep, slot: -1}
	defer func() { err = errors.Join(err, o.unmap()) }()
	if err := checkFile(f, owners{anyone: true}); err != nil {
		return false, err
	}
	if err := o.read(ctx, kind); err != nil {
		return false, err
	}
	return o.removeCheck(ctx, false)
}

// read reads an object to ask whether it has something to tell.
func (o *Object) read(ctx context.Context, kind Kind) (err error) {
	if err := o.locks.join(ctx, sys.F_RDLCK); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.locks.leave()) }()
	if err := o.readNamed(); err != nil {
		return err
	}
	if o.kind != kind {
		return fmt.Errorf("%w: it is a %v", ErrType, o.kind)
	}
	return nil
}
