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

// ProcessCPUTime is how long all threads of this process together have run on CPUs so far
// (CLOCK_PROCESS_CPUTIME_ID).
func ProcessCPUTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err) // every Linux has that clock
	}
	return time.Duration(t.Nano())
}
