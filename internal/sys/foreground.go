package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// InForeground reports whether this process is in the foreground of its terminal: then
// what is typed there as a signal goes to all of the process group.
func InForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil { // it has no terminal
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
