package filemap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// ErrNotRegular: what stands at the path is no regular file. errors.Is(err,
// syscall.EISDIR) holds as well for a folder, syscall.ELOOP for a symbolic link, and
// syscall.ENODEV, which is what mmap(2) answers, for everything else.
var ErrNotRegular = errors.New("not a regular file")

// Error is a failed operation on a file. errors.Is finds the errno (syscall.ENOSPC) and
// the sentinel it stands for (fs.ErrNotExist, fs.ErrPermission, …), or an error of
// package shmkit (shmkit.ErrTruncated). What fails in a mapping is told by the errors of
// package shmkit.
type Error struct {
	Op   string // "open", "create", "resize", …
	Path string
	Err  error
	Hint string // why, and what to do about it; "" if nothing is known
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Err)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// kindError is a file of the wrong kind.
type kindError struct {
	what  string // "a folder"
	errno syscall.Errno
}

func (e kindError) Error() string        { return "it is " + e.what + ", not a regular file" }
func (e kindError) Is(target error) bool { return target == ErrNotRegular }
func (e kindError) Unwrap() error        { return e.errno }

// checkKind returns the error for what is not a regular file.
func checkKind(mode fs.FileMode) error {
	switch mode.Type() {
	case 0:
		return nil
	case fs.ModeDir:
		return kindError{"a folder", syscall.EISDIR}
	case fs.ModeSymlink:
		return kindError{"a symbolic link", syscall.ELOOP}
	case fs.ModeNamedPipe:
		return kindError{"a named pipe", syscall.ENODEV}
	case fs.ModeSocket:
		return kindError{"a socket", syscall.ENODEV}
	case fs.ModeDevice | fs.ModeCharDevice:
		return kindError{"a character device", syscall.ENODEV}
	case fs.ModeDevice:
		return kindError{"a block device", syscall.ENODEV}
	}
	return kindError{"something else", syscall.ENODEV}
}

// fail makes an Error of err, unless it names the file already.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	switch e := err.(type) {
	case *Error, *shmkit.OpError, *shmkit.AccessError, *shmkit.FaultError:
		return err
	case *fs.PathError:
		err = e.Err
	}
	if errno, ok := err.(syscall.Errno); ok {
		return &Error{Op: op, Path: path, Err: err, Hint: hint(op, path, errno)}
	}
	return &Error{Op: op, Path: path, Err: err}
}

// hint says what to do about an errno.
func hint(op, path string, errno syscall.Errno) string {
	switch errno {
	case syscall.EACCES:
		return permHint(path)
	case syscall.EROFS:
		return "its file system is mounted read-only"
	case syscall.ETXTBSY:
		return "it is a program that is running"
	case syscall.ENOSPC:
		return "the file system has no room for it; nothing was changed"
	case syscall.ENOMEM:
		if op == "create" || op == "resize" {
			return fmt.Sprintf("its file system is memory, of which %d bytes are available; nothing was changed", sys.MemoryAvailable())
		}
	case syscall.EDQUOT:
		return "the user's quota is used up; nothing was changed"
	case syscall.EFBIG:
		return "it is longer than the file system, or the process (ulimit -f), allows"
	case syscall.ELOOP:
		return "too many symbolic links"
	case syscall.EINVAL:
		if op == "resize" || op == "truncate" {
			return "the file was opened for reading only; Options.Writable opens it for writing"
		}
	case syscall.EPERM:
		if op == "resize" || op == "truncate" {
			return "it is sealed or append-only"
		}
	}
	return ""
}

// permHint says whose the file is, or the folder that it would be in.
func permHint(path string) string {
	what := "it"
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		what = "folder " + filepath.Dir(path)
		info, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return "a folder on the way to it may not be searched"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s belongs to uid %d gid %d, mode %04o; this process is uid %d gid %d",
		what, st.Uid, st.Gid, info.Mode().Perm(), os.Geteuid(), os.Getegid())
}
