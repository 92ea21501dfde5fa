package stream

import (
	"fmt"

	"github.com/shmkit/shmkit/sysv"
)

// Site is where a stream is or is going to be. The zero value is nowhere.
type Site struct {
	address string
	ground  func(*member) ground
}

// SysV is the segment and the semaphore set with a key.
func SysV(key sysv.Key) Site {
	address := fmt.Sprintf("sysv:%#x", uint32(key))
	return Site{address, func(m *member) ground { return &sysvGround{m: m, name: address, key: key} }}
}

// Named is the file with a path. It is made if need be, and removed by the last to
// leave. Messages call it address, as the user wrote it ("posix:/frames").
func Named(path, address string) Site {
	return Site{address, func(m *member) ground { return &fileGround{m: m, name: address, path: path} }}
}

// NamedNew is Named for names that people use for other things too: a file that exists
// and is no stream is refused also if all of it is zero, and so is never removed.
func NamedNew(path, address string) Site {
	return Site{address, func(m *member) ground { return &fileGround{m: m, name: address, path: path, strict: true} }}
}

// Descriptor is the file that a process has open, by the path of its descriptor
// (/proc/PID/fd/FD). It must be there, all zero or a stream; the last to leave
// makes it zero again. Messages call it address.
func Descriptor(path, address string) Site {
	return Site{address, func(m *member) ground { return &fileGround{m: m, name: address, path: path, pinned: true} }}
}

// String returns the address.
func (s Site) String() string { return s.address }
