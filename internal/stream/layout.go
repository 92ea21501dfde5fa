package stream

import (
	"structs"

	"github.com/shmkit/shmkit/internal/words"
)

// Layout of the memory; docs/abi/stream.md, and stream-file.md for what only a file has.
const (
	magic     = 0x316d7274736d6873 // "shmstrm1" in little-endian order
	fileMagic = 0x31667274736d6873 // "shmstrf1"
	version   = 1

	// MaxReaders is how many readers a stream can have at once.
	MaxReaders = 1000
	// MaxWriters is how many writers a stream on a file can have at once.
	MaxWriters = 1000

	slotsOffset = 4096
	ringOffset  = 69632 // slots end at 68096, rounded up to a page

	// Overhead is how many bytes of memory a stream takes besides its ring.
	Overhead = ringOffset
	// MinCapacity is the smallest ring, in bytes.
	MinCapacity = 4096
	// DefaultCapacity is the ring that is made unless another is asked for.
	DefaultCapacity = 4 << 20
	// MaxCapacity keeps positions and lengths far from overflow.
	MaxCapacity = 1 << 46
)

// header is the first page of the memory.
type header struct {
	_        structs.HostLayout
	magic    words.Uint64
	version  words.Uint32
	content  words.Uint32
	capacity words.Uint64
	semID    words.Uint32
	slots    words.Uint32
	_        [32]byte

	tail words.Uint64
	_    [56]byte

	limit words.Uint64
	_     [56]byte

	joined words.Uint64
	_      [56]byte

	need    words.Uint64
	waiting words.Uint32
	_       [52]byte

	verified words.Uint64
	_        [56]byte

	highest words.Uint32
	_       [60]byte

	// Of a file only, events.
	turns words.Uint32
	_     [60]byte

	arrivals words.Uint32
	_        [60]byte

	passed words.Uint64
	since  words.Uint64
	_      [48]byte
}

// keep remembers, under lock, what the last reader of a slot read, before another one
// takes it. It may forget, and never takes for read what was not.
func (h *header) keep(s *slot) {
	start, cursor := s.start.Load(), s.cursor.Load()
	since, passed := h.since.Load(), h.passed.Load()
	switch {
	case cursor <= start, cursor < since:
	case start <= passed:
		h.since.Store(min(since, start))
		h.passed.Store(max(passed, cursor))
	default: // in this order: in between, nothing was read
		h.since.Store(start)
		point("join:since")
		h.passed.Store(cursor)
	}
}

// slot is what one reader says of itself.
type slot struct {
	_        structs.HostLayout
	cursor   words.Uint64 // everything before it may be overwritten
	start    words.Uint64 // where the reader began
	sleeping words.Uint32
	_        [44]byte
}

// Content is what a stream carries.
type Content uint32

// The contents there are.
const (
	Lines Content = 1
	Files Content = 2
)

func (c Content) String() string {
	switch c {
	case Lines:
		return "lines (write, read)"
	case Files:
		return "files (send, recv)"
	}
	return "something unknown"
}

// The states of a sleeper: header.waiting and slot.sleeping.
const (
	awake  = 0
	asleep = 1 // or about to be: whoever changes what it waits for must post
	posted = 2
)
