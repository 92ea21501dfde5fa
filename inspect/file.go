package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// stat tells of what stands at a path, if it is a regular file. A symbolic link is followed only with follow, as those of
// /proc must be.
func stat(path string, follow bool) (st syscall.Stat_t, err error) {
	call := syscall.Lstat
	if follow {
		call = syscall.Stat
	}
	for {
		if err = call(path, &st); err != syscall.EINTR {
			break
		}
	}
	if err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		err = errNotRegular
	}
	return st, err
}

// errNotRegular: what stands there is a directory, a pipe, a device: no memory.
var errNotRegular = errors.New("it is not a regular file")

// remote reports whether a file's device is asked over a network, or of a process: that may take for ever.
func (s *Snapshot) remote(id ID) bool {
	switch kind, _, _ := strings.Cut(s.mounts[[2]uint32{id.Major, id.Minor}], "."); kind {
	case "nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse", "fuseblk", "afs", "virtiofs", "autofs":
		return true
	}
	return false
}

// inMemory reports whether a file has no device: it is memory alone.
func (s *Snapshot) inMemory(id ID) bool {
	if id.Class != FileClass {
		return true
	}
	switch s.mounts[[2]uint32{id.Major, id.Minor}] {
	case "tmpfs", "devtmpfs", "ramfs", "hugetlbfs":
		return true
	}
	return false
}

// facts fills in what stat tells, and how much of the file is in memory. path leads to the file; follow as for stat.
func (s *Snapshot) facts(o *Object, path string, follow bool, st *syscall.Stat_t) {
	o.set(st)
	o.PageSize = s.pageSize
	if uint64(st.Blksize) > s.pageSize && s.inMemory(o.ID) {
		if magic, err := sys.FileSystemOf(path); err == nil && magic == sys.HUGETLBFS_MAGIC {
			o.PageSize = uint64(st.Blksize)
		}
	}
	s.cache(o, path, follow, st)
}

// set takes over what stat tells.
func (o *Object) set(st *syscall.Stat_t) {
	const blockSize = 512 // of st_blocks, on every file system
	o.Size = uint64(st.Size)
	o.Allocated = Amount{Bytes: uint64(st.Blocks) * blockSize}
	o.UID, o.GID = st.Uid, st.Gid
	o.Mode = os.FileMode(st.Mode & 0o777)
	o.Modified, o.Changed, o.Accessed = when(st.Mtim), when(st.Ctim), when(st.Atim)
	o.Removed = st.Nlink == 0
}

func when(t syscall.Timespec) time.Time { return time.Unix(t.Unix()) }

// cache fills in how much of a file is in memory.
func (s *Snapshot) cache(o *Object, path string, follow bool, st *syscall.Stat_t) {
	memory := s.inMemory(o.ID)
	if o.PageSize > s.pageSize { // pages of hugetlbfs are never swapped
		o.Resident, o.Huge = o.Allocated, o.Allocated
		return
	}
	use, why := s.cacheStat(o.ID, path, follow, st)
	switch {
	case why == "":
		o.set(st) // as it was after that: it may have grown
		o.Resident.Bytes = use.Cached * s.pageSize
		o.Dirty.Bytes = (use.Dirty + use.Writeback) * s.pageSize
		if memory {
			// What is allocated and not in memory is swapped; another one may be writing just now.
			o.Swapped.Bytes = max(o.Allocated.Bytes, o.Resident.Bytes) - o.Resident.Bytes
		}
	default:
		o.Resident.Unknown = why
		if memory {
			o.Swapped.Unknown = why
		} else {
			o.Dirty.Unknown = why
		}
	}
}

// cacheStat asks the kernel, and brings st up to date. why says why it does not tell.
func (s *Snapshot) cacheStat(id ID, path string, follow bool, st *syscall.Stat_t) (use sys.CacheUse, why string) {
	const notTold = "only who may write the file, or owns it, is told"
	if st.Blocks == 0 && s.inMemory(id) {
		return use, ""
	}
	id.Class = FileClass
	if s.leased[id] {
		return use, "a process has a lease on it, which opening it would break"
	}
	fd, err := openToAsk(path, follow)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return use, "it may not be read"
	case err != nil:
		return use, fmt.Sprintf("it cannot be opened: %v", err)
	}
	defer syscall.Close(fd)
	use, err = sys.CacheStat(fd)
	var now syscall.Stat_t
	if e := syscall.Fstat(fd, &now); e != nil || now.Dev != st.Dev || now.Ino != st.Ino {
		return use, "another file has its name by now"
	}
	*st = now
	switch {
	case err == nil:
		return use, ""
	case errors.Is(err, syscall.EPERM):
		return use, notTold
	case errors.Is(err, syscall.ENOSYS):
		return use, "the kernel tells it since Linux 6.5"
	}
	return use, "the kernel does not tell for such a file"
}

// openToAsk opens a file for reading, so that the kernel may be asked of it.
func openToAsk(path string, follow bool) (fd int, err error) {
	flags := syscall.O_RDONLY | syscall.O_NONBLOCK | syscall.O_CLOEXEC | sys.O_NOATIME
	if !follow {
		flags |= syscall.O_NOFOLLOW
	}
	for {
		fd, err = syscall.Open(path, flags, 0)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EPERM && flags&sys.O_NOATIME != 0: // not the owner's; nothing is read anyway
			flags &^= sys.O_NOATIME
		default:
			return fd, err
		}
	}
}

// unseen fills in that nothing is known of the inside of a memory.
func (o *Object) unseen(why string) {
	a := Amount{Unknown: why}
	o.Allocated, o.Resident, o.Dirty, o.Swapped = a, a, a, a
}
