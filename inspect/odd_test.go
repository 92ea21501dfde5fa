package inspect_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// odd makes a pipe, a socket, and links, in a directory.
func odd(t *testing.T, dir string) {
	t.Helper()
	ok(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "s")})
	ok(t, err)
	t.Cleanup(func() { l.Close() })
	ok(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	ok(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	ok(t, os.Symlink(".", filepath.Join(dir, "here")))
}
