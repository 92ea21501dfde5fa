package sys

import "golang.org/x/sys/unix"

// Gettid returns the id of the calling OS thread. It means something only while
// the goroutine is locked to its thread.
func Gettid() int { return unix.Gettid() }

// Interrupt makes a system call that the OS thread tid of this process is
// blocked in return EINTR. It sends SIGURG, which the Go runtime uses for its
// own preemption and therefore handles and forgets.
func Interrupt(tid int) error { return unix.Tgkill(unix.Getpid(), tid, unix.SIGURG) }
