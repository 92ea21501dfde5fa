package object

import (
	"structs"

	"github.com/shmkit/shmkit/internal/words"
)

// Layout of an object; docs/abi/object.md.
const (
	magic     = 0x314f74696b6d6873 // magicText in little-endian order
	magicText = "shmkitO1"

	// Major and Minor are the version of the layout. Another major is refused.
	Major = 1
	Minor = 0

	headerSize = 4096
	typeName   = 256 // bytes for it

	// MaxMembers is how many members an object can have.
	MaxMembers = 2048
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

// KindOf returns the kind that a word in addresses means; 0 if none does.
func KindOf(word string) Kind {
	for k, name := range kindNames {
		if name == word {
			return k
		}
	}
	return 0
}

// header is the first page.
type header struct {
	_           structs.HostLayout
	magic       words.Uint64
	major       words.Uint32
	minor       words.Uint32
	ready       words.Uint32
	kind        words.Uint32
	size        words.Uint64
	id          [16]byte
	created     words.Int64
	boot        [16]byte
	flags       words.Uint32
	members     words.Uint32
	stride      words.Uint32
	_           uint32
	body        words.Uint64
	bodySize    words.Uint64
	fingerprint words.Uint64
	_           [16]byte
	config      [16]words.Uint64
	typeName    [typeName]byte
	highest     words.Uint32
	_           uint32
	annex       words.Uint64
	_           [48]byte
}

// record is the common part of a member's record.
type record struct {
	_       structs.HostLayout
	ident   words.Uint32
	pid     words.Uint32
	start   words.Uint64
	pidns   words.Uint64
	joined  words.Int64
	uid     words.Uint32
	waiting words.Uint32
	command [2]words.Uint64
	_       [8]byte
}

// ident packs generation and state of a record into a word.
func ident(generation, state uint32) uint32 { return generation<<2 | state }

func unpack(ident uint32) (generation, state uint32) { return ident >> 2, ident & 3 }
