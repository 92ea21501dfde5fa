package shmkit

import "unsafe"

// at places a T over b, which is long and aligned enough.
func at[T any](b []byte) *T { return (*T)(unsafe.Pointer(unsafe.SliceData(b))) }

// sliceAt places n values of T over b, which is long and aligned enough.
func sliceAt[T any](b []byte, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// sizeAlign returns the size of T and its alignment in memory. There is no value of
// T: a large one would be allocated just to be measured.
func sizeAlign[T any]() (size, align int) {
	var p *struct {
		_ byte
		t T
	}
	return int(unsafe.Sizeof(p.t)), int(unsafe.Offsetof(p.t))
}
