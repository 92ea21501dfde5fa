// Package inode has what the kinds posix:, file: and memfd: have in common, because each
// of their objects is a file in the end: what the kernel tells of it, its owner and
// mode, how much of it is in memory, and which processes map it.
//
// A Handle looks at a file without opening its content (O_PATH), so that nothing happens
// to a pipe or a device that stands in its place, and everything is about one and the
// same file, whatever its name means by then.
package inode

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/sys"
)

// Handle is a regular file that is looked at.
type Handle struct {
	f    *os.File
	name string // for errors: the address
	info fs.FileInfo
}

// ErrNotRegular: what has the name is no regular file.
var ErrNotRegular = errors.New("not a regular file")

// Open looks at what stands at a path, which errors call name. With follow a symbolic
// link there is followed, else refused. What is no regular file is ErrNotRegular.
func Open(path, name string, follow bool) (*Handle, error) {
	fd, err := sys.OpenPath(path, !follow)
	if err != nil {
		return nil, &fs.PathError{Op: "look at", Path: name, Err: err}
	}
	h := &Handle{f: os.NewFile(uintptr(fd), path), name: name}
	if h.info, err = h.f.Stat(); err == nil && !h.info.Mode().IsRegular() {
		err = &kind.Error{Text: fmt.Sprintf("%s is a %s, not a regular file", name, what(h.info.Mode())), Err: ErrNotRegular}
	}
	if err != nil {
		_ = h.f.Close()
		return nil, err
	}
	return h, nil
}

// what names a type of file.
func what(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

// Dangling reports whether a symbolic link that leads nowhere stands at a path.
func Dangling(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return false
	}
	_, err = os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// Close ends the look. There is nothing that could be lost.
func (h *Handle) Close() { _ = h.f.Close() }

// Size is how many bytes the file had when it was opened.
func (h *Handle) Size() int64 { return h.info.Size() }

// Info returns what stat(2) said when it was opened.
func (h *Handle) Info() fs.FileInfo { return h.info }

// self is the path that leads to the file of the handle, and to no other.
func (h *Handle) self() string { return fmt.Sprintf("/proc/self/fd/%d", h.f.Fd()) }

// SetMode sets the nine permission bits and leaves the others as they are.
func (h *Handle) SetMode(mode fs.FileMode) error {
	special := h.info.Mode() & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	return h.Failed("set the mode of", os.Chmod(h.self(), special|mode))
}

// SetOwner gives the file to a user and a group; -1 leaves one as it is.
func (h *Handle) SetOwner(uid, gid int) error {
	return h.Failed("give away", os.Chown(h.self(), uid, gid))
}

// Failed is an error about the file, with the reason where that is its owner.
func (h *Handle) Failed(op string, err error) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	text := fmt.Sprintf("%s %s: %v", op, h.name, errno)
	if errors.Is(errno, fs.ErrPermission) {
		st := stat(h.info)
		text += fmt.Sprintf(": it belongs to uid %d gid %d, mode %04o; this process is uid %d gid %d",
			st.Uid, st.Gid, st.Mode&0o777, os.Geteuid(), os.Getegid())
	}
	return &kind.Error{Text: text, Err: errno}
}

func stat(info fs.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }

// Allocated is how many bytes of its file system a file takes. The unit of st_blocks is
// 512 bytes whatever the file system's blocks are.
func Allocated(info fs.FileInfo) uint64 { return uint64(stat(info).Blocks) * 512 }

// Owners is who a file belongs to, for kind.Object.
func Owners(info fs.FileInfo) []uint32 { return []uint32{stat(info).Uid} }

// IdentityFields are which file it is on which device, and how many names it has.
func (h *Handle) IdentityFields() []kind.Field {
	st := stat(h.info)
	major, minor := sys.DeviceNumber(st.Dev)
	fields := []kind.Field{
		{Name: "inode", Value: kind.Count(st.Ino)},
		{Name: "device", Value: kind.Text(fmt.Sprintf("%d:%d", major, minor))},
		{Name: "links", Value: kind.Count(st.Nlink)},
	}
	var system kind.Value = kind.Unknown("the kernel does not tell")
	if magic, err := sys.FileSystemOf(h.self()); err == nil {
		system = kind.Text(sys.FileSystemName(magic))
	}
	return append(fields, kind.Field{Name: "file_system", Value: system})
}
