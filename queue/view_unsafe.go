package queue

import "unsafe"

// wordsAt, cellAt and partAt place the structures over bytes that are long enough and lie on
// a multiple of 8.
func headerAt(b []byte) *header { return (*header)(unsafe.Pointer(&b[:wordsSize][0])) }

func cellAt(b []byte) *cell { return (*cell)(unsafe.Pointer(&b[:cellSize][0])) }

func partAt(b []byte) *part { return (*part)(unsafe.Pointer(&b[:partSize][0])) }

// valueAt places a T over a payload with room for it, which lies on a multiple of 64.
func valueAt[T any](b []byte) *T { return (*T)(unsafe.Pointer(unsafe.SliceData(b))) }

// sizeOf returns the size of a T, which may be too large to have one.
func sizeOf[T any]() uint64 {
	var p *T
	return uint64(unsafe.Sizeof(*p))
}

// Constants that do not compile unless the layout is what docs/abi/queue.md says.
const (
	_ = uint(wordsSize - unsafe.Sizeof(header{}))
	_ = uint(unsafe.Sizeof(header{}) - wordsSize)
	_ = uint(cellSize - unsafe.Sizeof(cell{}))
	_ = uint(unsafe.Sizeof(cell{}) - cellSize)
	_ = uint(partSize - unsafe.Sizeof(part{}))
	_ = uint(unsafe.Offsetof(header{}.sequence) - sequenceAt)
	_ = uint(sequenceAt - unsafe.Offsetof(header{}.sequence))
	_ = uint(unsafe.Offsetof(header{}.dropped) - droppedAt)
	_ = uint(droppedAt - unsafe.Offsetof(header{}.dropped))
	_ = uint(unsafe.Offsetof(header{}.filled) - 64)
	_ = uint(64 - unsafe.Offsetof(header{}.filled))
	_ = uint(unsafe.Offsetof(header{}.emptied) - 128)
	_ = uint(128 - unsafe.Offsetof(header{}.emptied))
)
