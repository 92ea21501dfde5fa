package sys

import "golang.org/x/sys/unix"

// ExitThread is exit(2): it ends the calling thread, and leaves the process to the others. It is for tests, on
// a thread that a goroutine is locked to.
func ExitThread() { _, _, _ = unix.Syscall(unix.SYS_EXIT, 0, 0, 0) }
