package topic

import (
	"unsafe"

	"github.com/shmkit/shmkit/internal/words"
)

// The structures are placed over bytes that are long enough and lie on a multiple of 64.

func bodyAt(b []byte) *bodyHeader { return (*bodyHeader)(unsafe.Pointer(&b[:bodyHeaderSize][0])) }

func doorbellAt(b []byte) *doorbell { return (*doorbell)(unsafe.Pointer(&b[:doorbellSize][0])) }

func seatAt(b []byte) *seatHeader { return (*seatHeader)(unsafe.Pointer(&b[:seatHeaderSize][0])) }

func messagesAt(b []byte) *messagesHeader {
	return (*messagesHeader)(unsafe.Pointer(&b[:messagesSize][0]))
}

func laneAt(b []byte) *laneHeader { return (*laneHeader)(unsafe.Pointer(&b[:laneHeaderSize][0])) }

func slotAt(b []byte) *slot { return (*slot)(unsafe.Pointer(&b[:slotHeaderSize][0])) }

// wordsAt returns the n words that b begins with.
func wordsAt(b []byte, n int) []words.Uint64 {
	return unsafe.Slice((*words.Uint64)(unsafe.Pointer(&b[:8*n][0])), n)
}

// valueAt places a T over bytes with room for it, which lie on a multiple of 64.
func valueAt[T any](b []byte) *T { return (*T)(unsafe.Pointer(unsafe.SliceData(b))) }

// bytesOf returns the bytes of values that lie one behind the other. It does not touch them, for that may fault.
func bytesOf[T any](p *T, n int) []byte {
	if p == nil {
		panic("topic: nil pointer to a message")
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), n*int(unsafe.Sizeof(*p)))
}

// sizeOf returns the size of a T, which may be too large to have one.
func sizeOf[T any]() uint64 {
	var p *T
	return uint64(unsafe.Sizeof(*p))
}

// alignedBytes returns n bytes that lie on a multiple of 64.
func alignedBytes(n int) []byte {
	b := make([]byte, n+63)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % 64)
	return b[skip : skip+n : skip+n]
}

// Constants that do not compile unless the layout is what docs/abi/topic.md says.
const (
	_ = uint(bodyHeaderSize - unsafe.Sizeof(bodyHeader{}))
	_ = uint(unsafe.Sizeof(bodyHeader{}) - bodyHeaderSize)
	_ = uint(doorbellSize - unsafe.Sizeof(doorbell{}))
	_ = uint(unsafe.Sizeof(doorbell{}) - doorbellSize)
	_ = uint(seatHeaderSize - unsafe.Sizeof(seatHeader{}))
	_ = uint(unsafe.Sizeof(seatHeader{}) - seatHeaderSize)
	_ = uint(messagesSize - unsafe.Sizeof(messagesHeader{}))
	_ = uint(unsafe.Sizeof(messagesHeader{}) - messagesSize)
	_ = uint(laneHeaderSize - unsafe.Sizeof(laneHeader{}))
	_ = uint(unsafe.Sizeof(laneHeader{}) - laneHeaderSize)
	_ = uint(slotHeaderSize - unsafe.Sizeof(slot{}))
	_ = uint(unsafe.Sizeof(slot{}) - slotHeaderSize)
	_ = uint(unsafe.Offsetof(bodyHeader{}.joins) - 64)
	_ = uint(64 - unsafe.Offsetof(bodyHeader{}.joins))
	_ = uint(unsafe.Offsetof(laneHeader{}.tail) - 64)
	_ = uint(64 - unsafe.Offsetof(laneHeader{}.tail))
	_ = uint(unsafe.Offsetof(laneHeader{}.reclaimed) - 128)
	_ = uint(128 - unsafe.Offsetof(laneHeader{}.reclaimed))
	_ = uint(unsafe.Offsetof(slot{}.chunk) - 24)
	_ = uint(24 - unsafe.Offsetof(slot{}.chunk))
)
