package futex

import (
	"unsafe"

	"github.com/shmkit/shmkit/internal/words"
)

// address is where the word is, as a number to hash.
func address(word *words.Uint32) uintptr { return uintptr(unsafe.Pointer(word)) }
