package sys

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of futex(2) on words that several processes share; <linux/futex.h>.
const (
	futexWait = 0
	futexWake = 1
)

// FutexWait is futex(FUTEX_WAIT) on a word in shared memory: it sleeps while the word
// is v. It returns nil when woken, EAGAIN if the word was not v, ETIMEDOUT after the
// timeout (monotonic; 0 or less: none), EINTR whenever a signal arrives, and EFAULT if
// the memory is not there.
func FutexWait(word *atomic.Uint32, v uint32, timeout time.Duration) error {
	var ts *unix.Timespec
	if timeout > 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(v), uintptr(unsafe.Pointer(ts)), 0, 0)
	return errnoErr(e)
}

// FutexWake is futex(FUTEX_WAKE): it wakes up to n sleepers and returns how many.
func FutexWake(word *atomic.Uint32, n int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, uintptr(n))
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}
