package model

import "syscall"

// The calls of System V shared memory. registry.go has what they work on.

// shmget finds the segment of a key, or makes it.
func (p *Process) shmget(op Op) Outcome {
	r := p.world.Registry
	if op.Key == 0 {
		return p.newSegment(op)
	}
	s := r.byKey(op.Key)
	if s == nil {
		if !op.Flags.Has("creat") {
			return refuse(syscall.ENOENT, "No segment has the key, and IPC_CREAT was not given.")
		}
		return p.newSegment(op)
	}
	switch {
	case op.Flags.Has("creat") && op.Flags.Has("excl"):
		return refuse(syscall.EEXIST, "A segment has the key already, and IPC_EXCL asks for a new one.")
	case op.Size > s.size:
		return refuse(syscall.EINVAL, "The segment of this key is smaller than asked for. Segments never grow.")
	case !s.permits(p.User, op.Mode>>6|op.Mode>>3|op.Mode):
		return refuse(syscall.EACCES, "The permission bits in the flags ask for more than the mode of the segment gives this user.")
	}
	p.world.bind(op.ID, s)
	return done("The segment exists. Its size stays what its creator chose.")
}

func (p *Process) newSegment(op Op) Outcome {
	r := p.world.Registry
	switch {
	case op.Size < 1 || op.Size > r.limits.SegmentMax:
		return refuse(syscall.EINVAL, "The size of a new segment is at least 1 and at most SHMMAX.")
	case r.pages()+pagesOf(op.Size) > r.limits.Pages:
		return refuse(syscall.ENOSPC, "All segments together would have more pages than SHMALL.")
	case len(r.segments) >= r.limits.Segments:
		return refuse(syscall.ENOSPC, "There are SHMMNI segments already.")
	}
	s := &Segment{
		id: r.newID(), key: op.Key, mode: op.Mode, size: op.Size,
		owner: p.User.UID, maker: p.User.UID, creator: p.Name, last: "-",
	}
	s.object = newObject(op.ID, segmentKind, op.Size)
	s.object.segment = s
	r.segments[s.id%idsPerSeq] = s
	p.world.bind(op.ID, s)
	return done("A new segment. It has a size and no memory yet, and stays until it is removed.")
}

// bind lets scripts call the segment by a name.
func (w *World) bind(name string, s *Segment) { w.symbols[name] = s.id }

// segment finds the segment that a script means.
func (p *Process) segment(op Op) (*Segment, Outcome) {
	if s := p.world.Registry.byID(p.world.Symbol(op.ID)); s != nil {
		return s, goOn
	}
	return nil, refuse(syscall.EINVAL, "No segment has this id: it never was one, or its segment is gone.")
}
