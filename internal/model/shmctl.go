package model

import "syscall"

// stat is shmctl(IPC_STAT).
func (p *Process) stat(op Op) Outcome {
	s, why := p.segment(op)
	switch {
	case s == nil:
		return why
	case !s.permits(p.User, readRight):
		return refuse(syscall.EACCES, "To look at a segment needs the right to read it.")
	}
	return done("What the registry knows of the segment. Every area that shows it counts as an attachment.").with("%s", p.world.describe(s))
}

// rmid is shmctl(IPC_RMID). The key is free at once. The segment itself, its id and
// its content, stay until nobody has it attached, and until then it can be attached by
// its id.
func (p *Process) rmid(op Op) Outcome {
	s, why := p.segment(op)
	switch {
	case s == nil:
		return why
	case !s.controls(p.User):
		return refuse(syscall.EPERM, "Only owner and creator may remove a segment, and who has CAP_SYS_ADMIN.")
	}
	s.removed, s.key = true, 0
	if p.world.attachments(s) > 0 {
		return done("The segment lost its key, and will go with its last attachment.")
	}
	return done("Nobody has the segment attached, so it is gone.")
}

// chmod is shmctl(IPC_SET) with a new mode. Attachments keep what they were made with.
func (p *Process) chmod(op Op) Outcome {
	s, why := p.segment(op)
	switch {
	case s == nil:
		return why
	case !s.controls(p.User):
		return refuse(syscall.EPERM, "Only owner and creator may change a segment, and who has CAP_SYS_ADMIN.")
	}
	s.mode = op.Mode
	return done("The segment has a new mode. It counts from the next shmat or shmget on.")
}

// shmlock is shmctl(SHM_LOCK): the pages that are in memory, or come to be, stay there.
// Nothing is brought in. The size of the segment counts against the limit of the user.
func (p *Process) shmlock(op Op) Outcome {
	s, why := p.segment(op)
	switch {
	case s == nil:
		return why
	case !p.User.IPCLock && p.User.UID != s.owner && p.User.UID != s.maker:
		return refuse(syscall.EPERM, "Only owner and creator may lock a segment, and who has CAP_IPC_LOCK.")
	case !p.User.IPCLock && p.limit == 0:
		return refuse(syscall.EPERM, "The limit of locked memory is 0.")
	case s.locked:
		return done("The segment is locked already.")
	}
	r := p.world.Registry
	if !p.User.LockAny && r.lockedBy(p.User.UID)+pagesOf(s.size) > p.limit/PageSize {
		return refuse(syscall.ENOMEM, "With this segment the user would have more locked than the limit.")
	}
	s.locked, s.locker = true, p.User.UID
	return done("The pages of the segment will not be swapped out.")
}

func (p *Process) shmunlock(op Op) Outcome {
	s, why := p.segment(op)
	switch {
	case s == nil:
		return why
	case !p.User.IPCLock && p.User.UID != s.owner && p.User.UID != s.maker:
		return refuse(syscall.EPERM, "Only owner and creator may unlock a segment, and who has CAP_IPC_LOCK.")
	}
	s.locked = false
	return done("The pages of the segment may be swapped out.")
}
