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

// A message is what small messages are, where nothing else is said.
type message struct {
	_    structs.HostLayout
	body [64]byte
}

// set makes the content of message number seq: all of it with check, else its first word alone.
func (m *message) set(seq uint64, check bool) { content(m.body[:], seq, check) }

// is looks at it as a receiver would who has to know which message it is, or at all of it.
func (m *message) is(seq uint64, check bool) error {
	var want [64]byte
	return isContent(m.body[:], seq, check, want[:])
}

// A short message has room beside the word in one cache line.
type short struct {
	_    structs.HostLayout
	body [48]byte
}

func (m *short) set(seq uint64, check bool) { content(m.body[:], seq, check) }

func (m *short) is(seq uint64, check bool) error {
	var want [48]byte
	return isContent(m.body[:], seq, check, want[:])
}

// A chunky message is the shortest that has a chunk of its own, or nearly.
type chunky struct {
	_    structs.HostLayout
	body [256]byte
}

func (m *chunky) set(seq uint64, check bool) { content(m.body[:], seq, check) }

func (m *chunky) is(seq uint64, check bool) error {
	var want [256]byte
	return isContent(m.body[:], seq, check, want[:])
}

// A payload is a pointer to one of them.
type payload[T any] interface {
	*T
	set(seq uint64, check bool)
	is(seq uint64, check bool) error
}

// content makes the content of message number seq: all of it with check, else its first word alone.
func content(b []byte, seq uint64, check bool) {
	if check {
		fill(b, seq)
	} else {
		binary.NativeEndian.PutUint64(b, seq)
	}
}

// isContent looks at what content made; want is room for as many bytes.
func isContent(b []byte, seq uint64, check bool, want []byte) error {
	if check {
		return verify(b, seq, want)
	}
	if got := binary.NativeEndian.Uint64(b); got != seq {
		return fmt.Errorf("message %d came for %d", got, seq)
	}
	return nil
}
