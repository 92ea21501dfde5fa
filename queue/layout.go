package queue

import (
	"fmt"
	"io/fs"
	"structs"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/words"
	"github.com/shmkit/shmkit/pshared"
)

// Layout of a queue; docs/abi/queue.md.

// header is the beginning of the body.
type header struct {
	_         structs.HostLayout
	mu        pshared.MutexWord
	orphans   words.Uint32
	free      words.Uint32
	ready     words.Uint32
	readyLast words.Uint32
	dead      words.Uint32
	deadLast  words.Uint32
	live      words.Uint32
	buried    words.Uint32
	sequence  words.Uint64
	dropped   words.Uint64
	_         [8]byte
	filled    words.Uint32
	_         [60]byte
	emptied   words.Uint32
	_         [60]byte
}

// cell is what stands before a payload.
type cell struct {
	_        structs.HostLayout
	state    words.Uint64
	sequence words.Uint64
	length   words.Uint32
	next     words.Uint32
	_        [40]byte
}

// part is the queue's part of a member's record.
type part struct {
	_          structs.HostLayout
	count      words.Uint32
	generation words.Uint32
}

const (
	wordsSize  = 192
	sequenceAt = 40
	droppedAt  = 48

	cellSize = 64
	partSize = 64
)

// The state of a cell: what it is, how often it was delivered, and its owner.
const (
	free        = 0
	writing     = 1
	ready       = 2
	claimed     = 3
	dead        = 4
	deadClaimed = 5

	stateMask      = 1<<3 - 1
	deliveryShift  = 3
	deliveryMask   = 1<<31 - 1
	ownerShift     = 34
	maxDeliveries  = deliveryMask
	slotShift      = 20
	generationMask = 1<<slotShift - 1
)

func pack(state uint64, deliveries uint32, owner uint32) uint64 {
	return uint64(owner)<<ownerShift | uint64(deliveries)<<deliveryShift | state
}

func stateOf(v uint64) uint64      { return v & stateMask }
func deliveriesOf(v uint64) uint32 { return uint32(v >> deliveryShift & deliveryMask) }
func ownerOf(v uint64) uint32      { return uint32(v >> ownerShift) }

// somebodySleeps is bit 0 of filled and emptied.
const somebodySleeps = 1

// Limits of what a queue can be made with.
const (
	// MaxCapacity bounds capacity and dead letters, each.
	MaxCapacity = 1 << 20
	// MaxItem is the largest item, in bytes.
	MaxItem = 1 << 30

	maxBody = 1 << 39
)

// The settings among the config words of the object.
const (
	wordCapacity   = 0
	wordRoom       = 1
	wordDeliveries = 2
	wordLetters    = 3
)

// A geometry is the settings of a queue, checked.
type geometry struct {
	capacity, letters uint32
	room              uint32 // for a payload, bytes
	deliveries        uint32 // at most, 0 no limit
}

func (g *geometry) cells() uint32 { return g.capacity + g.letters }

// stride is from one cell to the next.
func (g *geometry) stride() int64 { return cellSize + (int64(g.room)+63)/64*64 }

func (g *geometry) bodySize() int64 { return wordsSize + int64(g.cells())*g.stride() }

// geometryOf checks settings.
func geometryOf(w [16]uint64) (geometry, error) {
	bad := func(what string, v uint64) (geometry, error) {
		return geometry{}, fmt.Errorf("%s of %d: %w", what, v, fs.ErrInvalid)
	}
	switch {
	case w[wordCapacity] < 1 || w[wordCapacity] > MaxCapacity:
		return bad("a capacity", w[wordCapacity])
	case w[wordRoom] < 1 || w[wordRoom] > MaxItem:
		return bad("a largest item", w[wordRoom])
	case w[wordDeliveries] > maxDeliveries:
		return bad("a number of deliveries", w[wordDeliveries])
	case w[wordLetters] > MaxCapacity:
		return bad("a number of dead letters", w[wordLetters])
	}
	g := geometry{capacity: uint32(w[wordCapacity]), letters: uint32(w[wordLetters]),
		room: uint32(w[wordRoom]), deliveries: uint32(w[wordDeliveries])}
	if g.bodySize() > maxBody {
		return bad("a size", uint64(g.bodySize()))
	}
	return g, nil
}

// geometryIn returns the geometry of an object, which no member may have written.
func geometryIn(o *object.Object) (geometry, error) {
	g, err := geometryOf(o.Words())
	if err != nil || g.bodySize() > int64(len(o.Body())) {
		return g, fmt.Errorf("%w: settings that do not fit its body", ErrCorrupt)
	}
	return g, nil
}
