package words

import (
	"sync/atomic"
	"unsafe"
)

// Atomic returns the same word for who only needs its address, such as the kernel.
func Atomic(x *Uint32) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(x)) }
