package model

import (
	"fmt"
	"maps"
	bits64 "math/bits"
	"slices"

	"pgregory.net/rapid"
)

// Random scripts. The generator plays what it has drawn on a model of its own, and looks
// there for places where something may happen: borders of areas, the end of a file, an
// object that somebody has mapped. Operations with no chance would be most of them
// otherwise.

// A generator draws the next operation of a script.
type generator struct {
	w     *World
	theme []string
	// nobody: B is another user, who cannot open what A has, nor lock anything.
	nobody bool
	disk   bool // files on disk are possible
}

// A script has as many random operations as this, at most and at least.
const (
	mostOps  = 80
	leastOps = 30
)

// randomScript generates scripts. They begin with what begin draws.
func randomScript(r *rig, nobody bool, begin func(*rapid.T) Script) *rapid.Generator[Script] {
	return rapid.Custom(func(t *rapid.T) Script {
		g := &generator{w: r.world(), nobody: nobody, disk: r.disk, theme: pick(t, "theme", themes)}
		s := begin(t)
		s.Run(g.w)
		step := rapid.Custom(func(t *rapid.T) Step {
			op := g.draw(t)
			g.w.Do(op)
			return Step{Op: op}
		})
		return slices.Concat(s, rapid.SliceOfN(step, leastOps, mostOps).Draw(t, "script"))
	})
}

// furnish begins most scripts: with a file or two that have pages, open in both
// processes, and a segment. In an empty world most operations fail.
func furnish(t *rapid.T, nobody, disk bool) Script {
	second := "A memfd fd=d1"
	if disk {
		second = "A tmpfile fd=d1"
	}
	lines := []string{"A memfd fd=d0 flags=sealing", "A truncate fd=d0 size=4p", second, "A write fd=d1 len=2p+1 val=1",
		"A shmget id=s0 key=1 size=2p mode=600 flags=creat", "B memfd fd=d1 flags=sealing", "B write fd=d1 len=3p val=2"}
	if !nobody {
		lines = append(lines, "B open fd=d0 from=A.d0 flags=r,w", "B open fd=d2 from=A.d1 flags=r")
	}
	var s Script
	for _, line := range lines {
		if chance(t, 4, "leave out") {
			continue
		}
		op, err := ParseOp(line)
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, Step{Op: op})
	}
	return s
}

// kinds are the operations by how often they are drawn.
var kinds = expand(map[string]int{
	"memfd": 4, "tmpfile": 2, "open": 5, "close": 1, "pipe": 1,
	"write": 4, "read": 3, "truncate": 5, "fallocate": 4, "size": 1, "fsync": 1, "dirty": 2, "seal": 6, "seals": 1,
	"mmap": 16, "munmap": 5, "mprotect": 10, "mremap": 12, "msync": 3, "madvise": 12, "mlock": 4, "munlock": 2, "limit": 2,
	"locked": 1, "mincore": 2,
	"shmget": 5, "shmat": 7, "shmdt": 4, "rmid": 2, "stat": 1, "chmod": 1, "shmlock": 1, "shmunlock": 1,
	"load": 10, "store": 14, "peek": 2, "copyin": 2, "copyout": 2, "maps": 1, "table": 1, "exit": 1,
})

// themes are calls that a script has more of, so that they meet in one state. Most of
// what is interesting takes several of one kind.
var themes = [][]string{
	nil,
	expand(map[string]int{"shmget": 20, "shmat": 30, "shmdt": 20, "rmid": 10, "chmod": 10, "stat": 6, "mprotect": 10, "mremap": 30, "shmlock": 10}),
	expand(map[string]int{"memfd": 10, "seal": 30, "write": 20, "truncate": 20, "fallocate": 20, "mmap": 30, "madvise": 20, "open": 15, "mprotect": 10}),
	expand(map[string]int{"mmap": 30, "mprotect": 30, "mremap": 50, "store": 30, "munmap": 10}),
	expand(map[string]int{"mmap": 30, "mlock": 30, "munlock": 10, "limit": 15, "mremap": 20, "madvise": 10, "msync": 10}),
	expand(map[string]int{"tmpfile": 10, "mmap": 20, "store": 20, "dirty": 20, "fsync": 6, "msync": 15, "write": 10, "truncate": 10}),
}

func expand(weights map[string]int) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		all = append(all, slices.Repeat([]string{name}, weights[name])...)
	}
	return all
}

