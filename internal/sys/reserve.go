package sys

import "os"

// ReserveAligned is ReserveAnywhere at a multiple of align (bytes, a power of two of at
// least a page), as huge pages need.
func ReserveAligned(n, align int) (uintptr, error) {
	spare := align - os.Getpagesize()
	at, err := ReserveAnywhere(n + spare)
	if err != nil || spare <= 0 {
		return at, err
	}
	begin := (at + uintptr(align) - 1) &^ (uintptr(align) - 1)
	if before := int(begin - at); before > 0 {
		_ = Munmap(at, before)
	}
	if behind := spare - int(begin-at); behind > 0 {
		_ = Munmap(begin+uintptr(n), behind)
	}
	return begin, nil
}
