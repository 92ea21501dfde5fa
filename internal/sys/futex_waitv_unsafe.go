package sys

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sleeping until a point in time, and on several words at once; <linux/futex.h>.
// All times here are readings of CLOCK_MONOTONIC in nanoseconds, so that a sleep
// that a signal interrupts can be begun again without computing anything.
const (
	futex2SizeU32 = 0x02
	futex2Private = 0x80
)

// FutexWaitvMax is the most words that FutexWaitv takes (FUTEX_WAITV_MAX).
const FutexWaitvMax = 128

// A FutexWaiter is struct futex_waitv: one word that FutexWaitv sleeps on.
type FutexWaiter struct {
	val   uint64
	addr  uint64
	flags uint32
	_     uint32
}

// Set makes the entry mean: while word is v. private says that only this process
// wakes it, which spares the kernel to find out whose page it is. The entry holds
// the address as a number: the word must lie outside of stacks, and the caller keeps
// it alive and mapped.
func (f *FutexWaiter) Set(word *atomic.Uint32, v uint32, private bool) {
	f.val, f.addr, f.flags = uint64(v), uint64(uintptr(unsafe.Pointer(word))), futex2SizeU32
	if private {
		f.flags |= futex2Private
	}
}

// FutexWaitv is futex_waitv(2), of Linux 5.16 and later: it sleeps while every word
// has its value, until the deadline if that isn't 0. It returns the index of a word
// that was woken: the last in the list, if it was several. Else EAGAIN if some word
// had another value, ETIMEDOUT, EINTR, EFAULT if the memory of any is not there,
// EINVAL for an empty list, ENOSYS. Unlike FutexWait it is mostly restarted after a
// signal, by the kernel.
func FutexWaitv(list []FutexWaiter, deadline int64) (int, error) {
	var ts *unix.Timespec
	if deadline != 0 {
		t := unix.NsecToTimespec(deadline)
		ts = &t
	}
	r, _, e := unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(list))), uintptr(len(list)), 0,
		uintptr(unsafe.Pointer(ts)), unix.CLOCK_MONOTONIC, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

// FutexWaitUntil is FutexWait with a deadline instead of a timeout
// (FUTEX_WAIT_BITSET); 0 is none.
func FutexWaitUntil(word *atomic.Uint32, v uint32, private bool, deadline int64) error {
	op := uintptr(futexWaitBitset)
	if private {
		op |= FUTEX_PRIVATE_FLAG
	}
	var ts *unix.Timespec
	if deadline != 0 {
		t := unix.NsecToTimespec(deadline)
		ts = &t
	}
	_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), op, uintptr(v), uintptr(unsafe.Pointer(ts)), 0, FUTEX_BITSET_MATCH_ANY)
	return errnoErr(e)
}

// FutexWakePrivate is FutexWake for those who sleep with private set.
func FutexWakePrivate(word *atomic.Uint32, n int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake|FUTEX_PRIVATE_FLAG, uintptr(n))
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}
