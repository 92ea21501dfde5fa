package shmkit

import (
	"reflect"
	"sync"
	"sync/atomic"
)

// TypedView is a value of type T standing in a mapping. It holds the mapping
// until Close.
type TypedView[T any] struct {
	hold
	data *T
}

// SliceView is a run of values of type T standing in a mapping. It holds the
// mapping until Close.
type SliceView[T any] struct {
	hold
	data []T
}

// View places a T over the mapping at offset off (bytes). T must be free of
// pointers, slices, strings and the like (ErrBadType), off a multiple of T's
// alignment (ErrMisaligned), and the value must lie in the mapping
// (ErrOutOfRange).
//
// Give T fixed-width fields, explicit padding and structs.HostLayout, and touch
// what several processes write with sync/atomic types only. On a mapping without
// Write, a store through the view faults.
func View[T any](m *Mapping, off int64) (*TypedView[T], error) {
	v := &TypedView[T]{hold: hold{m: m}}
	b, err := place[T](&v.hold, off, 1)
	if err != nil {
		return nil, err
	}
	v.data = at[T](b)
	return v, nil
}

// ViewSlice places n values of T, n ≥ 1, over the mapping at offset off; the
// conditions are those of View. ViewSlice[byte] is the way to hold a mapping
// while working on its bytes.
func ViewSlice[T any](m *Mapping, off int64, n int) (*SliceView[T], error) {
	v := &SliceView[T]{hold: hold{m: m}}
	b, err := place[T](&v.hold, off, n)
	if err != nil {
		return nil, err
	}
	v.data = sliceAt[T](b, n)
	return v, nil
}

// Data returns the value in shared memory, nil once the view is closed. Keep no
// copy of the pointer beyond Close.
func (v *TypedView[T]) Data() *T {
	if v.self.Load() == nil {
		return nil
	}
	return v.data
}

// Data returns the values in shared memory, nil once the view is closed. Keep no
// copy of the slice beyond Close.
func (v *SliceView[T]) Data() []T {
	if v.self.Load() == nil {
		return nil
	}
	return v.data
}

// hold is the part of a view that keeps the mapping.
type hold struct {
	// self is the hold itself while it holds: a copy of a view gives nothing back.
	self atomic.Pointer[hold]
	m    *Mapping
	end  int64 // offset behind the last byte; immutable

	prev, next *hold // in the mapping's list, protected by its lock
}

// Mapping returns the mapping that the view stands in.
func (h *hold) Mapping() *Mapping { return h.m }

// Close ends the view. If the mapping was closed meanwhile and this was the last
// to hold it, the memory is unmapped now. A second Close does nothing.
func (h *hold) Close() error {
	if !h.self.CompareAndSwap(h, nil) {
		return nil
	}
	if h.m.backing != nil {
		h.m.views.remove(h)
	}
	return h.m.unpin()
}

// viewList is the open views of a mapping that can be resized; of one that cannot, such as
// a System V segment's, the pins say enough. Its lock is also what keeps the length from
// shrinking under a view that is being made.
type viewList struct {
	mu    sync.Mutex
	first *hold
}

// add links h if its end lies within what length is now.
func (l *viewList) add(h *hold, length *atomic.Int64) bool {
	l.mu.Lock()
	if h.end > length.Load() {
		l.mu.Unlock()
		return false
	}
	if h.next = l.first; h.next != nil {
		h.next.prev = h
	}
	l.first = h
	l.mu.Unlock()
	return true
}

func (l *viewList) remove(h *hold) {
	l.mu.Lock()
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		l.first = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	h.prev, h.next = nil, nil
	l.mu.Unlock()
}

// end returns the offset behind the last byte that a view shows. l.mu is held.
func (l *viewList) end() int64 {
	end := int64(0)
	for h := l.first; h != nil; h = h.next {
		end = max(end, h.end)
	}
	return end
}

// place checks that n values of T may stand at off, pins m for h, and returns the
// bytes.
func place[T any](h *hold, off int64, n int) ([]byte, error) {
	m := h.m
	t := reflect.TypeFor[T]()
	if err := checkType(t); err != nil {
		return nil, m.refuse("view", err, "")
	}
	size, align := sizeAlign[T]()
	length := m.length.Load()
	outOfRange := func() error {
		return &AccessError{Op: "view " + t.String() + " in", Mapping: m.name, Off: off,
			Len: saturate(n, size), Size: m.length.Load(), Err: ErrOutOfRange}
	}
	if n < 1 || off < 0 || off > length || int64(n) > (length-off)/int64(size) {
		return nil, outOfRange()
	}
	if (int64(m.lead)+off)%int64(align) != 0 {
		return nil, m.refuse("view", ErrMisaligned, t.String()+": "+m.misaligned(off, align))
	}
	if err := m.pin(); err != nil {
		return nil, m.refuse("view", err, "")
	}
	h.end = off + int64(n*size)
	if m.backing != nil && !m.views.add(h, &m.length) { // it shrank meanwhile
		_ = m.unpin()
		return nil, outOfRange()
	}
	h.self.Store(h)
	return m.raw(int(off), n*size), nil
}

// saturate is n·size for an error message: it does not overflow.
func saturate(n, size int) int64 {
	if n > 0 && int64(n) > (1<<63-1)/int64(size) {
		return 1<<63 - 1
	}
	return int64(n) * int64(size)
}
