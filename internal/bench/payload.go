package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A payload makes messages and looks at them.
//
// Not touched: the number of the message is written at its beginning, and read there. Touched: all its bytes are
// copied from memory of the sender's own, and to such memory of the receiver's, as a program does that has
// made them, or uses them. Checked, which is not timed: all bytes are another message each time, and compared.
type payload struct {
	size  int
	touch bool
	check bool
	own   []byte
}

// smallest is how long the number of a message is.
const smallest = 8

func newPayload(size int, touch bool) *payload {
	p := &payload{size: size, touch: touch, own: make([]byte, size)}
	fill(p.own, 1)
	return p
}

// put makes message number seq.
func (p *payload) put(to []byte, seq uint64) {
	switch {
	case p.check:
		fill(to, seq)
	case p.touch:
		copy(to, p.own)
	}
	binary.NativeEndian.PutUint64(to, seq)
}

// get looks at what came for message number seq.
func (p *payload) get(from []byte, seq uint64) error {
	if len(from) != p.size {
		return fmt.Errorf("message %d has %d bytes, not %d", seq, len(from), p.size)
	}
	if got := binary.NativeEndian.Uint64(from); got != seq {
		return fmt.Errorf("message %d came for %d", got, seq)
	}
	switch {
	case p.check:
		p.put(p.own, seq)
		if !bytes.Equal(p.own, from) {
			return fmt.Errorf("message %d was changed on its way", seq)
		}
	case p.touch:
		copy(p.own, from)
	}
	return nil
}

// fill makes bytes of a number, other ones for each.
func fill(b []byte, seq uint64) {
	x := seq*0x9e3779b97f4a7c15 + 1
	for len(b) >= 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.NativeEndian.PutUint64(b, x)
		b = b[8:]
	}
	for i := range b {
		b[i] = byte(x >> (8 * i))
	}
}
