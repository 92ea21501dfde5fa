package shmkit

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/words"
)

// The atomic methods work on one 32-bit or 64-bit word at an offset (bytes, a
// multiple of 4 or 8). They are sequentially consistent between processes, as
// sync/atomic is between goroutines, in host byte order. Each checks bounds,
// holds the mapping and catches faults, which costs some ten times what the
// instruction does: in a loop, place an atomic.Uint32 or atomic.Uint64 with View.

// Load32 reads the word at off.
func (m *Mapping) Load32(off int64) (v uint32, err error) {
	err = onWord(m, "load", off, Read, func(p *uint32) { v = words.Load32(p) })
	return v, err
}

// Store32 writes the word at off.
func (m *Mapping) Store32(off int64, v uint32) error {
	return onWord(m, "store", off, Write, func(p *uint32) { words.Store32(p, v) })
}

// Add32 adds delta to the word at off and returns the sum.
func (m *Mapping) Add32(off int64, delta uint32) (sum uint32, err error) {
	err = onWord(m, "add", off, Write, func(p *uint32) { sum = words.Add32(p, delta) })
	return sum, err
}

// Swap32 writes the word at off and returns what it was.
func (m *Mapping) Swap32(off int64, v uint32) (old uint32, err error) {
	err = onWord(m, "swap", off, Write, func(p *uint32) { old = words.Swap32(p, v) })
	return old, err
}

// CompareAndSwap32 writes the word at off if it is old, and reports whether it
// was.
func (m *Mapping) CompareAndSwap32(off int64, old, v uint32) (swapped bool, err error) {
	err = onWord(m, "compare and swap", off, Write, func(p *uint32) { swapped = words.CompareAndSwap32(p, old, v) })
	return swapped, err
}

// Load64 reads the word at off.
func (m *Mapping) Load64(off int64) (v uint64, err error) {
	err = onWord(m, "load", off, Read, func(p *uint64) { v = words.Load64(p) })
	return v, err
}

// Store64 writes the word at off.
func (m *Mapping) Store64(off int64, v uint64) error {
	return onWord(m, "store", off, Write, func(p *uint64) { words.Store64(p, v) })
}

// Add64 adds delta to the word at off and returns the sum.
func (m *Mapping) Add64(off int64, delta uint64) (sum uint64, err error) {
	err = onWord(m, "add", off, Write, func(p *uint64) { sum = words.Add64(p, delta) })
	return sum, err
}

// Swap64 writes the word at off and returns what it was.
func (m *Mapping) Swap64(off int64, v uint64) (old uint64, err error) {
	err = onWord(m, "swap", off, Write, func(p *uint64) { old = words.Swap64(p, v) })
	return old, err
}

// CompareAndSwap64 writes the word at off if it is old, and reports whether it
// was.
func (m *Mapping) CompareAndSwap64(off int64, old, v uint64) (swapped bool, err error) {
	err = onWord(m, "compare and swap", off, Write, func(p *uint64) { swapped = words.CompareAndSwap64(p, old, v) })
	return swapped, err
}

// onWord runs f on the word at off, checked, held and guarded.
func onWord[T uint32 | uint64](m *Mapping, op string, off int64, need Protection, f func(*T)) (err error) {
	size, _ := sizeAlign[T]()
	switch {
	case !m.holds(off, size):
		return m.outOfRange(op, off, size)
	case (int64(m.lead)+off)%int64(size) != 0: // the alignment atomics need, on every architecture
		return m.refuse(op, ErrMisaligned, m.misaligned(off, size))
	case !m.allows(need) && need == Read:
		return m.refuse(op, ErrNotReadable, "")
	case !m.allows(need):
		return m.refuse(op, ErrReadOnly, "")
	}
	if err := m.pin(); err != nil {
		return m.refuse(op, err, "")
	}
	defer func() {
		if e := m.unpin(); err == nil {
			err = e
		}
	}()
	err = Guard(func() { f(at[T](m.bytes(int(off), size))) })
	if fault, ok := err.(*FaultError); ok {
		fault.knownAs(need)
	}
	return err
}

// misaligned says what is wrong with off for something that needs a multiple of
// align in memory.
func (m *Mapping) misaligned(off int64, align int) string {
	if m.lead%align == 0 {
		return fmt.Sprintf("offset %d is no multiple of %d", off, align)
	}
	return fmt.Sprintf("offset %d of a mapping that begins %d bytes into a page is no multiple of %d in memory", off, m.lead, align)
}
