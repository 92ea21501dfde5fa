package sysv

import (
	"fmt"
	"os"
	"syscall"
)

// Key names an object among those of its kind; key_t. Private is no name.
type Key int32

// Private makes a new object that has no key and is found by its identifier
// alone; IPC_PRIVATE.
const Private Key = 0

// String returns the key as the tools show it: "0x00005eed".
func (k Key) String() string { return fmt.Sprintf("0x%08x", uint32(k)) }

// FromPath makes a key of an existing file and a project byte exactly as glibc's
// ftok(3) does: 8 bits of the project, 8 of the device, 16 of the inode number.
// Different files can have the same key, and a file that is made anew has another
// one. POSIX leaves project 0 open; glibc, and so FromPath, takes it like any
// other.
//
// Errors are those of stat(2), as *fs.PathError.
func FromPath(path string, project byte) (Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return Key(uint32(project)<<24 | uint32(st.Dev&0xff)<<16 | uint32(st.Ino&0xffff)), nil
}
