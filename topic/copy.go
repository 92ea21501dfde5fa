package topic

import "github.com/shmkit/shmkit/internal/words"

// copyIn copies into shared memory that others read at the same time, in words of 8 bytes; dst has
// room for whole words.
func copyIn(dst, src []byte) {
	n := len(src) / 8
	_ = dst[:roundUp(len(src), 8)]
	if n > 0 {
		words.CopyIn(&dst[0], &src[0], n)
	}
	if rest := src[8*n:]; len(rest) > 0 {
		var last [8]byte
		copy(last[:], rest)
		words.CopyIn(&dst[8*n], &last[0], 1)
	}
}

// copyOut copies out of shared memory that others write to at the same time; src has whole words.
func copyOut(dst, src []byte) {
	n := len(dst) / 8
	_ = src[:roundUp(len(dst), 8)]
	if n > 0 {
		words.CopyOut(&dst[0], &src[0], n)
	}
	if rest := dst[8*n:]; len(rest) > 0 {
		var last [8]byte
		words.CopyOut(&last[0], &src[8*n], 1)
		copy(rest, last[:])
	}
}
