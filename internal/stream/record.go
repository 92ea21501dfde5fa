package stream

import "encoding/binary"

// Kind is what a record is.
type Kind uint32

// The kinds of records; docs/abi/stream.md.
const (
	pad       Kind = 1
	Line      Kind = 2
	FileBegin Kind = 3
	FileData  Kind = 4
	FileEnd   Kind = 5
)

// recordHeader is the size of what stands before a payload.
const recordHeader = 8

// recordSize is what a payload of n bytes takes in the ring.
func recordSize(n int) uint64 { return recordHeader + (uint64(n)+7)&^7 }

// maxPayload is the longest payload in a ring of capacity bytes.
func maxPayload(capacity uint64) int {
	return int(min(capacity/2&^7-recordHeader, 1<<31-8))
}

// putHeader writes the header of a record with a payload of n bytes to b. Nobody
// reads it before tail is stored.
func putHeader(b []byte, n int, kind Kind) {
	binary.NativeEndian.PutUint32(b, uint32(n))
	binary.NativeEndian.PutUint32(b[4:], uint32(kind))
}

// getHeader reads the header of the record at b, once.
func getHeader(b []byte) (n uint64, kind Kind) {
	raw := [recordHeader]byte(b[:recordHeader])
	return uint64(binary.NativeEndian.Uint32(raw[:])), Kind(binary.NativeEndian.Uint32(raw[4:]))
}
