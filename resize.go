package shmkit

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Resize makes the mapping n bytes long, n ≥ 1, without a change of what is mapped: of a
// file it shows more or less. What lies behind the file's end faults (ErrTruncated)
// until the file is grown. What is added may be used as Protection says, and is neither
// locked nor advised. What is cut off is gone from this mapping, private copies too.
//
// Shrinking is refused while a view reaches beyond n (ErrInUse). Growing happens in
// place if there is room behind, also with views open: in the address space that was
// reserved when the memory was mapped, or that happens to be free. Otherwise the
// mapping moves to other addresses, with its private pages, locks and advice, which is
// refused while a view is open or a goroutine is inside an accessor (ErrInUse). Slices
// from Bytes keep their length, and fault with ErrUnmapped where the mapping has gone.
//
// When it fails, the mapping is as it was, though it may have moved already.
//
// ErrUnsupported: the memory is a System V segment, which has one size for ever.
func (m *Mapping) Resize(n int64) error {
	if m.backing == nil {
		return m.refuse("resize", ErrUnsupported, "it has one size for ever")
	}
	if n < 1 || n > math.MaxInt64/2 {
		return &OpError{Op: "resize", Mapping: m.name, Len: n, Err: syscall.EINVAL, Hint: "a mapping has 1 to 2^62 bytes"}
	}
	if err := m.pin(); err != nil {
		return m.refuse("resize", err, "")
	}
	err := m.resizeInPlace(n)
	if e := m.unpin(); e != nil {
		return e
	}
	if err != errMustMove {
		return err
	}
	if err := m.acquire("resize"); err != nil {
		var refused *AccessError
		if errors.As(err, &refused) && errors.Is(err, ErrInUse) {
			refused.Detail = "there is no room behind it, and a mapping in use cannot move; close the view, or reserve address space when mapping"
		}
		return err
	}
	defer m.state.Store(0)
	// Somebody else may have resized it meanwhile.
	if err := m.resizeInPlace(n); err != errMustMove {
		return err
	}
	return m.move(n)
}

// errMustMove: the addresses behind the mapping are taken.
var errMustMove = errors.New("no room behind the mapping")

// pages returns how many bytes of whole pages n bytes of the mapping take.
func (m *Mapping) pages(n int64) int {
	page := int64(m.pageSize)
	return int((n + int64(m.lead) + page - 1) / page * page)
}

// resizeInPlace is Resize where no address changes. The caller holds a pin, or made m
// busy. The lock of the views keeps two of them, views that are being made, and Protect
// apart.
func (m *Mapping) resizeInPlace(n int64) error {
	m.views.mu.Lock()
	defer m.views.mu.Unlock()
	if end := m.views.end(); n < end {
		return m.refuse("resize", ErrInUse, fmt.Sprintf("a view reaches to %d", end))
	}
	want, before := m.pages(n), m.length.Load()
	switch have := mappings.mappedBytes(m); {
	case want < have:
		m.length.Store(n) // first: nobody begins anew behind it
		if err := sys.Reserve(m.base()+uintptr(want), have-want); err != nil {
			m.length.Store(before)
			return m.resizeFailed(n, err)
		}
		mappings.setMapped(m, want)
		return nil
	case want > have:
		if err := m.extend(n, have, want); err != nil {
			return err
		}
	}
	m.length.Store(n)
	return nil
}

// extend maps what lies between have and want bytes behind the first page, for n bytes.
func (m *Mapping) extend(n int64, have, want int) error {
	if more := want - mappings.sizeOf(m); more > 0 {
		if err := mappings.grow(m, more); err != nil {
			return errMustMove
		}
	}
	if err := m.backing.MapAt(m.base()+uintptr(have), m.from+have, want-have, int(m.prot.Load())); err != nil {
		// MAP_FIXED may have unmapped the addresses before it failed.
		_ = sys.ReserveAt(m.base()+uintptr(have), want-have)
		return m.resizeFailed(n, err)
	}
	mappings.setMapped(m, want)
	return nil
}

// move takes the mapping to addresses where n bytes have room, and resizes it there.
// The caller made m busy, and n bytes are more than there are.
func (m *Mapping) move(n int64) error {
	mapped, want := mappings.mappedBytes(m), m.pages(n)
	to, err := sys.ReserveAligned(want, m.pageSize)
	if err != nil {
		return m.resizeFailed(n, err)
	}
	if err := m.moveAreas(to, mapped, want); err != nil {
		return m.resizeFailed(n, err)
	}
	if err := mappings.move(m, to, want); err != nil {
		return m.resizeFailed(n, err)
	}
	if err := m.extend(n, mapped, want); err != nil {
		return err
	}
	m.length.Store(n)
	return nil
}

func (m *Mapping) resizeFailed(n int64, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOMEM):
		hint = "the process's address space or memory is used up (ulimit -v, ulimit -l, vm.max_map_count)"
	case errors.Is(err, syscall.EAGAIN):
		hint = "the process may not lock that much memory (ulimit -l)"
	case errors.Is(err, syscall.EOVERFLOW):
		hint = "no file is that long"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		hint = "to move a mapping, the list of the process's mappings is read, which takes a descriptor"
	case errors.Is(err, syscall.EINVAL):
		hint = "this kernel cannot move a file's private mapping (Linux 5.13 can); reserve address space when mapping"
	}
	return &OpError{Op: "resize", Mapping: m.name, Len: n, Err: err, Hint: hint}
}
