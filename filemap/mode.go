package filemap

import (
	"io/fs"
	"os"
	"syscall"
)

// Chmod sets the nine permission bits of the file; the umask does not count. Handles
// and mappings that exist keep what they have. EPERM: only the owner and root may.
func (f *File) Chmod(mode fs.FileMode) error {
	if mode&^fs.ModePerm != 0 {
		return &Error{Op: "chmod", Path: f.path, Err: syscall.EINVAL, Hint: "a mode has nine permission bits"}
	}
	return fail("chmod", f.path, f.f.Use(func(o *os.File) error { return o.Chmod(mode) }))
}
