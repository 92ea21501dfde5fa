package model

import (
	"fmt"
	"slices"
	"strings"
)

// A World is everything the model knows: the objects, the System V registry, and the
// processes. Do changes it by one operation at a time, as the kernel's locks make the
// real operations appear to be.
type World struct {
	Registry *Registry
	machine  Machine
	procs    []*Process
	symbols  map[string]int // name in scripts of the id that shmget returned
}

// A Machine is what differs between machines.
type Machine struct {
	Limits Limits
	// NoZeroPage: reading untouched anonymous memory gives it a page of its own, as
	// writing does. Most kernels let it share one page of zeros; some are built not to.
	NoZeroPage bool
	// GuardFamilies: a guard page gives every private area a family, not only one of
	// anonymous memory. Kernels differ.
	GuardFamilies bool
}

// NewWorld makes a world with nothing in it but processes A, B and so on, one for each
// user.
func NewWorld(m Machine, users ...User) *World {
	w := &World{Registry: newRegistry(m.Limits), machine: m, symbols: map[string]int{}}
	for i, u := range users {
		p := &Process{Name: string(rune('A' + i)), User: u, world: w}
		w.procs = append(w.procs, p)
		p.begin()
	}
	return w
}

// begin gives a process its first, empty state.
func (p *Process) begin() {
	p.files, p.limit = map[string]*File{}, p.User.LockLimit
	p.space = space{owner: p, table: map[int64]*entry{}}
}

// Do executes one operation.
func (w *World) Do(op Op) Outcome {
	i := slices.IndexFunc(w.procs, func(p *Process) bool { return p.Name == op.Proc })
	c, ok := calls[op.Call]
	if i < 0 || !ok {
		panic("model: no such process or call: " + op.String())
	}
	out := c.do(w.procs[i], op)
	w.Registry.reap(w)
	return out
}

// attachments counts the areas, of all processes, that show the segment: the kernel's
// nattch is exactly that.
func (w *World) attachments(s *Segment) int {
	n := 0
	for _, p := range w.procs {
		for _, a := range p.space.areas {
			if a.object() == s.object {
				n++
			}
		}
	}
	return n
}

// unmap removes pages of an object from every page table that shows them. The private
// copies of a page are nobody's but the process's, and stay, unless copies is set.
func (w *World) unmap(o *Object, first, last int64, copies bool) {
	for _, p := range w.procs {
		for _, a := range p.space.areas {
			if a.object() != o {
				continue
			}
			for page := a.start; page < a.end; page++ {
				if i := a.index(page); first <= i && i < last {
					p.space.zap(page, copies)
				}
			}
		}
	}
}

// Symbol returns the id that a script calls by this name, -1 if by none.
func (w *World) Symbol(name string) int {
	if id, ok := w.symbols[name]; ok {
		return id
	}
	return -1
}

// Segments lists the segments like /proc/sysvipc/shm, a line each.
func (w *World) Segments() string {
	var lines []string
	for _, s := range w.Registry.sorted() {
		lines = append(lines, w.describe(s))
	}
	return strings.Join(lines, "; ")
}

func (w *World) describe(s *Segment) string {
	mode := fmt.Sprintf("%03o", s.mode)
	if s.removed {
		mode += " dest"
	}
	if s.locked {
		mode += " locked"
	}
	return fmt.Sprintf("%s key=%d size=%d mode=%s nattch=%d cpid=%s lpid=%s pages=%d", s.object.name, s.key, s.size, mode,
		w.attachments(s), s.creator, s.last, len(s.object.pages))
}
