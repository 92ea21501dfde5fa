package inspect

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/shmkit/shmkit/internal/proc"
)

// A memory is something that processes map or have open, as a walk found it.
type memory struct {
	id   ID
	path string // as the kernel has it, without " (deleted)"
	gone bool   // the path had " (deleted)"
	maps []mapped
	fds  []descriptor
}

// mapped is one line of maps.
type mapped struct {
	pid   int32
	Range // by far the most of what a snapshot holds
}

// A descriptor is one of a process.
type descriptor struct{ pid, fd int32 }

// What the path in maps, and the link of a descriptor, begin with or are.
var (
	memfdPath   = []byte("/memfd:")
	segmentPath = []byte("/SYSV")
	zeroPath    = []byte("/dev/zero (deleted)")
	hugePath    = []byte("/anon_hugepage (deleted)")
	namedPath   = []byte("[anon_shmem:") // by prctl(PR_SET_VMA_ANON_NAME)
	deletedPath = []byte(" (deleted)")
)

// classOf tells the sort of memory by the path in maps.
func classOf(path []byte) Class {
	switch {
	case len(path) == 0:
		return NoClass
	case bytes.Equal(path, zeroPath), bytes.Equal(path, hugePath), bytes.HasPrefix(path, namedPath):
		return AnonymousClass
	case path[0] != '/':
		return NoClass
	case bytes.HasPrefix(path, memfdPath) && bytes.HasSuffix(path, deletedPath):
		return MemfdClass
	case bytes.HasPrefix(path, segmentPath) && bytes.HasSuffix(path, deletedPath):
		return SegmentClass
	}
	return FileClass
}

// idOf returns what the memory of a mapping is known by. A segment is its number in a namespace,
// whatever device it is on, so that one that nobody maps has an ID as well. The first of a namespace has the number 0.
func idOf(m *proc.Map, namespace func() uint64) ID {
	id := ID{Class: classOf(m.Path), Major: m.Major, Minor: m.Minor, Inode: m.Inode}
	switch {
	case id.Class == NoClass:
		return ID{}
	case id.Class == SegmentClass:
		id.Major, id.Minor, id.Namespace = 0, 0, namespace()
	}
	return id
}

// protectionOf translates "rw-s".
func protectionOf(perms [4]byte) (p Protection) {
	for i, letter := range []byte("rwxs") {
		if perms[i] == letter {
			p |= 1 << i
		}
	}
	return p
}

// shared reports whether it counts as shared memory: somebody maps it shared for writing, or more than one
// process does so for whatever.
func (m *memory) shared() bool {
	first := int32(-1)
	for i := range m.maps {
		p := m.maps[i].Protection
		switch {
		case p&SharedMapping == 0:
		case p&Write != 0, first >= 0 && first != m.maps[i].pid:
			return true
		default:
			first = m.maps[i].pid
		}
	}
	return false
}

// add takes over what another walker found of the same memory. Each of them went through processes by PID, and through
// a process by address.
func (m *memory) add(o *memory) {
	both := make([]mapped, 0, len(m.maps)+len(o.maps))
	a, b := m.maps, o.maps
	for len(a) > 0 && len(b) > 0 {
		if a[0].pid < b[0].pid {
			both, a = append(both, a[0]), a[1:]
		} else {
			both, b = append(both, b[0]), b[1:]
		}
	}
	m.maps = append(append(both, a...), b...)
	m.fds = append(m.fds, o.fds...)
}

// sort puts descriptors in order: they come as the kernel and the walkers have them.
func (m *memory) sort() {
	slices.SortFunc(m.fds, func(a, b descriptor) int { return cmp.Or(cmp.Compare(a.pid, b.pid), cmp.Compare(a.fd, b.fd)) })
}

// pids returns how many processes have it, at most.
func (m *memory) pids() (n int) {
	last := int32(-1)
	for i := range m.maps {
		if m.maps[i].pid != last {
			last = m.maps[i].pid
			n++
		}
	}
	return n + len(m.fds)
}

// reach returns how far mappings reach into it.
func (m *memory) reach() (n uint64) {
	for i := range m.maps {
		n = max(n, m.maps[i].Offset+m.maps[i].Len())
	}
	return n
}
