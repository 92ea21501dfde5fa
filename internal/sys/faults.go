package sys

import "golang.org/x/sys/unix"

// ThreadFaults is how many page faults the calling thread has had so far: those that
// needed no device, and those that did. The goroutine has to be locked to its thread.
func ThreadFaults() (minor, major int64, err error) {
	var u unix.Rusage
	err = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return u.Minflt, u.Majflt, err
}
