package pshared

import (
	"unsafe"

	"github.com/shmkit/shmkit/internal/words"
)

// wordAt places a word over the bytes at an offset, which lies on a multiple of its
// alignment.
func wordAt[W any](b []byte, offset int64) *W {
	var w W
	return (*W)(unsafe.Pointer(&b[offset : offset+int64(unsafe.Sizeof(w))][0]))
}

// entryAt places entry n over a member's part of its record.
func entryAt(part []byte, n int) *entry { return wordAt[entry](part, int64(n)*entrySize) }

// offsetIn returns where in the struct the word lies, negative if it does not.
func offsetIn[T, W any](s *T, w *W) int64 {
	at := int64(uintptr(unsafe.Pointer(w)) - uintptr(unsafe.Pointer(s)))
	if at < 0 || at > int64(unsafe.Sizeof(*s))-int64(unsafe.Sizeof(*w)) {
		return -1
	}
	return at
}

// lowHalf returns the word that the low 32 bits of another are. The kernel sleeps on those.
func lowHalf(w *words.Uint64) *words.Uint32 {
	halves := (*[2]words.Uint32)(unsafe.Pointer(w))
	if one := uint16(1); *(*byte)(unsafe.Pointer(&one)) == 1 {
		return &halves[0]
	}
	return &halves[1]
}

// The sizes are part of the layout of every struct that holds a word, and of records.
const (
	_ = uint(8 - unsafe.Sizeof(MutexWord{}))
	_ = uint(unsafe.Sizeof(MutexWord{}) - 8)
	_ = uint(16 - unsafe.Sizeof(RWMutexWord{}))
	_ = uint(unsafe.Sizeof(RWMutexWord{}) - 16)
	_ = uint(48 - unsafe.Sizeof(SemaphoreWord{}))
	_ = uint(unsafe.Sizeof(SemaphoreWord{}) - 48)
	_ = uint(16 - unsafe.Sizeof(CountingWord{}))
	_ = uint(unsafe.Sizeof(CountingWord{}) - 16)
	_ = uint(4 - unsafe.Sizeof(EventWord{}))
	_ = uint(unsafe.Sizeof(EventWord{}) - 4)
	_ = uint(4 - unsafe.Sizeof(AutoEventWord{}))
	_ = uint(unsafe.Sizeof(AutoEventWord{}) - 4)
	_ = uint(16 - unsafe.Sizeof(OnceWord{}))
	_ = uint(unsafe.Sizeof(OnceWord{}) - 16)
	_ = uint(16 - unsafe.Sizeof(BarrierWord{}))
	_ = uint(8 - unsafe.Sizeof(CondWord{}))
	_ = uint(unsafe.Sizeof(CondWord{}) - 8)
	_ = uint(unsafe.Sizeof(BarrierWord{}) - 16)
	_ = uint(entrySize - unsafe.Sizeof(entry{}))
	_ = uint(unsafe.Sizeof(entry{}) - entrySize)
)
