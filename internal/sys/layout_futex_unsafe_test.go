package sys

import "unsafe"

// struct futex_waitv of <linux/futex.h>, pinned as in layout_unsafe_test.go.
func _() {
	var zero [1]struct{}

	_ = zero[unsafe.Sizeof(FutexWaiter{})-24]
	_ = zero[unsafe.Offsetof(FutexWaiter{}.val)-0]
	_ = zero[unsafe.Offsetof(FutexWaiter{}.addr)-8]
	_ = zero[unsafe.Offsetof(FutexWaiter{}.flags)-16]
}
