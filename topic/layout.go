package topic

import (
	"fmt"
	"structs"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/words"
)

// Layout of a topic; docs/abi/topic.md.

// bodyHeader is the beginning of the object's body.
type bodyHeader struct {
	_       structs.HostLayout
	bell    words.Uint32
	_       [60]byte
	joins   words.Uint64
	highest words.Uint32
	_       [52]byte
}

// doorbell is where the publisher of a lane sleeps for room.
type doorbell struct {
	_ structs.HostLayout
	v words.Uint32
	_ [60]byte
}

// seatHeader is what stands before a seat's cursors.
type seatHeader struct {
	_     structs.HostLayout
	owner words.Uint32
	mode  words.Uint32
	_     [56]byte
}

// messagesHeader is the beginning of the file of messages.
type messagesHeader struct {
	_    structs.HostLayout
	used words.Uint64
	ids  words.Uint32
	_    [116]byte
}

// laneHeader is what stands before a lane's ring.
type laneHeader struct {
	_         structs.HostLayout
	owner     words.Uint32
	publisher words.Uint32
	_         [56]byte
	tail      words.Uint64
	_         [56]byte
	reclaimed words.Uint64
	erased    words.Uint64
	_         [48]byte
}

// slot is the beginning of a slot.
type slot struct {
	_     structs.HostLayout
	word  words.Uint64
	what  words.Uint64 // length, and from bit 32 on the publisher
	time  words.Uint64 // if the topic has that
	chunk words.Uint32 // if the topic has those
	_     [4]byte
}

const (
	bodyHeaderSize = 128
	doorbellSize   = 64
	seatHeaderSize = 64
	messagesSize   = 128
	laneHeaderSize = 192
	slotHeaderSize = 32 // of a slot that names a chunk
	chunkSlotSize  = 64
	largestSlot    = 256 // of a slot that holds a message
	messageAt      = 16  // where it begins there
	timeSize       = 8   // and how much later if it carries the time

	reliable  = 1 << 0 // a seat's mode: publishers wait for it
	going     = 1 << 1 // and it is about to leave
	modeShift = 2      // whose mode that is

	somebodySleeps = 1 // bit 0 of bell and room

	publisherShift = 32
	firstNumber    = 2 // v of a lane's first message

	slotShift      = 20 // of an owner
	generationMask = 1<<slotShift - 1
)

// Limits of what a topic can be made with.
const (
	// MaxMessage is the largest message, in bytes.
	MaxMessage = 1 << 30
	// MaxPublishers is how many publishers a topic can have at a time.
	MaxPublishers = 64
	// MaxSubscribers is how many subscribers a topic can have at a time.
	MaxSubscribers = object.MaxMembers - MaxPublishers - spareMembers
	// MaxHeld is how many views a subscriber can hold, and how many loans a publisher.
	MaxHeld = 64

	maxRing = 1 << 20
	// spareMembers are for handles that only look.
	spareMembers = 8
	// maxMessages bounds the file of messages, in bytes.
	maxMessages = 1 << 39
)

// The settings among the config words of the object.
const (
	wordRoom = iota
	wordFlags
	wordRing
	wordHistory
	wordLanes
	wordSeats
	wordHeld
	wordLoans
	wordBatch
)

const (
	flagInline = 1 << iota
	flagTimes
	flagBestEffort
)

