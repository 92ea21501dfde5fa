package model

import "syscall"

// What happens when a program touches memory.
//
// If the page table has an entry that allows the access, nothing happens at all: the
// processor does it, and the kernel never knows. Else the processor raises a page
// fault, and the kernel decides by the area: fill in the entry and let the access
// happen, or send a signal. SIGSEGV says that the access is not allowed there, SIGBUS
// that it is allowed and yet there is no memory to be had.

// faultAround is how many pages a read fault looks at, beginning at a multiple of it.
const faultAround = 16

// touch makes the page present for reading or writing and returns where its bytes are.
// The outcome says why there are none, or how they came to be there.
func (p *Process) touch(page int64, write bool) (*frame, Outcome) {
	s := &p.space
	a := s.find(page)
	switch {
	case a == nil:
		return nil, fault(syscall.SIGSEGV, "Nothing is mapped at this address.")
	case write && !a.writable():
		return nil, fault(syscall.SIGSEGV, "The mapping does not allow writing: its protection is %s.", a.prot)
	case !a.readable():
		return nil, fault(syscall.SIGSEGV, "The mapping allows no access at all.")
	}
	e := s.entry(page)
	switch {
	case e.state == guard:
		return nil, fault(syscall.SIGSEGV, "The page is a guard page: madvise put it there to be hit.")
	case e.state == copied:
		return e.copy, done("The process has a copy of this page for itself.")
	case a.file == nil && write:
		return s.copyZero(a, page), done("Private memory gets a page of its own, full of zeros, when it is first written.")
	case a.file == nil && p.world.machine.NoZeroPage && e.state == absent:
		return s.copyZero(a, page), done("This kernel gives private memory a page of its own, full of zeros, when it is first read or written.")
	case a.file == nil:
		s.table[page] = &entry{state: zero}
		return &frame{}, done("Anonymous memory that was never written reads as zeros, from one page that the whole machine shares.")
	case write && a.copies():
		return s.copyCached(a, page)
	case write:
		return s.show(a, page)
	default:
		return s.showAround(a, page)
	}
}

// copyZero is the first write to anonymous memory.
func (s *space) copyZero(a *area, page int64) *frame {
	s.adopt(a)
	f := &frame{}
	s.table[page] = &entry{state: copied, copy: f}
	return f
}

// copyCached is copy on write: the first write to a page of a private mapping. The
// page has to be in the page cache to be copied from; the object stays as it is.
func (s *space) copyCached(a *area, page int64) (*frame, Outcome) {
	s.adopt(a) // before the kernel knows whether there is a page
	if a.index(page) >= a.object().end() {
		return nil, beyondEnd(a, page)
	}
	f := a.object().page(a.index(page)).frame
	s.table[page] = &entry{state: copied, copy: &f}
	return &f, done("The first write to a page of a private mapping copies it. The object keeps its own.")
}

// show lets the page table lead to the page of the page cache itself.
func (s *space) show(a *area, page int64) (*frame, Outcome) {
	i := a.index(page)
	if i >= a.object().end() {
		return nil, beyondEnd(a, page)
	}
	present := a.object().cached(i)
	c := a.object().page(i)
	s.table[page] = &entry{state: direct}
	if present {
		return &c.frame, done("The page is in the page cache, where every mapping of the object finds it.")
	}
	return &c.frame, done("The object had no memory for this page yet. The first touch made it, full of zeros.")
}

// showAround is a read fault. A fault costs more than an entry, so the kernel uses it to
// enter all pages nearby that the page cache holds anyway. System V segments miss that.
func (s *space) showAround(a *area, page int64) (*frame, Outcome) {
	if s.entry(page).state == absent && a.segment() == nil {
		first := max(page-page%faultAround, a.start)
		for near := first; near < min(first+faultAround, a.end); near++ {
			i := a.index(near)
			if s.entry(near).state == absent && a.object().cached(i) && i < a.object().end() {
				s.table[near] = &entry{state: direct}
			}
		}
	}
	return s.show(a, page)
}

// beyondEnd is the one way to SIGBUS here: the mapping is longer than the object.
func beyondEnd(a *area, page int64) Outcome {
	return fault(syscall.SIGBUS, "The page lies behind the end of the object, which has %d bytes; this would be page %d of it.",
		a.object().size, a.index(page))
}

// load reads one byte of memory.
func (p *Process) load(op Op) Outcome {
	f, why := p.touch(pageOf(op.Addr), false)
	if f == nil {
		return why
	}
	return why.with("%d", f[inPage(op.Addr)])
}

// store writes one byte of memory.
func (p *Process) store(op Op) Outcome {
	f, why := p.touch(pageOf(op.Addr), true)
	if f == nil {
		return why
	}
	f[inPage(op.Addr)] = op.Val
	p.soiled(pageOf(op.Addr))
	return why
}

// soiled marks the page of the object dirty that was just written through a mapping.
func (p *Process) soiled(page int64) {
	if a := p.space.find(page); a.shared && a.object() != nil {
		a.object().soil(a.object().pages[a.index(page)])
	}
}

// peek reads a whole page.
func (p *Process) peek(op Op) Outcome {
	f, why := p.touch(pageOf(op.Addr), false)
	if f == nil {
		return why
	}
	return why.with("%s", Bytes(f[:]))
}

// copyIn is write(2) from memory: the kernel reads the byte for the program. Where the
// program would get a signal, the call fails instead.
func (p *Process) copyIn(op Op) Outcome {
	f, why := p.touch(pageOf(op.Addr), false)
	if f == nil {
		return refuse(syscall.EFAULT, "The kernel cannot read the memory for the program, and says so where a signal would be: %s", why.Why)
	}
	return why.with("%d", f[inPage(op.Addr)])
}

// copyOut is read(2) into memory.
func (p *Process) copyOut(op Op) Outcome {
	f, why := p.touch(pageOf(op.Addr), true)
	if f == nil {
		return refuse(syscall.EFAULT, "The kernel cannot write the memory for the program, and says so where a signal would be: %s", why.Why)
	}
	f[inPage(op.Addr)] = op.Val
	p.soiled(pageOf(op.Addr))
	return why
}
