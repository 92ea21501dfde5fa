package futex

import (
	"sync/atomic"
	"unsafe"
)

// address is where the word is, as a number to hash.
func address(word *atomic.Uint32) uintptr { return uintptr(unsafe.Pointer(word)) }
