package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// ThreadCPUTime is how long the calling thread has run on a CPU so far
// (CLOCK_THREAD_CPUTIME_ID). The goroutine has to be locked to its thread.
func ThreadCPUTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // every Linux has that clock
	}
	return time.Duration(t.Nano())
}