func (g *generator) draw(t *rapid.T) Op {
	op := Op{Proc: pick(t, "process", []string{"A", "A", "B"})}
	p := g.process(op.Proc)
	op.Call = pick(t, "call", g.possible(op.Proc))
	if !chance(t, 6, "whether or not it makes sense") {
		op.Call = g.sensible(t, p, op.Call)
	}
	c := calls[op.Call]
	if c.takes("fd") {
		op.FD = g.descriptor(t, p)
		if op.Call == "memfd" || op.Call == "tmpfile" || op.Call == "open" {
			op.FD = fmt.Sprintf("d%d", between(t, "new descriptor", 0, 3))
		}
		if f := p.files[op.FD]; f != nil && f.object == nil && !slices.Contains(pipeCalls, op.Call) {
			op.Call = "close"
		}
	}
	if c.takes("id") {
		op.ID = g.segment(t, op.Call)
	}
	if c.takes("key") {
		op.Key = between(t, "key", 0, 3)
	}
	if c.takes("val") {
		op.Val = byte(between(t, "value", 1, 9))
	}
	if c.takes("mode") {
		op.Mode = pick(t, "mode", []int{0o600, 0o600, 0o600, 0o666, 0o400, 0o200, 0o644, 0})
	}
	if c.takes("addr") {
		g.place(t, p, &op)
	}
	switch op.Call {
	case "mmap":
		g.mmap(t, p, &op)
	case "mprotect":
		op.Prot = g.protection(t)
	case "mremap":
		g.mremap(t, p, &op)
	case "madvise":
		op.Flags = pick(t, "advice", advices)
		if a := p.space.find(pageOf(op.Addr)); op.Flags == "free" && (a == nil || a.file == nil && a.lock == unlocked) {
			op.Flags = "dontneed" // what is freed may stay for a while
		}
	case "mlock":
		op.Flags = pick(t, "flags", []Flags{"", "", "", "onfault", "onfault", "unknown"})
	case "msync":
		op.Flags = pick(t, "flags", []Flags{"sync", "async", "", "invalidate", "sync,invalidate", "sync,async", "unknown"})
	case "limit":
		op.Size = PageSize * pick(t, "limit", []int64{0, 0, 0, 1, 2, 4, 4, 8})
	case "shmget":
		op.Size = pick(t, "size", []int64{1, PageSize, PageSize, 2 * PageSize, 2 * PageSize, 3*PageSize + 1, 5 * PageSize, 5*PageSize + 1, 0})
		op.Flags = pick(t, "flags", []Flags{"creat", "creat", "creat", "creat,excl", ""})
	case "shmat":
		g.shmat(t, &op)
	case "shmdt":
		g.attached(t, p, &op)
	default:
		g.file(t, p, &op)
	}
	return op
}

// sensible puts what makes something in place of a call that has nothing to work on.
func (g *generator) sensible(t *rapid.T, p *Process, name string) string {
	c := calls[name]
	switch {
	case name == "mmap", name == "shmget", name == "pipe", name == "open", name == "tmpfile":
	case c.takes("fd") && len(p.files) == 0:
		return "memfd"
	case c.takes("id") && len(g.w.Registry.segments) == 0:
		return "shmget"
	case c.takes("addr") && name != "shmat" && len(p.space.areas) <= between(t, "areas", 0, 3):
		return "mmap"
	}
	return name
}

// pipeCalls are the calls on a pipe that the model has an opinion on.
var pipeCalls = []string{"memfd", "tmpfile", "pipe", "open", "close", "mmap", "read", "write", "truncate", "fsync", "seals"}

// possible are the calls that make sense for the process.
func (g *generator) possible(proc string) []string {
	var all []string
	p := g.process(proc)
	for _, name := range slices.Concat(kinds, g.theme) {
		switch {
		case (name == "shmlock" || name == "shmunlock") && !p.User.LockAny:
			continue // counts for the user, with all that other processes have locked
		case (name == "tmpfile" || name == "open") && g.nobody && proc == "B", name == "tmpfile" && !g.disk:
			continue
		}
		all = append(all, name)
	}
	return all
}

func (g *generator) process(name string) *Process {
	for _, p := range g.w.procs {
		if p.Name == name {
			return p
		}
	}
	panic(name)
}

func chance(t *rapid.T, n int, label string) bool { return between(t, label, 1, n) == n }

// descriptor draws the name of a descriptor, mostly of one that is open.
func (g *generator) descriptor(t *rapid.T, p *Process) string {
	var open []string
	for fd := range 4 {
		if name := fmt.Sprintf("d%d", fd); p.files[name] != nil {
			open = append(open, name)
		}
	}
	if len(open) > 0 && !chance(t, 8, "any descriptor") {
		return pick(t, "descriptor", open)
	}
	return fmt.Sprintf("d%d", between(t, "descriptor", 0, 3))
}

