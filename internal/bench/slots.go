package bench

import "fmt"

// slots is where in a piece of memory messages stand: two rings, there and back.
type slots struct {
	memory []byte
	size   int
	n      uint64
}

// slotsOf is how many messages of a size a ring holds: 64 KiB of them, 64 at most and 2 at least.
func slotsOf(size int) int { return max(2, min(64, 64<<10/size)) }

// slotBytes is how much memory both rings take.
func slotBytes(size int) int64 { return 2 * int64(slotsOf(size)) * int64(size) }

func newSlots(memory []byte, size int) (slots, error) {
	if int64(len(memory)) < slotBytes(size) {
		return slots{}, fmt.Errorf("%d bytes for %d", len(memory), slotBytes(size))
	}
	return slots{memory, size, uint64(slotsOf(size))}, nil
}

// of is the slot of message number seq, there or back.
func (s *slots) of(back bool, seq uint64) []byte {
	at := (seq % s.n) * uint64(s.size)
	if back {
		at += s.n * uint64(s.size)
	}
	return s.memory[at:][:s.size:s.size]
}
