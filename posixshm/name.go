package posixshm

import (
	"path/filepath"
	"strings"
	"syscall"
)

// nameMax is how long a file name may be on Linux, in bytes.
const nameMax = 255

// plainName checks the name of an object and returns it as the name of a file. What
// is a name is what glibc's shm_open takes: slashes in front do not count, none may
// follow, and what is left is a file name (EINVAL, ENAMETOOLONG, as POSIX has it;
// glibc itself says EINVAL from 260 bytes on).
func plainName(name string) (file, hint string, err error) {
	file = strings.TrimLeft(name, "/")
	switch {
	case file == "":
		return "", "a name has at least one character besides the slash in front", syscall.EINVAL
	case file == "." || file == "..":
		return "", "it is the name of a directory", syscall.EINVAL
	case strings.Contains(file, "/"):
		return "", "only in front may there be a slash; for objects in another directory see Dir", syscall.EINVAL
	case strings.ContainsRune(file, 0):
		return "", "no name has a zero byte", syscall.EINVAL
	case len(file) > nameMax:
		return "", "a name has at most 255 bytes", syscall.ENAMETOOLONG
	}
	return file, "", nil
}

// place is where an object is, or would be.
type place struct {
	dir  string // absolute
	file string // name of the file in it
}

func (p place) path() string { return filepath.Join(p.dir, p.file) }

// name returns the object's name as shm_open's users write it.
func (p place) name() string { return "/" + p.file }

// String returns the address in the words of the command: "posix:/frames", or
// "file:/var/tmp/frames" for an object that shm_open does not find.
func (p place) String() string {
	if p.dir == string(Default) {
		return "posix:" + p.name()
	}
	return "file:" + p.path()
}
