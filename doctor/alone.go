package doctor

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// A name is a file in a directory, as it was found.
type name struct {
	dir, file     string
	device, inode uint64
}

func nameOf(path string, info fs.FileInfo) name {
	st := info.Sys().(*syscall.Stat_t)
	return name{filepath.Dir(path), filepath.Base(path), st.Dev, st.Ino}
}

// leased are file systems whose leases are known to see every descriptor and mapping. Not
// overlay: who maps a file there has the file below open.
var leased = map[int64]bool{sys.TMPFS_MAGIC: true, sys.EXT4_MAGIC: true, sys.XFS_MAGIC: true, sys.BTRFS_MAGIC: true}

// alone calls f with a lease on the file, so that nobody else has it open or mapped, or
// comes to have while f runs. dir is a descriptor of the directory, fd one of the file.
// The errors that are no failures are ErrInUse, ErrChanged and ErrUnknown; fs.ErrNotExist: the
// name is gone.
func (n name) alone(age time.Duration, f func(dir, fd int) error) error {
	dir, err := sys.OpenDirectory(n.dir)
	if err != nil {
		return err
	}
	defer syscall.Close(dir)
	fd := -1
	err = patiently(func() error {
		fd, err = sys.OpenForLease(dir, n.file)
		return err
	})
	switch {
	case errors.Is(err, syscall.EAGAIN): // somebody has a lease
		return ErrInUse
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENXIO): // what it was, it was no symbolic link or pipe
		return ErrChanged
	case errors.Is(err, syscall.ETXTBSY):
		return fmt.Errorf("%w: it is being executed", ErrInUse)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: this user may not open it", ErrUnknown)
	case err != nil:
		return err
	}
	file := os.NewFile(uintptr(fd), n.file)
	defer file.Close()
	if err := n.check(file, age); err != nil {
		return err
	}
	point("file:looked")
	switch err := patiently(func() error { return sys.Lease(fd) }); {
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("%w: somebody has it open, or mapped", ErrInUse)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: it is another user's, and that needs CAP_LEASE", ErrUnknown)
	case err != nil: // EINVAL: the file system has no leases, or /proc/sys/fs/leases-enable is 0
		return fmt.Errorf("%w: no lease on it: %w", ErrUnknown, err)
	}
	// Somebody may have used it, and let go, between the first look and the lease.
	if err = n.check(file, age); err == nil {
		err = f(dir, fd)
	}
	if e := sys.EndLease(fd); err == nil {
		err = e
	}
	return err
}

// patiently does something again that fails with EAGAIN, for some milliseconds: who only looks, as shmkit ls and another
// doctor do, has a file open, or a lease on it, for microseconds.
func patiently(f func() error) (err error) {
	for _, pause := range []time.Duration{0, time.Millisecond, 4 * time.Millisecond} {
		time.Sleep(pause)
		if err = f(); !errors.Is(err, syscall.EAGAIN) {
			break
		}
		point("file:busy")
	}
	return err
}

// check refuses what is not as it was found, and what is younger than age.
func (n name) check(file *os.File, age time.Duration) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	switch {
	case st.Dev != n.device || st.Ino != n.inode || !info.Mode().IsRegular():
		return ErrChanged
	case st.Nlink > 1:
		return fmt.Errorf("%w: it has %d names (hard links)", ErrInUse, st.Nlink)
	case !oldEnough(clock(), age, times(st)...):
		return ErrRecent
	}
	magic, _, _, err := sys.FileSystem(int(file.Fd()))
	if err != nil {
		return err
	}
	if !leased[magic] {
		return fmt.Errorf("%w: a lease on the file system %s does not tell", ErrUnknown, sys.FileSystemName(magic))
	}
	return nil
}

// times are when something happened to a file. A mapping counts as reading, once a day.
func times(st *syscall.Stat_t) []time.Time {
	return []time.Time{time.Unix(st.Atim.Unix()), time.Unix(st.Mtim.Unix()), time.Unix(st.Ctim.Unix())}
}

// unused reports whether nobody has the file open or mapped: nil, or why not.
func (n name) unused(age time.Duration) error {
	return n.alone(age, func(_, fd int) error { return nobodyWaits(fd) })
}

func nobodyWaits(fd int) error {
	wanted, err := sys.LeaseWanted(fd)
	if err == nil && wanted {
		err = fmt.Errorf("%w: somebody is just opening it", ErrInUse)
	}
	return err
}

// remove removes the name if nobody has the file open or mapped.
//
// Who comes to open the file meanwhile waits for the lease, and is seen by that. But he has
// found the name already: if it were removed then, he would get a file without a name, which
// nobody else finds. So the name is put aside first, and what he waits for is looked at after
// that: then only those can still come who have found the name before, and not yet come to the file.
// If somebody waits the name is put back. Between the two it is missing, for microseconds,
// as it would be for good without this.
func (n name) remove(age time.Duration) error {
	err := n.alone(age, func(dir, fd int) error {
		if err := nobodyWaits(fd); err != nil {
			return err
		}
		point("file:leased")
		aside := ".shmkit-doctor-" + rand.Text()
		if err := sys.RenameInto(dir, n.file, aside); err != nil {
			return err
		}
		point("file:aside")
		err := n.isNamed(dir, aside)
		if err == nil {
			err = nobodyWaits(fd)
		}
		if err == nil {
			point("file:checked")
			if err := sys.UnlinkIn(dir, aside); err != nil {
				return err
			}
			if err := nobodyWaits(fd); err != nil {
				return fmt.Errorf("%w, who had found its name before it was removed, and has it without one", err)
			}
			return nil
		}
		if e := sys.RenameInto(dir, aside, n.file); e != nil {
			// Somebody made a new one of the name. The old one is its users'.
			return fmt.Errorf("%w, and its name was taken; it is %s now", err, filepath.Join(n.dir, aside))
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// isNamed looks whether a name is the file's: it may have been replaced.
func (n name) isNamed(dir int, file string) error {
	device, inode, err := sys.NameStat(dir, file)
	if err == nil && (device != n.device || inode != n.inode) {
		err = ErrChanged
	}
	return err
}
