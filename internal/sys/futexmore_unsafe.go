package sys

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// More of futex(2); <linux/futex.h>.
const (
	futexCmpRequeue = 4
	futexLockPI     = 6
	futexUnlockPI   = 7
	futexTrylockPI  = 8
	futexWaitBitset = 9
	futexWakeBitset = 10
)

// FUTEX_PRIVATE_FLAG says that all who use a word are threads of one process: the kernel
// then finds sleepers by address and not by memory, and none in other processes.
const FUTEX_PRIVATE_FLAG = 128

// FUTEX_BITSET_MATCH_ANY matches every set of bits.
const FUTEX_BITSET_MATCH_ANY = 0xffffffff

// What the kernel keeps in the word of a lock of FutexLockPI beside the thread id of
// its owner.
const (
	FUTEX_WAITERS    = 0x80000000
	FUTEX_OWNER_DIED = 0x40000000
	FUTEX_TID_MASK   = 0x3fffffff
)

// MonotonicNow is the time of CLOCK_MONOTONIC, which deadlines of this package are of:
// it does not jump, and does not count while the machine sleeps.
func MonotonicNow() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // it has no reason to fail
	}
	return time.Duration(ts.Nano())
}

// deadlineSpec is the argument for a deadline, nil for 0 or less, which is none.
func deadlineSpec(deadline time.Duration, ts *unix.Timespec) *unix.Timespec {
	if deadline <= 0 {
		return nil
	}
	*ts = unix.NsecToTimespec(int64(deadline))
	return ts
}

func futex(word *atomic.Uint32, op int, v uint32, ts *unix.Timespec, word2 *atomic.Uint32, v3 uint32) (int, error) {
	r, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(v),
		uintptr(unsafe.Pointer(ts)), uintptr(unsafe.Pointer(word2)), uintptr(v3))
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

// FutexWaitBitset is futex(FUTEX_WAIT_BITSET): FutexWait that only a wake with one of
// these bits ends (EINVAL: none), and up to a deadline (MonotonicNow; 0 or less:
// none), so that who was interrupted can go on with the same. flags is 0 or
// FUTEX_PRIVATE_FLAG.
func FutexWaitBitset(word *atomic.Uint32, v uint32, deadline time.Duration, bits uint32, flags int) error {
	var ts unix.Timespec
	_, err := futex(word, futexWaitBitset|flags, v, deadlineSpec(deadline, &ts), nil, bits)
	return err
}

// FutexWakeBitset is futex(FUTEX_WAKE_BITSET): it wakes up to n sleepers that wait for
// one of these bits and returns how many. FutexWait waits for any.
func FutexWakeBitset(word *atomic.Uint32, n int, bits uint32, flags int) (int, error) {
	return futex(word, futexWakeBitset|flags, uint32(n), nil, nil, bits)
}

// FutexCmpRequeue is futex(FUTEX_CMP_REQUEUE): if word is still v (else EAGAIN) it wakes
// up to n sleepers, and makes up to more of the others sleep on to instead. It returns
// how many were woken or moved.
func FutexCmpRequeue(word *atomic.Uint32, n, more int, to *atomic.Uint32, v uint32) (int, error) {
	// The fourth argument is a number here.
	r, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexCmpRequeue, uintptr(n),
		uintptr(more), uintptr(unsafe.Pointer(to)), uintptr(v))
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

// FutexLockPI is futex(FUTEX_LOCK_PI): it takes the lock in word, 0 when free, for the
// calling thread, to which the goroutine must be locked, and lends the owner its
// priority while it waits. EDEADLK: the thread has it. ESRCH: the owner is gone.
func FutexLockPI(word *atomic.Uint32) error {
	_, err := futex(word, futexLockPI, 0, nil, nil, 0)
	return err
}

// FutexTrylockPI is futex(FUTEX_TRYLOCK_PI): EAGAIN if another thread has the lock,
// EDEADLK if this one has.
func FutexTrylockPI(word *atomic.Uint32) error {
	_, err := futex(word, futexTrylockPI, 0, nil, nil, 0)
	return err
}

// FutexUnlockPI is futex(FUTEX_UNLOCK_PI): EPERM if the thread does not have the lock.
func FutexUnlockPI(word *atomic.Uint32) error {
	_, err := futex(word, futexUnlockPI, 0, nil, nil, 0)
	return err
}
