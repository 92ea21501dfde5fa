package posixshm

import (
	"path/filepath"
)

// Dir is a directory of objects. The functions of this package that have a method of
// Dir beside them work in Default, as shm_open does. Another directory is good for
// objects of a group (in a directory that only the group can write), on a disk, so
// that they outlive the machine, or on a tmpfs of their own size. It must exist, and
// its file system must have files without a name (O_TMPFILE: tmpfs, ext4, xfs, btrfs,
// overlay; not NFS).
//
// The zero value is Default.
type Dir string

// Default is where POSIX shared memory objects are on Linux.
const Default Dir = "/dev/shm"

// Create makes an object of size bytes, of whose name there must be none
// (fs.ErrExist). Its memory is zero but for what Options.Init does to it. nil
// options are the zero value.
//
// A size of 0 makes what shm_open makes: an object that has to be given a size by
// Resize before it can be mapped.
//
// Errors: EINVAL, ENAMETOOLONG for the name; EINVAL for a negative size or a bad
// mode; ENOSPC (shmkit.ErrNoSpace) when the file system has no room; ENOMEM when the
// machine has no memory for it (it is asked for more than 64 MiB); EFBIG when no file may
// be that long (RLIMIT_FSIZE); EDQUOT, EMFILE, ENFILE;
// errors.ErrUnsupported where the file system has no O_TMPFILE; what Init returns.
// After every error there is neither name nor memory.
func Create(name string, size int64, o *Options) (*Object, error) {
	return Default.Create(name, size, o)
}

// OpenOrCreate is Open, or Create if there is no object of that name; Object.Created
// tells which. An object that was opened must have at least size bytes (EINVAL). Options
// count for a new object only, but for AnyOwner; Replace is refused (EINVAL).
func OpenOrCreate(name string, size int64, o *Options) (*Object, error) {
	return Default.OpenOrCreate(name, size, o)
}

// Open finds an object by name, for reading and writing; nil options are the zero
// value.
//
// Errors: EINVAL, ENAMETOOLONG for the name; ENOENT (fs.ErrNotExist); EACCES
// (fs.ErrPermission) when the object's mode does not allow it; ErrForeign for an
// object of somebody else; ErrNotObject for what is no object, with ELOOP for a
// symbolic link and EINVAL for the rest; EMFILE, ENFILE.
func Open(name string, o *OpenOptions) (*Object, error) { return Default.Open(name, o) }

// Remove removes the name. Mappings and handles of the object stay, and its memory
// goes with the last of them. As shm_unlink does, it removes what is no object as well,
// such as a symbolic link (not what it leads to), a pipe or a socket: whatever is in the
// way of a new object of that name.
//
// Errors: ENOENT (fs.ErrNotExist); EPERM, EACCES (fs.ErrPermission): in /dev/shm only
// the object's owner and root may; ErrNotObject for a directory.
func Remove(name string) error { return Default.Remove(name) }

// Stat returns what the kernel knows of the object of that name. It needs no
// permission to open it.
func Stat(name string) (Info, error) { return Default.Stat(name) }

// List returns all objects by name, also those that this process may not open.
func List() ([]Info, error) { return Default.List() }

// place checks a name.
func (d Dir) place(op, name string) (place, error) {
	if d == "" {
		d = Default
	}
	file, hint, err := plainName(name)
	if err != nil {
		return place{}, &Error{Op: op, Object: "posix:" + name, Err: err, Hint: hint}
	}
	// The process may change its working directory later.
	dir, err := filepath.Abs(string(d))
	if err != nil {
		return place{}, &Error{Op: op, Object: "posix:" + name, Err: err}
	}
	return place{dir, file}, nil
}
