package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
)

// FileInfo is what a receiver is told of a file before its bytes.
type FileInfo struct {
	Name string      // base name; from a peer: check before use
	Size int64       // bytes, -1 if not known
	Mode fs.FileMode // permission bits
}

// Sums of the records that begin and end a file.
const (
	beginSize = 16
	endSize   = 8 + sha256.Size
	// maxName bounds the name that is sent; NAME_MAX is 255.
	maxName = 255
)

func (f FileInfo) marshal() []byte {
	b := make([]byte, beginSize, beginSize+len(f.Name))
	binary.NativeEndian.PutUint64(b, uint64(f.Size))
	binary.NativeEndian.PutUint32(b[8:], uint32(f.Mode.Perm()))
	return append(b, f.Name[:min(len(f.Name), maxName)]...)
}

func (f *FileInfo) unmarshal(b []byte) bool {
	if len(b) < beginSize || len(b) > beginSize+maxName {
		return false
	}
	f.Size = int64(binary.NativeEndian.Uint64(b))
	f.Mode = fs.FileMode(binary.NativeEndian.Uint32(b[8:])) & fs.ModePerm
	f.Name = string(b[beginSize:])
	return f.Size >= -1
}

// fileEnd is the record behind a file.
type fileEnd struct {
	size int64
	sum  [sha256.Size]byte
}

func (e fileEnd) marshal() []byte {
	b := make([]byte, 8, endSize)
	binary.NativeEndian.PutUint64(b, uint64(e.size))
	return append(b, e.sum[:]...)
}

func (e *fileEnd) unmarshal(b []byte) bool {
	if len(b) != endSize {
		return false
	}
	e.size = int64(binary.NativeEndian.Uint64(b))
	copy(e.sum[:], b[8:])
	return e.size >= 0
}

// Transferred is what a sender or receiver did.
type Transferred struct {
	Info      FileInfo
	Bytes     int64
	SHA256    [sha256.Size]byte
	Receivers int // sender only: how many received all and found the sum right
}

// verifiedBits is how much of header.verified is the count.
const verifiedBits = 16

// mark is header.verified for a file that begins at pos, with a count of 0.
func mark(pos uint64) uint64 { return pos / 8 << verifiedBits }
