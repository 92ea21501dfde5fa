package model

import "syscall"

// madvise takes advice about a range, and some orders. Holes in the range are skipped
// and reported at the end; an area for which the advice is wrong ends the call.
func (p *Process) madvise(op Op) Outcome {
	switch {
	case op.Flags == "unknown" || op.Flags == "":
		return refuse(syscall.EINVAL, "There is no such advice.")
	case inPage(op.Addr) != 0:
		return refuse(syscall.EINVAL, "The address to advise about is not a multiple of the page size.")
	case op.Len == 0:
		return done("No page, so no advice.")
	}
	start, end := pageOf(op.Addr), pageOf(op.Addr)+pagesOf(op.Len)
	if op.Flags == "populate-read" || op.Flags == "populate-write" {
		return p.madvisePopulate(start, end, op.Flags == "populate-write")
	}
	hole, why := false, goOn
	for page := start; page < end; {
		a := p.space.find(page)
		if a == nil {
			hole = true
			page++
			continue
		}
		stop := min(a.end, end)
		if why = p.adviseArea(a, page, stop, string(op.Flags)); why.Failed() {
			return why
		}
		page = stop
	}
	if hole {
		return refuse(syscall.ENOMEM, "Part of the range to advise about is not mapped. The rest took the advice.")
	}
	return why
}

// adviseArea is the advice for the pages from start up to stop of one area.
func (p *Process) adviseArea(a *area, start, stop int64, advice string) Outcome {
	s := &p.space
	t := a.traits
	switch advice {
	case "dontneed", "dontneed-locked":
		return s.forget(a, start, stop, advice == "dontneed-locked")
	case "free":
		if a.file != nil {
			return refuse(syscall.EINVAL, "MADV_FREE is for private anonymous memory.")
		}
		if a.lock != unlocked {
			return refuse(syscall.EINVAL, "Locked memory cannot be freed.")
		}
	case "remove":
		return s.punchThrough(a, start, stop)
	case "guard-install":
		return s.installGuards(a, start, stop)
	case "guard-remove":
		for page := start; page < stop; page++ {
			if s.entry(page).state == guard {
				delete(s.table, page)
			}
		}
	case "normal":
		t.pattern = ""
	case "random", "sequential":
		t.pattern = advice
	case "dontfork", "dofork":
		t.noFork = advice == "dontfork"
	case "dontdump", "dodump":
		t.noDump = advice == "dontdump"
	case "willneed": // memory has nothing to read ahead from
	}
	if t != a.traits {
		s.change(a, start, stop, t)
	}
	return done("The area took the advice.")
}

// forget is MADV_DONTNEED, an order in spite of its name: the entries of the page table
// go. Private copies are lost, so that private memory reads as at the beginning. What
// the object has stays.
func (s *space) forget(a *area, start, stop int64, evenLocked bool) Outcome {
	if a.lock != unlocked && !evenLocked {
		return refuse(syscall.EINVAL, "Locked memory is needed, whatever MADV_DONTNEED says.")
	}
	for page := start; page < stop; page++ {
		s.zap(page, true)
	}
	return done("The page table forgot the range.")
}

// punchThrough is MADV_REMOVE: a hole in the object itself, for everybody.
func (s *space) punchThrough(a *area, start, stop int64) Outcome {
	switch {
	case a.lock != unlocked:
		return refuse(syscall.EINVAL, "Locked memory cannot be removed.")
	case a.object() == nil:
		return refuse(syscall.EINVAL, "MADV_REMOVE makes a hole in an object, and there is none.")
	case !a.mayShareWrites():
		return refuse(syscall.EACCES, "MADV_REMOVE changes the object, and this mapping may not.")
	case a.object().sealedAgainstWriting():
		return refuse(syscall.EPERM, "MADV_REMOVE changes the object, which is sealed against that.")
	}
	first, last := a.index(start), a.index(stop)
	s.owner.world.hole(a.object(), first*PageSize, last*PageSize)
	return done("The object has a hole.")
}

// installGuards makes pages that fault. Whatever was there is lost, also private copies.
func (s *space) installGuards(a *area, start, stop int64) Outcome {
	if a.lock != unlocked {
		return refuse(syscall.EINVAL, "Locked memory must be in memory, which a guard page is not.")
	}
	if a.file == nil || s.owner.world.machine.GuardFamilies {
		s.adopt(a) // the table has something that an object cannot bring back
	}
	for page := start; page < stop; page++ {
		s.table[page] = &entry{state: guard}
	}
	return done("The pages fault from now on.")
}

// madvisePopulate brings pages in like the program would by reading or writing them,
// and says what is wrong where it would get a signal.
func (p *Process) madvisePopulate(start, end int64, write bool) Outcome {
	for page := start; page < end; page++ {
		a := p.space.find(page)
		switch {
		case a == nil:
			return refuse(syscall.ENOMEM, "Part of the range to populate is not mapped.")
		case write && !a.writable(), !write && a.prot&Read == 0:
			return refuse(syscall.EINVAL, "The protection of the mapping does not allow the access that is to be prepared.")
		}
		if f, why := p.touch(page, write); f == nil {
			return refuse(syscall.EFAULT, "Touching a page would bring a signal: %s", why.Why)
		}
		if write {
			p.soiled(page)
		}
	}
	return done("Every page is present.")
}
