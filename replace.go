package shmkit

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
)

// ReplaceMapping closes old and makes a Mapping in its place: place must map new
// memory over the range it is given. old must have no open view, and no goroutine
// inside an accessor (ErrInUse). Other uses of old meanwhile wait. When place
// fails, old stays as it is. Like NewMapping it serves this module only.
func ReplaceMapping(old *Mapping, place func(addr uintptr, size int) (vm.Area, error)) (*Mapping, error) {
	if err := old.acquire("replace"); err != nil {
		return nil, err
	}
	area, err := place(old.base(), old.size)
	if err != nil || area.Spec() == nil {
		old.state.Store(0)
		if err != nil {
			return nil, err
		}
	}
	a := spec(area)
	m := newMapping(a)
	m.exposed.Store(old.exposed.Load()) // pointers into the range go on working
	instead := []*Mapping{m}
	var tail *Mapping
	if rest := old.size - a.Size; rest > 0 {
		tail = &Mapping{size: rest, mapped: rest, pageSize: old.pageSize, name: old.name, start: a.Size - old.lead, unmap: sys.Munmap}
		tail.self = tail
		tail.addr.Store(old.base() + uintptr(a.Size))
		tail.length.Store(int64(rest))
		tail.exposed.Store(old.exposed.Load())
		instead = append(instead, tail)
	}
	mappings.replace(old, instead...)
	old.state.Store(closedBit)
	if tail != nil {
		err = tail.Close()
	}
	if old.backing != nil {
		if e := old.backing.Release(); err == nil {
			err = e
		}
	}
	return m, err
}

// Split makes two mappings of one: the bytes before off and those from off on. off
// (bytes) must lie inside the mapping and where a page begins (ErrMisaligned). m is
// closed; nothing is unmapped, and slices that Bytes gave out go on working. There
// must be no open view of m, and no goroutine inside an accessor (ErrInUse).
//
// It is how a part of a mapping is unmapped (close it) or replaced by something
// else (the Replace option of what maps that) while the rest stays. The kernel does
// the same: it cuts one area into several, each with an attach count of its own for
// a System V segment.
func (m *Mapping) Split(off int64) (head, tail *Mapping, err error) {
	if n := m.length.Load(); off <= 0 || off >= n {
		return nil, nil, m.outOfRange("split", off, 0)
	}
	if (off+int64(m.lead))%int64(m.pageSize) != 0 {
		return nil, nil, m.refuse("split", ErrMisaligned, m.nearestPage(off))
	}
	if err := m.acquire("split"); err != nil {
		return nil, nil, err
	}
	if off >= m.length.Load() { // somebody resized it
		m.state.Store(0)
		return nil, nil, m.outOfRange("split", off, 0)
	}
	cut := int(off) + m.lead
	part := func(skip, size, mapped, lead int, length int64) *Mapping {
		p := &Mapping{name: m.name, lead: lead, pageSize: m.pageSize, size: size, mapped: mapped,
			start: m.start, from: m.from + skip, unmap: m.unmap, backing: m.backing}
		p.self = p
		p.addr.Store(m.base() + uintptr(skip+lead))
		p.length.Store(length)
		p.prot.Store(m.prot.Load())
		p.exposed.Store(m.exposed.Load())
		p.everLocked.Store(m.everLocked.Load())
		return p
	}
	head = part(0, cut, cut, m.lead, off)
	tail = part(cut, m.size-cut, m.mapped-cut, 0, m.length.Load()-off)
	if m.backing != nil {
		m.backing.Retain() // one for two
	}
	mappings.replace(m, head, tail)
	m.state.Store(closedBit)
	return head, tail, nil
}

// acquire makes m busy: alone in its addresses until state is stored anew.
func (m *Mapping) acquire(op string) error {
	if m.self != m {
		return m.refuse(op, ErrClosed, "")
	}
	for !m.state.CompareAndSwap(0, busyBit) {
		switch s := m.settled(); {
		case s&closedBit != 0:
			return m.refuse(op, ErrClosed, "")
		case s != 0:
			return m.refuse(op, ErrInUse, "")
		}
	}
	return nil
}

// nearestPage says where pages begin around off.
func (m *Mapping) nearestPage(off int64) string {
	page := int64(m.pageSize)
	before := (off+int64(m.lead))/page*page - int64(m.lead)
	return fmt.Sprintf("offset %d is not where a page begins; %d and %d are", off, max(before, 0), before+page)
}
