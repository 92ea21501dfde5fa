package posixshm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Linux has no call that gives a file without a name the name of another. So the new
// object gets a temporary name, and rename(2) puts it in the old one's place. A process
// that dies between the two leaves the temporary name, with all the memory of the
// object. How the next one knows:
//
//   - A temporary name has a write lock on lockByte of its file from before it exists
//     until after it is gone. The lock belongs to the open file description, so the
//     kernel drops it with the process, in whatever container. A name without a lock is
//     a dead one's.
//   - A temporary name is used once. So removing one that was found without its lock
//     never hits another's: either it is the dead one's, or its maker has just renamed
//     it, and it is not there.
//   - Temporary names of one user are in a directory of that user, .posixshm-UID, mode
//     0700: nobody else can put something there, and a creation finds with one system
//     call that there is nothing to sweep. Each sweeps what is his own.
//   - The directory goes with the last name in it. Who finds it gone makes it again.

// lockByte is far behind the end of any object, and where nobody looks for locks.
const lockByte = 1 << 61

func temporaryDir(dir string) string {
	return filepath.Join(dir, fmt.Sprintf(".posixshm-%d", os.Geteuid()))
}

// replace gives the object its name, in the place of what has it.
func (b *birth) replace() error {
	if info, err := os.Lstat(b.path()); err == nil && info.IsDir() {
		return b.regular(b.op, info)
	}
	err := b.lock(sys.F_WRLCK)
	if err != nil {
		return b.fail(b.op, err, fmt.Sprintf("the file system of %s has no locks of open files", b.dir))
	}
	point("locked")
	dir := temporaryDir(b.dir)
	temporary := filepath.Join(dir, rand.Text())
	if err := b.linkInto(dir, temporary); err != nil {
		return err
	}
	point("linked aside")
	err = syscall.Rename(temporary, b.path())
	if err != nil {
		_ = syscall.Unlink(temporary)
	} else {
		point("renamed")
	}
	_ = syscall.Rmdir(dir) // not with others' names in it
	_ = b.lock(sys.F_UNLCK)
	if err != nil {
		return b.fail(b.op, err, "")
	}
	return nil
}

func (b *birth) lock(kind int16) error {
	return b.file.Use(func(f *os.File) error { return sys.OFDLock(int(f.Fd()), kind, lockByte, 1, false) })
}

// linkInto gives the file a temporary name. The directory may go at any moment, with
// what others had in it.
func (b *birth) linkInto(dir, path string) error {
	for range linkTries {
		if err := syscall.Mkdir(dir, 0o700); err != nil && err != syscall.EEXIST {
			return b.fail(b.op, err, "")
		}
		point("directory made")
		if info, err := os.Lstat(dir); err == nil && (!info.IsDir() || statOf(info).Uid != uint32(os.Geteuid())) {
			return b.fail(b.op, syscall.EEXIST, fmt.Sprintf("%s is in the way: it%s; have it removed", dir, ownerOf(info)))
		}
		err := b.linkAs(path)
		if !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return b.fail(b.op, err, "")
			}
			return nil
		}
	}
	hint := b.linkHint(syscall.ENOENT)
	if hint == "" {
		hint = fmt.Sprintf("others remove %s all the time", dir)
	}
	return b.fail(b.op, syscall.ENOENT, hint)
}

// sweep removes the temporary names that this user's dead processes have left in a
// directory of objects. What it cannot do is left to the next.
func sweep(dir string) {
	dir = temporaryDir(dir)
	fd, err := sys.OpenNoFollow(dir, os.O_RDONLY)
	if err != nil {
		return
	}
	d := os.NewFile(uintptr(fd), dir)
	defer d.Close()
	info, err := d.Stat()
	if err != nil || !info.IsDir() || statOf(info).Uid != uint32(os.Geteuid()) {
		return
	}
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if path := filepath.Join(dir, name); abandoned(path) {
			_ = syscall.Unlink(path)
		}
	}
	_ = syscall.Rmdir(dir)
}

// abandoned reports whether nobody holds the lock of a temporary name. What can't be
// opened is not known to be.
func abandoned(path string) bool {
	fd, err := sys.OpenNoFollow(path, os.O_RDONLY)
	if err == syscall.EACCES {
		fd, err = sys.OpenNoFollow(path, os.O_WRONLY)
	}
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	_, _, held, err := sys.OFDProbe(fd, sys.F_RDLCK, lockByte, 1)
	return err == nil && !held
}