// A geometry is the settings of a topic, checked.
type geometry struct {
	room          int // for a message, bytes
	inline, times bool
	bestEffort    bool
	ring, history int // messages
	lanes, seats  int
	held, loans   int
	batch         int // chunks

	// What follows from that.
	slotSize      int // bytes
	messageOffset int // where in its slot a message begins
	chunks        int // of a lane
	chunkSize     int // bytes
	hazards       int // of a seat: one for each view, and one to copy under
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// inSlot reports whether messages of a length stand in their slots.
func inSlot(room int, times bool) bool {
	g := geometry{inline: true, times: times, room: room}
	g.measure()
	return g.slotSize <= largestSlot
}

// measure fills in what follows from the settings.
func (g *geometry) measure() {
	g.hazards = g.held + 1
	if g.messageOffset = messageAt; g.times {
		g.messageOffset += timeSize
	}
	if g.inline {
		g.slotSize = roundUp(g.messageOffset+roundUp(g.room, 8), 64)
		return
	}
	g.slotSize = chunkSlotSize
	g.chunks = g.ring + g.seats*g.hazards + g.loans + g.batch
	// An odd number of cache lines, so that the beginnings of chunks don't compete for the same
	// places in the caches.
	g.chunkSize = (roundUp(g.room, 64)/64 | 1) * 64
}

func (g *geometry) laneSize() int    { return laneHeaderSize + g.ring*g.slotSize }
func (g *geometry) chunksAt() int    { return roundUp(messagesSize+g.lanes*g.laneSize(), 4096) }
func (g *geometry) cursorsSize() int { return roundUp(8*g.lanes, 64) }
func (g *geometry) seatSize() int {
	return seatHeaderSize + g.cursorsSize() + roundUp(8*g.hazards, 64)
}
func (g *geometry) seatsAt() int  { return bodyHeaderSize + g.lanes*doorbellSize }
func (g *geometry) bodySize() int { return g.seatsAt() + g.seats*g.seatSize() }

// messagesFile is the size of the file of messages, bytes.
func (g *geometry) messagesFile() int {
	return g.chunksAt() + g.lanes*g.chunks*g.chunkSize
}

// defaultBatch is how many chunks a look at the hazards frees at least.
func defaultBatch(chunk int) int { return max(1, min(128, 512<<10/chunk)) }

// words returns the settings as they stand in the object.
func (g *geometry) words() (w [16]uint64) {
	for flag, set := range map[uint64]bool{flagInline: g.inline, flagTimes: g.times, flagBestEffort: g.bestEffort} {
		if set {
			w[wordFlags] |= flag
		}
	}
	w[wordRoom], w[wordRing], w[wordHistory] = uint64(g.room), uint64(g.ring), uint64(g.history)
	w[wordLanes], w[wordSeats], w[wordHeld] = uint64(g.lanes), uint64(g.seats), uint64(g.held)
	w[wordLoans], w[wordBatch] = uint64(g.loans), uint64(g.batch)
	return w
}

// geometryOf checks settings, and says of one that cannot be by what option it is changed.
func geometryOf(w [16]uint64) (geometry, error) {
	for _, c := range []struct {
		option      string
		word        int
		least, most uint64
	}{
		{"MaxMessage", wordRoom, 1, MaxMessage},
		{"Publishers", wordLanes, 1, MaxPublishers},
		{"Subscribers", wordSeats, 1, MaxSubscribers},
		{"Held", wordHeld, 1, MaxHeld},
		{"Loans", wordLoans, 1, MaxHeld},
	} {
		if v := w[c.word]; v < c.least || v > c.most {
			return geometry{}, outside(c.option, int64(v), c.least, c.most)
		}
	}
	bad := func(what string, v uint64) (geometry, error) {
		return geometry{}, invalid("%s of %d", what, v)
	}
	switch {
	case w[wordFlags] >= 1<<3:
		return bad("flags", w[wordFlags])
	case w[wordRing] < 1 || w[wordRing] > maxRing || w[wordRing]&(w[wordRing]-1) != 0:
		return bad("a ring", w[wordRing])
	case w[wordHistory] >= w[wordRing]:
		return bad("a history", w[wordHistory])
	case w[wordBatch] > maxRing, w[wordBatch] == 0 && w[wordFlags]&flagInline == 0:
		return bad("a number of chunks", w[wordBatch])
	}
	g := geometry{room: int(w[wordRoom]), ring: int(w[wordRing]), history: int(w[wordHistory]), lanes: int(w[wordLanes]), seats: int(w[wordSeats]),
		held: int(w[wordHeld]), loans: int(w[wordLoans]), batch: int(w[wordBatch]),
		inline: w[wordFlags]&flagInline != 0, times: w[wordFlags]&flagTimes != 0, bestEffort: w[wordFlags]&flagBestEffort != 0}
	g.measure()
	if g.inline && g.slotSize > largestSlot {
		return bad("a message in a slot", w[wordRoom])
	}
	if g.messagesFile() > maxMessages {
		return g, invalid("%d bytes for messages, more than %d (%s)", g.messagesFile(), int64(maxMessages), sizeOptions)
	}
	return g, nil
}

// geometryIn returns the geometry of an object, which no member may have written.
func geometryIn(words [16]uint64, body, messages int64) (geometry, error) {
	g, err := geometryOf(words)
	if err != nil || int64(g.bodySize()) > body || int64(g.messagesFile()) > messages {
		return g, fmt.Errorf("%w: settings that do not fit its memory", ErrCorrupt)
	}
	return g, nil
}

type (
	words32 = words.Uint32
	words64 = words.Uint64
)
