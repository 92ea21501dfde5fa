package shmkit

import (
	"fmt"
	"slices"
	"sync"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
)

// shrinking lets one Shrink at a time hold the locks of several lists of views.
var shrinking sync.Mutex

// Shrink shortens an object and what m shows of it in one step: it calls c.Do, which
// cuts the object off at c.End, while no view of any mapping of the object, be it m or
// another, reaches beyond (ErrInUse, and nothing is done). m becomes n bytes long; with
// n 0 it shows nothing, and is to be closed. m may be nil. When c.Do fails, everything
// is as before. Like NewMapping it serves this module only.
func Shrink(c vm.Cut, m *Mapping, n int64) (err error) {
	shrinking.Lock()
	defer shrinking.Unlock()
	if m != nil {
		if err := m.pin(); err != nil {
			return m.refuse("shrink", err, "")
		}
		defer func() {
			if e := m.unpin(); err == nil {
				err = e
			}
		}()
	}
	for _, other := range mappings.of(c.Object) {
		other.views.mu.Lock()
		defer other.views.mu.Unlock()
		end := other.views.end()
		if end == 0 {
			continue
		}
		left := c.End
		if other == m && n > 0 {
			left = min(left, other.offset()+n)
		} else if other == m { // it goes as a whole
			left = min(left, other.offset())
		}
		if at := other.offset() + end; at > left {
			return other.refuse("shrink", ErrInUse, fmt.Sprintf("a view reaches to %d of %d bytes that are to be left", at, left))
		}
	}
	if m == nil {
		return c.Do()
	}
	old := m.length.Load()
	m.length.Store(min(n, old)) // first: nobody begins anew behind it
	if err := c.Do(); err != nil {
		m.length.Store(old)
		return err
	}
	if n > 0 {
		m.cut(m.pages(min(n, old)))
	}
	return nil
}

// cut reserves the addresses behind the first want bytes. Should the kernel refuse,
// for a process may have so many areas only (vm.max_map_count), they go on showing what
// they showed, and nobody is let in.
func (m *Mapping) cut(want int) {
	have := mappings.mappedBytes(m)
	if want < have && sys.Reserve(m.base()+uintptr(want), have-want) == nil {
		mappings.setMapped(m, want)
	}
}

// offset returns where m begins in the object of which it shows a part.
func (m *Mapping) offset() int64 {
	_, off := m.backing.Object()
	return off + int64(m.from+m.lead)
}

// of returns the mappings of an object.
func (r *registry) of(object any) []*Mapping {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.byAddr), func(m *Mapping) bool {
		if m.backing == nil {
			return true
		}
		o, _ := m.backing.Object()
		return o != object
	})
}
