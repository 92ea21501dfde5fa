package posixshm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Info is what the kernel knows of an object; struct stat.
type Info struct {
	Name string // "/frames"
	Size int64  // bytes
	// Allocated is how many bytes the object takes in memory or on swap (on a disk, for
	// a directory there): whole pages, those that were reserved among them. Less than
	// Size means that it has holes, and that touching one can fault on a full file
	// system.
	Allocated int64
	UID       uint32 // owner
	GID       uint32
	Mode      fs.FileMode // nine bits
	Device    uint64
	Inode     uint64 // with Device it tells objects apart, of one name in turn too
	// Removed: the name was removed, or given to another object. Only Object.Stat finds
	// such a one.
	Removed    bool
	AccessTime time.Time
	ModifyTime time.Time // last write(2) or change of size, and, late, of stores through mappings
	ChangeTime time.Time // last change of anything here
}

func statOf(info fs.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }

// allocated returns how many bytes of its file system a file takes. The unit of
// st_blocks is 512 bytes whatever the file system's blocks are.
func allocated(info fs.FileInfo) int64 { return statOf(info).Blocks * 512 }

func infoOf(name string, info fs.FileInfo) Info {
	st := statOf(info)
	return Info{
		Name: name, Size: st.Size, Allocated: allocated(info),
		UID: st.Uid, GID: st.Gid, Mode: fs.FileMode(st.Mode & 0o777),
		Device: st.Dev, Inode: st.Ino, Removed: st.Nlink == 0,
		AccessTime: time.Unix(st.Atim.Unix()), ModifyTime: time.Unix(st.Mtim.Unix()), ChangeTime: time.Unix(st.Ctim.Unix()),
	}
}

// Stat is the function Stat in d.
func (d Dir) Stat(name string) (Info, error) {
	p, err := d.place("stat", name)
	if err != nil {
		return Info{}, err
	}
	info, err := os.Lstat(p.path())
	if err != nil {
		return Info{}, p.fail("stat", err, "")
	}
	if err := p.regular("stat", info); err != nil {
		return Info{}, err
	}
	return infoOf(p.name(), info), nil
}

// regular refuses what is no regular file.
func (p place) regular(op string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	errno := syscall.EINVAL
	if info.Mode()&fs.ModeSymlink != 0 {
		errno = syscall.ELOOP
	}
	return p.fail(op, because{ErrNotObject, errno}, "it is a "+kindOf(info.Mode()))
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symbolic link, which may lead anywhere"
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

// List is the function List in d.
func (d Dir) List() ([]Info, error) {
	p, err := d.place("list", "objects")
	if err != nil {
		return nil, err
	}
	fail := func(err error) ([]Info, error) {
		e := p.fail("list", err, "").(*Error)
		e.Object = "objects in " + p.dir
		return nil, e
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fail(err)
	}
	var all []Info
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		info, err := os.Lstat(filepath.Join(p.dir, entry.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
		case err != nil:
			return fail(err)
		case info.Mode().IsRegular():
			all = append(all, infoOf("/"+entry.Name(), info))
		}
	}
	return all, nil
}
