package shmkit

import (
	"io"
)

// The io interfaces that a Mapping has.
var (
	_ io.ReaderAt = (*Mapping)(nil)
	_ io.WriterAt = (*Mapping)(nil)
	_ io.Closer   = (*Mapping)(nil)
)

// ReadAt copies from offset off (bytes, 0 ≤ off) into p. At the end of the
// mapping it copies what there is and returns io.EOF, as io.ReaderAt asks. A
// fault is a *FaultError, with n = 0 and p in part overwritten.
func (m *Mapping) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, m.outOfRange("read", off, len(p))
	}
	if err := m.pin(); err != nil {
		return 0, m.refuse("read", err, "")
	}
	defer func() {
		if e := m.unpin(); err == nil {
			err = e
		}
	}()
	length := m.length.Load()
	if off >= length {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	if !m.allows(Read) {
		return 0, m.refuse("read", ErrNotReadable, "")
	}
	n = int(min(int64(len(p)), length-off))
	if err := m.copyGuarded(p[:n], m.bytes(int(off), n), Read); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt copies p to offset off. If p does not fit, nothing is written and the
// error is ErrOutOfRange; on a mapping without Write it is ErrReadOnly. A fault
// is a *FaultError, with n = 0 and the range in part overwritten.
func (m *Mapping) WriteAt(p []byte, off int64) (n int, err error) {
	if !m.holds(off, len(p)) {
		return 0, m.outOfRange("write", off, len(p))
	}
	if !m.allows(Write) {
		return 0, m.refuse("write", ErrReadOnly, "")
	}
	if err := m.pin(); err != nil {
		return 0, m.refuse("write", err, "")
	}
	defer func() {
		if e := m.unpin(); err == nil {
			err = e
		}
	}()
	if err := m.copyGuarded(m.bytes(int(off), len(p)), p, Write); err != nil {
		return 0, err
	}
	return len(p), nil
}

// holds reports whether n bytes at off lie in the mapping. Should it shrink meanwhile,
// what was cut off is still its own address space, and faults.
func (m *Mapping) holds(off int64, n int) bool {
	length := m.length.Load()
	return off >= 0 && off <= length && int64(n) <= length-off
}

func (m *Mapping) outOfRange(op string, off int64, n int) error {
	return &AccessError{Op: op, Mapping: m.name, Off: off, Len: int64(n), Size: m.length.Load(), Err: ErrOutOfRange}
}

func (m *Mapping) refuse(op string, err error, detail string) error {
	return &AccessError{Op: op, Mapping: m.name, Size: m.length.Load(), Err: err, Detail: detail}
}
