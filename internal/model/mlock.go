package model

import (
	"errors"
	"syscall"
)

// mlock keeps pages in memory. It brings all of them in, and the area remembers.

// mayLock reports whether the process may lock anything.
func (p *Process) mayLock() bool { return p.User.LockAny || p.limit > 0 }

// lockFits reports whether that many pages more stay within RLIMIT_MEMLOCK.
func (p *Process) lockFits(pages int64) bool {
	return p.User.LockAny || p.space.locked()+pages <= p.limit/PageSize
}

// setLimit is setrlimit(RLIMIT_MEMLOCK).
func (p *Process) setLimit(op Op) Outcome {
	p.limit = op.Size
	return done("The limit counts from the next lock on. What is locked stays locked.")
}

func (p *Process) mlock(op Op) Outcome {
	if op.Flags.Has("unknown") {
		return refuse(syscall.EINVAL, "mlock2 refuses flags that it does not know.")
	}
	if !p.mayLock() {
		return refuse(syscall.EPERM, "The limit of locked memory is 0, and CAP_IPC_LOCK is missing.")
	}
	start, end := pageOf(op.Addr), pagesOf(op.Addr+op.Len)
	more := end - start
	for page := start; page < end; page++ {
		if a := p.space.find(page); a != nil && a.lock != unlocked {
			more-- // counts already
		}
	}
	if !p.lockFits(more) {
		return refuse(syscall.ENOMEM, "The range has more unlocked pages than the limit of locked memory leaves.")
	}
	mode := locked
	if op.Flags.Has("onfault") {
		mode = lockedOnFault
	}
	if !p.setLock(start, end, mode) {
		return refuse(syscall.ENOMEM, "Part of the range to lock is not mapped. Areas before that part are locked.")
	}
	if err := p.populate(start, end); err != nil {
		return refuse(syscall.ENOMEM, "A page could not be brought in. The range is locked all the same.")
	}
	return done("The pages stay in memory until they are unlocked or unmapped.")
}

func (p *Process) munlock(op Op) Outcome {
	if !p.setLock(pageOf(op.Addr), pagesOf(op.Addr+op.Len), unlocked) {
		return refuse(syscall.ENOMEM, "Part of the range to unlock is not mapped. Areas before that part are unlocked.")
	}
	return done("The pages may be taken out of memory again.")
}

// setLock gives a range a lock mode, area by area up to the first gap, and reports
// whether there was none.
func (p *Process) setLock(start, end int64, mode lockMode) bool {
	s := &p.space
	for page := start; page < end; {
		a := s.find(page)
		if a == nil {
			return false
		}
		stop := min(a.end, end)
		if a.lock != mode {
			t := a.traits
			t.lock = mode
			s.change(a, page, stop, t)
		}
		page = stop
	}
	return true
}

// lockedPages answers how many pages of the address space are locked.
func (p *Process) lockedPages(Op) Outcome {
	return done("Locked pages count whether or not they were touched: VmLck.").with("%d", p.space.locked())
}

var errPopulate = errors.New("a page cannot be brought in")

// populate brings in the pages of a range that mlock or MAP_POPULATE wants, as the
// program would by touching them: by writing where the memory is private, since it
// would be copied anyway, else by reading. It stops at the first page it cannot have.
// Areas that are locked on fault wait for the program.
func (p *Process) populate(start, end int64) error {
	for page := start; page < end; page++ {
		a := p.space.find(page)
		switch {
		case a == nil, a.lock == lockedOnFault:
			continue
		case !a.readable():
			return errPopulate
		}
		if f, _ := p.touch(page, a.writable() && !a.shared); f == nil {
			return errPopulate
		}
	}
	return nil
}
