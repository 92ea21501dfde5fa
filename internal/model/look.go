package model

import (
	"strings"
	"syscall"
)

// What a process can see of its own memory.

// maps answers the list of mappings.
func (p *Process) maps(Op) Outcome {
	return done("The areas, in ascending order.").with("[%s]", p.world.Maps(p.Name))
}

// pageTable answers the page table.
func (p *Process) pageTable(Op) Outcome {
	return done("The page table: a letter a page.").with("%s", p.world.Table(p.Name))
}

// mincore tells for each page whether touching it would be quick: a letter each, 1 if it
// is in memory. Of a disk file the kernel reads more than it has to and drops what it
// likes: '?'.
func (p *Process) mincore(op Op) Outcome {
	if inPage(op.Addr) != 0 {
		return refuse(syscall.EINVAL, "The address to ask about is not a multiple of the page size.")
	}
	var b strings.Builder
	for page := pageOf(op.Addr); page < pageOf(op.Addr)+pagesOf(op.Len); page++ {
		a := p.space.find(page)
		if a == nil {
			return refuse(syscall.ENOMEM, "Part of the range to ask about is not mapped.")
		}
		b.WriteByte(p.resident(a, page))
	}
	return done("A page counts as resident if the page table has it, or the page cache of the object.").with("%s", b.String())
}

func (p *Process) resident(a *area, page int64) byte {
	o := a.object()
	e := p.space.entry(page).state
	switch {
	case o != nil && o.kind == diskKind:
		return '?'
	case e == zero, e == copied, e == direct, o != nil && o.cached(a.index(page)):
		return '1'
	}
	return '0'
}