// place draws a range, mostly where something is mapped and often ending where it does.
func (g *generator) place(t *rapid.T, p *Process, op *Op) {
	page := int64(between(t, "page", 0, ArenaPages-1))
	length := int64(between(t, "pages", 1, 4))
	wants := 6
	if op.Call == "mmap" || op.Call == "shmat" {
		wants = 2
	}
	if n := len(p.space.areas); n > 0 && between(t, "where mapped", 0, 7) < wants {
		a := p.space.areas[between(t, "area", 0, n-1)]
		page = a.start + int64(between(t, "page of it", 0, int(a.pages()-1)))
		switch between(t, "length", 0, 4) {
		case 0, 1:
			page, length = a.start, a.pages()
		case 2:
			length = a.end - page
		}
	}
	length = min(length, ArenaPages-page)
	op.Addr = page * PageSize
	c := calls[op.Call]
	if c.takes("len") {
		op.Len = length * PageSize
		switch between(t, "oddity", 0, 30) {
		case 30:
			op.Len = 0
		case 29:
			op.Len -= 100
		case 28:
			if op.Addr += 100; op.Addr+op.Len > ArenaPages*PageSize {
				op.Len = 0
			}
		}
		return
	}
	switch op.Call {
	case "peek":
	case "shmat", "shmdt":
		if chance(t, 20, "unaligned") {
			op.Addr++
		}
	default:
		op.Addr += pick(t, "byte", []int64{0, 0, 1, 100, PageSize - 1})
	}
}

// segment draws the name of a segment, mostly of one that is there.
func (g *generator) segment(t *rapid.T, call string) string {
	var there []string
	for i := range 4 {
		name := fmt.Sprintf("s%d", i)
		if g.w.Registry.byID(g.w.Symbol(name)) != nil {
			there = append(there, name)
		}
	}
	if len(there) > 0 && call != "shmget" && !chance(t, 8, "any segment") {
		return pick(t, "segment", there)
	}
	return fmt.Sprintf("s%d", between(t, "segment", 0, 3))
}

// attached draws the address of an attachment of which something is left.
func (g *generator) attached(t *rapid.T, p *Process, op *Op) {
	var at []int64
	for _, a := range p.space.areas {
		if a.segment() != nil && a.start >= a.offset {
			at = append(at, a.start-a.offset)
		}
	}
	if len(at) > 0 && !chance(t, 4, "any address") {
		op.Addr = pick(t, "attachment", at) * PageSize
	}
}

func (g *generator) protection(t *rapid.T) Prot {
	return pick(t, "protection", []Prot{Read | Write, Read | Write, Read | Write, Read, Read, 0, Write})
}

// continues draws a mapping that goes on where an area ends, or ends where it begins,
// and may merge with it. It returns false if there is none.
func (g *generator) continues(t *rapid.T, p *Process, op *Op) bool {
	if len(p.space.areas) == 0 {
		return false
	}
	a := pick(t, "area", p.space.areas)
	n := int64(between(t, "pages", 1, 2))
	start := a.end
	if chance(t, 2, "before") {
		start = a.start - n
	}
	off := a.offset + start - a.start
	if start < 0 || start+n > ArenaPages || off < 0 {
		return false
	}
	op.FD, op.Off, op.Flags = "", 0, "private,anonymous"
	if a.file != nil {
		for name, f := range p.files {
			if f == a.file {
				op.FD = max(op.FD, name)
			}
		}
		if op.FD == "" {
			return false
		}
		op.Off, op.Flags = off*PageSize, "private"
		if a.shown {
			op.Flags = "shared"
		}
	}
	op.Addr, op.Len, op.Prot = start*PageSize, n*PageSize, a.prot
	return true
}

func (g *generator) mmap(t *rapid.T, p *Process, op *Op) {
	if chance(t, 3, "beside") && g.continues(t, p, op) {
		return
	}
	op.Prot = g.protection(t)
	op.Flags = pick(t, "type", []Flags{"shared", "shared", "shared", "shared", "private", "private", "private", "private", "validate", ""})
	add := func(n int, flag Flags) {
		if chance(t, n, string(flag)) {
			op.Flags = op.Flags.With(string(flag))
		}
	}
	anonymous := 3
	if len(p.files) == 0 && !chance(t, 8, "no file") {
		anonymous = 1
	}
	add(anonymous, "anonymous")
	add(8, "noreplace")
	add(8, "populate")
	add(10, "locked")
	add(8, "noreserve")
	add(20, "unknown")
	if op.Flags.Has("anonymous") {
		op.FD = ""
		return
	}
	op.Off = PageSize * int64(between(t, "offset", 0, 3))
	switch {
	case chance(t, 40, "odd offset"):
		op.Off++
	case chance(t, 60, "huge offset"):
		op.Off = 1<<63 - PageSize
	}
}

