package proc

import (
	"bytes"

	"github.com/shmkit/shmkit/internal/sys"
)

// Smaps is what smaps tells of a mapping: bytes. What a kernel does not tell is 0.
type Smaps struct {
	Map
	PageSize     uint64
	Rss          uint64 // in the page tables of the process; 0 for pages of hugetlbfs
	Pss          uint64 // the same, each page divided by how many map it
	SharedClean  uint64
	SharedDirty  uint64
	PrivateClean uint64
	PrivateDirty uint64
	Referenced   uint64
	Anonymous    uint64
	AnonHuge     uint64
	ShmemHuge    uint64
	FileHuge     uint64
	SharedTLB    uint64 // pages of hugetlbfs that several map
	PrivateTLB   uint64
	Swap         uint64
	SwapPss      uint64
	Locked       uint64 // each page divided by how many map it
	// Flags is the text of VmFlags, which lies in the buffer: two letters each.
	Flags []byte
}

// HasFlag reports whether VmFlags has two letters: "lo" for locked.
func (s *Smaps) HasFlag(two string) bool {
	for f := range bytes.FieldsSeq(s.Flags) {
		if string(f) == two {
			return true
		}
	}
	return false
}

// Resident returns how much of the mapping is in the page tables of the process.
func (s *Smaps) Resident() uint64 { return s.Rss + s.SharedTLB + s.PrivateTLB }

// OfObject returns how much of that is of what is mapped: without the copies that stores into a private mapping made.
func (s *Smaps) OfObject() uint64 { return s.Resident() - min(s.Anonymous, s.Resident()) }

// Huge returns how much of it is in huge pages of any sort.
func (s *Smaps) Huge() uint64 {
	return s.AnonHuge + s.ShmemHuge + s.FileHuge + s.SharedTLB + s.PrivateTLB
}

// Smaps calls f with every mapping of the process, by address, until it returns false. The kernel
// counts pages for it: many times the work of Maps.
func (p Process) Smaps(f func(s *Smaps) bool) error {
	parser := smapsParser{f: f}
	if err := p.b.lines(p.dir, smapsName, parser.line); err != nil {
		return err
	}
	parser.end()
	return nil
}

// Rollup returns the sums of all mappings of the process.
func (p Process) Rollup() (sum Smaps, err error) {
	parser := smapsParser{f: func(s *Smaps) bool { sum = *s; sum.Path, sum.Flags = nil, nil; return false }}
	if err := p.b.lines(p.dir, rollupName, parser.line); err != nil {
		return sum, err
	}
	parser.end()
	return sum, nil
}

// A smapsParser takes line after line, and tells of a mapping when the next one begins.
type smapsParser struct {
	f       func(s *Smaps) bool
	s       Smaps
	have    bool
	path    []byte // copies: the lines are gone by the end of the mapping
	flags   []byte
	stopped bool
}

func (p *smapsParser) line(line []byte) bool {
	// "Rss:      12 kB", but "7f00-7f10 rw-s 00000000 …" for a new one.
	name, rest, found := bytes.Cut(line, []byte(":"))
	if found && !bytes.ContainsAny(name, " -") {
		p.field(name, rest)
		return true
	}
	m, ok := sys.ParseMapsLine(line)
	if !ok {
		return true
	}
	if p.end(); p.stopped {
		return false
	}
	p.path = append(p.path[:0], m.Path...)
	m.Path = p.path
	p.s, p.have = Smaps{Map: m}, true
	return true
}

// end tells of the mapping that was read.
func (p *smapsParser) end() {
	if p.have && !p.stopped {
		p.have = false
		p.stopped = !p.f(&p.s)
	}
}

func (p *smapsParser) field(name, rest []byte) {
	if string(name) == "VmFlags" {
		p.flags = append(p.flags[:0], bytes.TrimSpace(rest)...)
		p.s.Flags = p.flags
		return
	}
	n, ok := kilobytes(rest)
	if !ok {
		return
	}
	switch string(name) {
	case "KernelPageSize":
		p.s.PageSize = n
	case "Rss":
		p.s.Rss = n
	case "Pss":
		p.s.Pss = n
	case "Shared_Clean":
		p.s.SharedClean = n
	case "Shared_Dirty":
		p.s.SharedDirty = n
	case "Private_Clean":
		p.s.PrivateClean = n
	case "Private_Dirty":
		p.s.PrivateDirty = n
	case "Referenced":
		p.s.Referenced = n
	case "Anonymous":
		p.s.Anonymous = n
	case "AnonHugePages":
		p.s.AnonHuge = n
	case "ShmemPmdMapped":
		p.s.ShmemHuge = n
	case "FilePmdMapped":
		p.s.FileHuge = n
	case "Shared_Hugetlb":
		p.s.SharedTLB = n
	case "Private_Hugetlb":
		p.s.PrivateTLB = n
	case "Swap":
		p.s.Swap = n
	case "SwapPss":
		p.s.SwapPss = n
	case "Locked":
		p.s.Locked = n
	}
}
