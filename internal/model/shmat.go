package model

import "syscall"

// shmat maps a whole segment. The attachment is an area like any other: mprotect,
// munmap and mremap work on parts of it, and each part counts as an attachment.
func (p *Process) shmat(op Op) Outcome {
	if inPage(op.Addr) != 0 && !op.Flags.Has("rnd") {
		return refuse(syscall.EINVAL, "The address is not a multiple of SHMLBA, and SHM_RND was not given.")
	}
	s, why := p.segment(op)
	if s == nil {
		return why
	}
	a := &area{start: pageOf(op.Addr), offset: 0}
	a.end = a.start + pagesOf(s.size)
	a.prot, a.may, a.shared, a.shown = Read|Write, Read|Write|Exec, true, true
	rights := readRight | writeRight
	if op.Flags.Has("rdonly") {
		// As through a descriptor that was opened for reading.
		a.prot, a.may, a.shared = Read, Read|Exec, false
		rights = readRight
	}
	if !s.permits(p.User, rights) {
		return refuse(syscall.EACCES, "The mode of the segment does not let this user attach it so.")
	}
	if !op.Flags.Has("remap") && !p.space.vacant(a.start, a.end) {
		return refuse(syscall.EINVAL, "Something is mapped where the segment would go, and SHM_REMAP was not given.")
	}
	if a.end > ArenaPages {
		panic("model: with SHM_REMAP a script must keep the segment in the arena")
	}
	a.file = &File{object: s.object, read: true, write: a.shared}
	p.space.remove(a.start, a.end)
	p.space.insert(a)
	return done("The segment is attached, from its first byte to the end of its last page.").with("%s", Count(a.start*PageSize))
}

// shmdt unmaps what is left of one attachment. It has only an address to go by, so it
// looks from there on for the first area that shows a segment at the place where it
// would be had the segment been attached at the address; then for the rest of the same
// attachment.
func (p *Process) shmdt(op Op) Outcome {
	if inPage(op.Addr) != 0 {
		return refuse(syscall.EINVAL, "No segment is attached at an address that is not a multiple of the page size.")
	}
	s := &p.space
	at := pageOf(op.Addr)
	fits := func(a *area) bool { return a.segment() != nil && a.start >= at && a.start-at == a.offset }
	var attachment *File
	for _, a := range s.overlapping(at, ArenaPages) {
		switch {
		case attachment == nil && fits(a):
			attachment = a.file
		case attachment == nil || a.end-at > attachment.object.end():
			continue
		case !fits(a) || a.file != attachment:
			continue
		}
		s.remove(a.start, a.end)
	}
	if attachment == nil {
		return refuse(syscall.EINVAL, "No segment is attached at this address.")
	}
	return done("Every part of the attachment that was still in place is unmapped.")
}
