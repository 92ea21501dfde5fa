package shmkit

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
)

// Protection says what may be done with the memory of a mapping.
type Protection uint8

// Protection bits.
const (
	Read Protection = 1 << iota
	Write
	Exec
)

// String returns the protection as /proc/self/maps shows it: "rw-".
func (p Protection) String() string {
	b := []byte("---")
	for i, c := range "rwx" {
		if p&(1<<i) != 0 {
			b[i] = byte(c)
		}
	}
	return string(b)
}

// Mapping is one process's view of a piece of shared memory. Its methods may be
// called by any number of goroutines at once, Close among them.
type Mapping struct {
	// self is the mapping itself. A copy, or a zero Mapping, is a closed one: counting
	// pins for itself, it would unmap what the other's views show.
	self *Mapping

	// Immutable.
	name     string
	lead     int // bytes mapped before addr, which need not begin a page
	pageSize int
	start    int // offset of addr in what name means; 0 but for what ReplaceMapping cut off
	from     int // offset of the first page in what backing counts from
	unmap    func(addr uintptr, size int) error
	backing  vm.Backing // nil if the memory is not a file's

	// addr changes when Resize moves the mapping, length when it resizes it; who
	// holds a pin sees no change of addr.
	addr   atomic.Uintptr
	length atomic.Int64
	prot   atomic.Uint32 // Protection, of some part at least

	// Addresses from addr-lead on, in bytes, under the registry's lock: size is all
	// that belong to the mapping, mapped those that show something.
	size, mapped int
	// moved: these are the addresses that another mapping has left.
	moved bool

	// state counts the pins and holds closedBit and busyBit. The memory goes when
	// closedBit is set and no pin is left, whoever comes last.
	state atomic.Int64
	// exposed: a raw pointer into the memory may have outlived its view.
	exposed atomic.Bool
	// everLocked: Lock or LockOnFault was called, on some part.
	everLocked atomic.Bool

	views viewList
}

const (
	closedBit = 1 << 62
	// busyBit: ReplaceMapping, Split or Resize is at work. It stands alone, and whoever
	// comes waits for the outcome: closed, or as before.
	busyBit = 1 << 61
)

// NewMapping makes a Mapping of memory that a package of this module mapped. It
// cannot be called from outside, where its argument has no name.
func NewMapping(a vm.Area) *Mapping {
	m := newMapping(spec(a))
	mappings.add(m)
	return m
}

// spec panics for the zero Area, which is all that can be made outside.
func spec(a vm.Area) *vm.Spec {
	if a.Spec() == nil {
		panic("shmkit: a Mapping is made by a source of memory, such as package sysv")
	}
	return a.Spec()
}

// newMapping is NewMapping without the registry.
func newMapping(a *vm.Spec) *Mapping {
	m := &Mapping{lead: a.Lead, size: a.Size, mapped: a.Mapped, pageSize: a.PageSize, name: a.Name, unmap: a.Unmap, backing: a.Backing}
	if m.mapped == 0 {
		m.mapped = a.Size
	}
	if m.pageSize == 0 {
		m.pageSize = os.Getpagesize()
	}
	m.self = m
	m.addr.Store(a.Addr)
	m.length.Store(int64(a.Len))
	var prot Protection
	if a.Readable {
		prot |= Read
	}
	if a.Writable {
		prot |= Write
	}
	if a.Exec {
		prot |= Exec
	}
	m.prot.Store(uint32(prot))
	return m
}

// Len returns the length in bytes.
func (m *Mapping) Len() int { return int(m.length.Load()) }

// Protection returns what may be done with the memory: what the mapping was made
// for, or what Protect made of it since. If that differs between its parts, it is
// what may be done with some of them.
func (m *Mapping) Protection() Protection { return Protection(m.prot.Load()) }

// Addr returns the address of the first byte in this process, for people and for
// comparison with /proc/self/maps. Other processes see the same memory elsewhere.
// Resize may change it.
func (m *Mapping) Addr() uintptr { return m.addr.Load() }

