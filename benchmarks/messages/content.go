package main

import (
	"encoding/binary"
	"fmt"
	"structs"
)

// fill makes the content of message number seq.
func fill(b []byte, seq uint64) {
	x := seq*0x9e3779b97f4a7c15 + 1
	for i := range b {
		if i%8 == 0 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		b[i] = byte(x >> (i % 8 * 8))
	}
}

// verify reports whether b is what fill makes of seq. want is room for as many bytes.
func verify(b []byte, seq uint64, want []byte) error {
	fill(want, seq)
	for i := range want {
		if b[i] != want[i] {
			return fmt.Errorf("message %d: byte %d is %#x, want %#x", seq, i, b[i], want[i])
		}
	}
	return nil
}

// A message is what small messages are.
type message struct {
	_    structs.HostLayout
	body [64]byte
}

// set makes the content of message number seq: all of it with check, else its first word alone.
func (m *message) set(seq uint64, check bool) {
	if check {
		fill(m.body[:], seq)
		return
	}
	binary.NativeEndian.PutUint64(m.body[:], seq)
}

// is looks at it as a receiver would who has to know which message it is, or at all of it.
func (m *message) is(seq uint64, check bool) error {
	if check {
		var want [64]byte
		return verify(m.body[:], seq, want[:])
	}
	if got := binary.NativeEndian.Uint64(m.body[:]); got != seq {
		return fmt.Errorf("message %d came for %d", got, seq)
	}
	return nil
}
