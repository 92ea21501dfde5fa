package sys

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// O_NOATIME lets reading leave the time of the last access as it is; for the owner of the file, and root.
const O_NOATIME = unix.O_NOATIME

// A Dir is a directory that is held, to look at what is in it: a descriptor with O_PATH. All that is
// asked of it is of one directory, even if another one has its name by then. The names are made of
// few bytes and used thousands of times, so that none of the calls allocates.
type Dir int

// OpenDir opens a directory, as it is, without the right to read it.
func OpenDir(path string) (Dir, error) {
	for {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return Dir(fd), err
		}
	}
}

// Close closes it.
func (d Dir) Close() { _ = unix.Close(int(d)) }

// A Name is a path for the calls of Dir: bytes that end with a 0.
type Name []byte

// NameOf returns a path as a Name. There must be no 0 in it.
func NameOf(path string) Name { return append([]byte(path), 0) }

// Number sets the name to a path that has a number behind it, such as "fd/7".
func (n *Name) Number(path string, number int) {
	*n = append(strconv.AppendInt(append((*n)[:0], path...), int64(number), 10), 0)
}

// check panics at a name that does not end: the kernel would read on.
func (n Name) check() {
	if len(n) == 0 || n[len(n)-1] != 0 {
		panic("sys: a name that does not end")
	}
}

// Open opens what has the name, close-on-exec.
func (d Dir) Open(n Name, flags int) (fd int, err error) {
	n.check()
	for {
		r, _, e := unix.Syscall6(unix.SYS_OPENAT, uintptr(d), uintptr(unsafe.Pointer(unsafe.SliceData(n))), uintptr(flags|unix.O_CLOEXEC|unix.O_LARGEFILE), 0, 0, 0)
		if e != unix.EINTR {
			return int(r), errnoErr(e)
		}
	}
}

// Readlink reads a symbolic link into a buffer, and returns its part that was filled. What is longer is cut.
func (d Dir) Readlink(n Name, buf []byte) ([]byte, error) {
	n.check()
	if len(buf) == 0 {
		return nil, unix.EINVAL
	}
	r, _, e := unix.Syscall6(unix.SYS_READLINKAT, uintptr(d), uintptr(unsafe.Pointer(unsafe.SliceData(n))), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0)
	if e != 0 {
		return nil, e
	}
	return buf[:r], nil
}

// Stat tells of what has the name; of a symbolic link itself with nofollow.
func (d Dir) Stat(n Name, nofollow bool, st *syscall.Stat_t) error {
	n.check()
	flags := 0
	if nofollow {
		flags = unix.AT_SYMLINK_NOFOLLOW
	}
	_, _, e := unix.Syscall6(sysFstatat, uintptr(d), uintptr(unsafe.Pointer(unsafe.SliceData(n))), uintptr(unsafe.Pointer(st)), uintptr(flags), 0, 0)
	return errnoErr(e)
}

// Read is read(2), again if a signal came.
func Read(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// Numbers ranges over the entries of a directory, open for reading, whose names are numbers as
// people write them, in the order of the directory, in a buffer. An error comes last.
func Numbers(fd int, buf []byte) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for {
			n, err := unix.Getdents(fd, buf)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				yield(0, err)
				return
			}
			if n <= 0 {
				return
			}
			for rest := buf[:n]; ; {
				name, more := entry(rest)
				if more == nil {
					break
				}
				rest = more
				if number, ok := number(name); ok && !yield(number, nil) {
					return
				}
			}
		}
	}
}

// entry returns the name of the first struct linux_dirent64 in b, and what follows it; nil if there is
// no whole one.
func entry(b []byte) (name, rest []byte) {
	const lengthAt, nameAt = 16, 19
	if len(b) < nameAt {
		return nil, nil
	}
	length := int(binary.NativeEndian.Uint16(b[lengthAt:]))
	if length < nameAt || length > len(b) {
		return nil, nil
	}
	name, _, _ = bytes.Cut(b[nameAt:length], []byte{0})
	return name, b[length:]
}

// number parses a decimal number without a sign or a zero in front.
func number(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 10 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