// Name returns what is mapped, as an address of the shmkit command
// ("sysv:0x5eed").
func (m *Mapping) Name() string { return m.name }

// String describes the mapping for people.
func (m *Mapping) String() string {
	return fmt.Sprintf("%s at %#x, %d bytes, %s", m.name, m.Addr(), m.Len(), m.Protection())
}

// Bytes returns the memory as a slice, nil once the mapping is closed. It does
// not hold the mapping: whoever uses the slice must know that nobody closes the
// mapping meanwhile, or use ViewSlice. A use after Close faults.
//
// Writing to the slice of a mapping without Write faults too. Guard turns both
// into errors.
func (m *Mapping) Bytes() []byte {
	if m.pin() != nil {
		return nil
	}
	b := m.raw(0, m.Len())
	_ = m.unpin()
	return b
}

// Close ends the mapping: no new use of it begins. The memory is unmapped at
// once, or, while views are open or other goroutines are inside an accessor,
// when the last of them is done; the error of that later unmapping comes from
// the Close of the view. Close never removes what is mapped. A second Close does
// nothing and returns nil.
func (m *Mapping) Close() error {
	if m.self != m {
		return nil
	}
	for {
		s := m.settled()
		if s&closedBit != 0 {
			return nil
		}
		if m.state.CompareAndSwap(s, s|closedBit) {
			if s == 0 {
				return m.release()
			}
			return nil
		}
	}
}

// Closed reports whether Close was called.
func (m *Mapping) Closed() bool { return m.self != m || m.state.Load()&closedBit != 0 }

// settled returns the state without busyBit, which it waits for: one or two
// system calls of another goroutine.
func (m *Mapping) settled() int64 {
	for {
		s := m.state.Load()
		if s&busyBit == 0 {
			return s
		}
		runtime.Gosched()
	}
}

// pin holds the memory until unpin.
func (m *Mapping) pin() error {
	if m.self != m {
		return ErrClosed
	}
	for {
		s := m.settled()
		if s&closedBit != 0 {
			return ErrClosed
		}
		if m.state.CompareAndSwap(s, s+1) {
			return nil
		}
	}
}

func (m *Mapping) unpin() error {
	if m.state.Add(-1) == closedBit {
		return m.release()
	}
	return nil
}

// raw returns n bytes of the memory from off on and remembers that it did. The
// caller holds a pin.
func (m *Mapping) raw(off, n int) []byte {
	if !m.exposed.Load() {
		m.exposed.Store(true)
	}
	return m.bytes(off, n)
}

// bytes is raw for uses that end before the pin does.
func (m *Mapping) bytes(off, n int) []byte { return sys.Bytes(m.addr.Load()+uintptr(off), n) }

// base returns where the first page begins.
func (m *Mapping) base() uintptr { return m.addr.Load() - uintptr(m.lead) }

// allows reports whether some part of the memory may be used like this.
func (m *Mapping) allows(need Protection) bool { return Protection(m.prot.Load())&need != 0 }

// release gives the memory back. If a raw pointer may be about, the addresses
// stay reserved, so that a late use faults instead of reaching what the kernel
// puts there next.
func (m *Mapping) release() error {
	err := m.giveBack()
	if m.backing != nil {
		if e := m.backing.Release(); err == nil {
			err = e
		}
	}
	return err
}

func (m *Mapping) giveBack() error {
	if !m.exposed.Load() {
		mappings.remove(m)
		return m.unmap(m.base(), m.size)
	}
	err := sys.Reserve(m.base(), m.size)
	if errors.Is(err, syscall.EINVAL) { // huge pages go as a whole, and are longer than what stands in them
		if n, ok := sys.MappedLength(m.base()); ok {
			mappings.resize(m, n)
			err = sys.Reserve(m.base(), n)
		}
	}
	if err != nil {
		mappings.remove(m)
		return m.unmap(m.base(), m.size)
	}
	return mappings.quarantine(m)
}
