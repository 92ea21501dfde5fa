package shmkit

import (
	"slices"
	"sync"

	"github.com/shmkit/shmkit/internal/sys"
)

// Bounds of the address space that stays reserved after Close; see the package
// comment.
const (
	maxQuarantined      = 4096
	maxQuarantinedBytes = 1 << 40
)

// registry knows every mapping of the process by its addresses. Only a fault, a
// map and an unmap ask it.
type registry struct {
	mu     sync.Mutex
	byAddr []*Mapping // by address, no two overlap; closed ones in quarantine too
	// retired: closed mappings whose addresses are still reserved, oldest first.
	retired      []*Mapping
	retiredBytes int
}

// mappings is the process's address space, of which there is one: a fault only
// tells an address.
var mappings registry

func (r *registry) add(m *Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.insert(m)
}

// insert is add with r.mu held.
func (r *registry) insert(m *Mapping) {
	i, _ := r.search(m.base())
	r.byAddr = slices.Insert(r.byAddr, i, m)
}

func (r *registry) remove(m *Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(m)
}

// replace is remove(old) and add of those instead, in one step: a fault in the
// range always finds one of them.
func (r *registry) replace(old *Mapping, instead ...*Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(old)
	for _, m := range instead {
		r.insert(m)
	}
}

// resize corrects the size of m to what the kernel mapped.
func (r *registry) resize(m *Mapping, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.size, m.mapped = size, size
}

// setMapped says how much of m shows something from now on.
func (r *registry) setMapped(m *Mapping, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.mapped = n
}

// sizeOf returns how many bytes of addresses belong to m.
func (r *registry) sizeOf(m *Mapping) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.size
}

// grow reserves the addresses behind m for it, if they are free.
func (r *registry) grow(m *Mapping, more int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := sys.ReserveAt(m.base()+uintptr(m.size), more); err != nil {
		return err
	}
	m.size += more
	return nil
}

// move says that m, which is busy, stands in the size bytes at to now. If a pointer to
// where it was may be about, those addresses stay reserved.
func (r *registry) move(m *Mapping, to uintptr, size int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(m)
	left := &Mapping{name: m.name, lead: m.lead, start: m.start, size: m.size, moved: true}
	left.self = left
	left.addr.Store(m.addr.Load())
	left.state.Store(closedBit)
	m.addr.Store(to + uintptr(m.lead))
	m.size = size
	r.insert(m)
	if !m.exposed.Load() {
		return sys.Munmap(left.base(), left.size)
	}
	if err := sys.Reserve(left.base(), left.size); err != nil { // too many areas: better gone than still showing the file
		return sys.Munmap(left.base(), left.size)
	}
	r.insert(left)
	return r.retire(left)
}

// drop is remove with r.mu held.
func (r *registry) drop(m *Mapping) {
	if i, ok := r.search(m.base()); ok && r.byAddr[i] == m {
		r.byAddr = slices.Delete(r.byAddr, i, i+1)
	}
}

// quarantine keeps the addresses of m, which are reserved by now, and returns
// those of the oldest mappings past the bounds to the kernel.
func (r *registry) quarantine(m *Mapping) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.retire(m)
}

// retire is quarantine with r.mu held.
func (r *registry) retire(m *Mapping) error {
	r.retired = append(r.retired, m)
	r.retiredBytes += m.size
	most := reservable(sys.AddressSpaceLimit())
	for len(r.retired) > maxQuarantined || r.retiredBytes > most && len(r.retired) > 1 {
		old := r.retired[0]
		r.retired = slices.Delete(r.retired, 0, 1)
		r.retiredBytes -= old.size
		r.drop(old)
		if err := sys.Munmap(old.base(), old.size); err != nil {
			return err
		}
	}
	return nil
}

// reservable returns how many bytes of addresses may stay reserved in a process
// whose address space is limited (RLIMIT_AS): an eighth of it, for what is
// reserved counts.
func reservable(limit uint64) int { return int(min(limit/8, maxQuarantinedBytes)) }

// find returns the mapping that addr lies in, nil if none, and how many bytes addr
// lies behind its first.
func (r *registry) find(addr uintptr) (*Mapping, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.search(addr)
	if !ok {
		i--
	}
	if i < 0 {
		return nil, 0
	}
	m := r.byAddr[i]
	if at := addr - m.base(); at < uintptr(m.size) {
		return m, int(at)
	}
	return nil, 0
}

// mappedBytes returns how much of m shows something.
func (r *registry) mappedBytes(m *Mapping) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.mapped
}

// search returns where addr stands or would stand in byAddr.
func (r *registry) search(addr uintptr) (int, bool) {
	return slices.BinarySearchFunc(r.byAddr, addr, func(m *Mapping, a uintptr) int {
		switch {
		case m.base() < a:
			return -1
		case m.base() > a:
			return 1
		}
		return 0
	})
}