func (g *generator) mremap(t *rapid.T, p *Process, op *Op) {
	op.Flags = pick(t, "flags", []Flags{"", "", "maymove", "maymove", "maymove,fixed", "maymove,fixed", "maymove,fixed", "maymove,fixed", "maymove,fixed",
		"maymove,fixed", "maymove,dontunmap", "maymove,fixed,dontunmap", "maymove,fixed,dontunmap", "fixed", "dontunmap", "unknown"})
	if chance(t, 4, "many areas") {
		op.Len = min(PageSize*int64(between(t, "length", 2, 8)), ArenaPages*PageSize-op.Addr)
	}
	op.New = op.Len
	if !chance(t, 2, "same length") && !op.Flags.Has("dontunmap") {
		op.New = PageSize * int64(between(t, "new length", 0, 5))
	}
	if chance(t, 12, "copy") {
		op.Len = 0
	}
	room := ArenaPages - pagesOf(op.New)
	op.To = PageSize * int64(between(t, "to", 0, int(room)))
	// Beside a neighbour it may merge.
	if n := len(p.space.areas); n > 0 && chance(t, 2, "beside") {
		a := p.space.areas[between(t, "beside which", 0, n-1)]
		to := a.end
		if chance(t, 2, "before") {
			to = a.start - pagesOf(op.New)
		}
		if to >= 0 && to <= room {
			op.To = to * PageSize
		}
	}
	if chance(t, 40, "odd target") && op.To+op.New < ArenaPages*PageSize {
		op.To++
	}
}

func (g *generator) shmat(t *rapid.T, op *Op) {
	op.Flags = pick(t, "flags", []Flags{"", "", "rdonly", "remap", "rdonly,remap", "rnd"})
	if op.Flags.Has("remap") { // it must not reach beyond the arena
		op.Addr = min(op.Addr, 11*PageSize)
	}
}

// advices are weighted by what they do.
var advices = []Flags{
	"dontneed", "dontneed", "dontneed", "remove", "remove", "guard-install", "guard-install", "guard-install", "guard-remove", "guard-remove",
	"populate-read", "populate-write", "populate-read", "populate-write", "dontneed-locked", "dontfork", "dofork", "random", "normal",
	"sequential", "dontdump", "dodump", "willneed", "free", "unknown",
}

// file draws what calls on descriptors need.
func (g *generator) file(t *rapid.T, p *Process, op *Op) {
	size := int64(0)
	if f := p.files[op.FD]; f != nil && f.object != nil {
		size = f.object.size
	}
	offset := func() int64 {
		return pick(t, "offset", []int64{0, 100, PageSize, PageSize + 1, 2 * PageSize, 3 * PageSize, size, max(0, size-1), max(0, size-PageSize), max(0, size-PageSize)})
	}
	length := func() int64 {
		return pick(t, "length", []int64{1, 1, 100, PageSize, PageSize + 100, 2 * PageSize, 0})
	}
	switch op.Call {
	case "memfd":
		op.Flags = pick(t, "flags", []Flags{"sealing", "sealing", ""})
	case "open":
		op.From = pick(t, "whose", []string{"A", "B"}) + "." + fmt.Sprintf("d%d", between(t, "which", 0, 3))
		op.Flags = pick(t, "access", []Flags{"r", "r,w", "r,w", "w", "path", "dup"})
		if f := g.process(op.From[:1]).files[op.From[2:]]; f != nil && f.object == nil {
			op.Flags = "dup" // a pipe opens in ways that are no business of the model
		}
	case "write", "read":
		op.Off, op.Len = offset(), length()
	case "truncate":
		op.Size = pick(t, "size", []int64{0, 100, PageSize, PageSize + 1, 2 * PageSize, 3 * PageSize, 4 * PageSize, 4 * PageSize, 4 * PageSize, size, size - min(size, 1), size + 1})
	case "fallocate":
		op.Off, op.Len = offset(), length()
		op.Flags = pick(t, "flags", []Flags{"", "keep", "keep,punch", "keep,punch", "punch"})
	case "seal":
		op.Flags = pick(t, "seals", []Flags{"shrink", "grow", "grow", "write", "future", "future", "seal", "shrink,grow", "write,grow"})
	}
}

// pick and between draw evenly, where rapid prefers small numbers and first elements.
func pick[T any](t *rapid.T, label string, from []T) T {
	return from[between(t, label, 0, len(from)-1)]
}

func between(t *rapid.T, label string, low, high int) int {
	return low + evenly(high-low+1).Draw(t, label)
}

// evenly generates numbers from 0 up to n out of single bits, which rapid doesn't bend.
func evenly(n int) *rapid.Generator[int] {
	width := bits64.Len(uint(n)) + 3
	return rapid.Custom(func(t *rapid.T) int {
		x := 0
		for range width {
			x <<= 1
			if rapid.Bool().Draw(t, "bit") {
				x |= 1
			}
		}
		return x * n >> width
	})
}
