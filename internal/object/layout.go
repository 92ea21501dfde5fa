package object

import (
	"structs"
	"sync/atomic"
)

// Layout of an object; docs/abi/object.md.
const (
	magic = 0x314f74696b6d6873 // "shmkitO1" in little-endian order

	// Major and Minor are the version of the layout. Another major is refused.
	Major = 1
	Minor = 0

	headerSize = 4096
	typeName   = 256 // bytes for it

	// MaxMembers is how many members an object can have.
	MaxMembers = 1024
	// RecordHeader is how much of a member record is not the kind's.
	RecordHeader = 64
	// maxStride bounds a record, in bytes.
	maxStride = 1 << 20

	flagPersistent = 1

	// MaxGeneration is the last generation of a slot.
	MaxGeneration = 1<<20 - 2

	stateFree    = 0
	stateLive    = 1
	stateRetired = 2

	// Where the locks lie; no object is that long.
	lifelines = 1 << 40
	joinByte  = lifelines + 4096
	maxSize   = lifelines
)

// Kind is what an object is.
type Kind uint32

// Kinds of object.
const (
	Struct Kind = 1
	Lock   Kind = 2
	Topic  Kind = 3
	Queue  Kind = 4

	Semaphore Kind = 5
	Cond      Kind = 6
	Event     Kind = 7
	Barrier   Kind = 8
	Once      Kind = 9
)

var kindNames = map[Kind]string{
	Struct: "struct", Lock: "lock", Topic: "topic", Queue: "queue",
	Semaphore: "semaphore", Cond: "cond", Event: "event", Barrier: "barrier", Once: "once",
}

// String returns the word for the kind in addresses: "lock".
func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return "unknown"
}

// header is the first page.
type header struct {
	_           structs.HostLayout
	magic       atomic.Uint64
	major       atomic.Uint32
	minor       atomic.Uint32
	ready       atomic.Uint32
	kind        atomic.Uint32
	size        atomic.Uint64
	id          [16]byte
	created     atomic.Int64
	boot        [16]byte
	flags       atomic.Uint32
	members     atomic.Uint32
	stride      atomic.Uint32
	_           uint32
	body        atomic.Uint64
	bodySize    atomic.Uint64
	fingerprint atomic.Uint64
	_           [16]byte
	config      [16]atomic.Uint64
	typeName    [typeName]byte
	highest     atomic.Uint32
	_           [60]byte
}

// record is the common part of a member's record.
type record struct {
	_       structs.HostLayout
	ident   atomic.Uint32
	pid     atomic.Uint32
	start   atomic.Uint64
	pidns   atomic.Uint64
	joined  atomic.Int64
	uid     atomic.Uint32
	waiting atomic.Uint32
	command [2]atomic.Uint64
	_       [8]byte
}

// ident packs generation and state of a record into a word.
func ident(generation, state uint32) uint32 { return generation<<2 | state }

func unpack(ident uint32) (generation, state uint32) { return ident >> 2, ident & 3 }
