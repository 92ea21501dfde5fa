package model

import "syscall"

// mprotect changes what may be done with a range, area by area from the first on. It
// stops where it fails, and what was changed stays changed.
func (p *Process) mprotect(op Op) Outcome {
	if inPage(op.Addr) != 0 {
		return refuse(syscall.EINVAL, "The address to protect from is not a multiple of the page size.")
	}
	if op.Len == 0 {
		return done("No page, so no change.")
	}
	s := &p.space
	for page, end := pageOf(op.Addr), pageOf(op.Addr)+pagesOf(op.Len); page < end; {
		a := s.find(page)
		if a == nil {
			return refuse(syscall.ENOMEM, "Part of the range is not mapped. Areas before that part have changed.")
		}
		if op.Prot&^a.may != 0 {
			return refuse(syscall.EACCES, "The mapping may never be written: its descriptor was opened for reading, or its object sealed.")
		}
		stop := min(a.end, end)
		if a.prot != op.Prot {
			t := a.reprotected(op.Prot)
			populate := a.lock == locked && !a.shared && !a.writable() && t.writable()
			s.change(a, page, stop, t)
			if populate {
				p.populate(page, stop)
			}
		}
		page = stop
	}
	return done("The range has its new protection. Areas were split or merged to show it.")
}

// reprotected returns the traits of an area after mprotect. Private memory that becomes
// writable is promised from then on, since any page of it may have to be copied. The
// promise is taken back only from anonymous memory that has no copy yet.
func (a *area) reprotected(prot Prot) traits {
	t := a.traits
	t.prot = prot
	switch {
	case t.writable():
		if !a.charged && !a.writable() && !a.shared && !a.free {
			t.charged = true
		}
	case a.charged && a.file == nil && a.family == 0:
		t.charged = false
	}
	return t
}
