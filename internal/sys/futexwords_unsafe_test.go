package sys_test

import (
	"sync/atomic"
	"unsafe"

	"github.com/shmkit/shmkit/internal/sys"
)

// wordAt is the word at an address of a mapping.
func wordAt(addr uintptr) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(sys.Bytes(addr, 4))))
}

// misaligned is a word where none can stand.
func misaligned(addr uintptr) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(sys.Bytes(addr, 8))), 2))
}

// addrOf is where a word is.
func addrOf(word *atomic.Uint32) uintptr { return uintptr(unsafe.Pointer(word)) }
