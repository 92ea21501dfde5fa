package model

import (
	"math"
	"syscall"
)

// mmap makes an area. It brings no page into memory unless it is asked to, and changes
// nothing if it fails. Scripts map at addresses of their own choice only (MAP_FIXED):
// whatever was there goes first, or with "noreplace" is in the way.
func (p *Process) mmap(op Op) Outcome {
	if inPage(op.Off) != 0 {
		return refuse(syscall.EINVAL, "The offset in the object is not a multiple of the page size.")
	}
	var file *File
	if !op.Flags.Has("anonymous") {
		f, ok := p.file(op.FD)
		if !ok || f.path {
			return refuse(syscall.EBADF, "The descriptor is not open, or only names a file (O_PATH).")
		}
		file = f
	}
	if op.Len == 0 {
		return refuse(syscall.EINVAL, "A mapping has at least one byte.")
	}
	if inPage(op.Addr) != 0 {
		return refuse(syscall.EINVAL, "The address is not a multiple of the page size.")
	}
	start, end := pageOf(op.Addr), pageOf(op.Addr)+pagesOf(op.Len)
	if op.Flags.Has("noreplace") && len(p.space.overlapping(start, end)) > 0 {
		return refuse(syscall.EEXIST, "Something is mapped in the range, and MAP_FIXED_NOREPLACE does not replace it.")
	}
	if op.Flags.Has("locked") {
		if !p.mayLock() {
			return refuse(syscall.EPERM, "The limit of locked memory is 0, and the process lacks CAP_IPC_LOCK.")
		}
		if !p.lockFits(end - start) {
			return refuse(syscall.EAGAIN, "The pages would exceed the limit of locked memory.")
		}
	}
	a := &area{start: start, end: end, file: file, offset: pageOf(op.Off)}
	if why := a.admit(op); why.Failed() {
		return why
	}
	if op.Flags.Has("locked") {
		a.lock = locked
	}
	a.free = op.Flags.Has("noreserve")
	a.charged = !a.free && !a.shared && a.writable()

	p.space.remove(start, end)
	p.space.insert(a)
	if op.Flags.Has("populate") || op.Flags.Has("locked") {
		p.populate(start, end) // as far as it goes
		return done("A new mapping, its pages brought in at once.")
	}
	return done("A new mapping. Its pages come when they are touched.")
}

// admit decides what kind of area it is and which rights it has: by the flags, by what
// the descriptor was opened for, and by the seals.
func (a *area) admit(op Op) Outcome {
	a.prot, a.may = op.Prot, Read|Write|Exec
	if a.file == nil {
		return a.admitAnonymous(op)
	}
	if a.object() != nil && op.Off > math.MaxInt64-pagesOf(op.Len)*PageSize {
		return refuse(syscall.EOVERFLOW, "No file reaches as far as the last page of the mapping would.")
	}
	switch {
	case op.Flags.Has("shared"), op.Flags.Has("validate"):
		if op.Flags.Has("validate") && op.Flags.Has("unknown") {
			return refuse(syscall.EOPNOTSUPP, "MAP_SHARED_VALIDATE refuses flags that the kernel does not know; MAP_SHARED ignores them.")
		}
		if op.Flags.Has("validate") && op.Flags.Has("noreplace") {
			return refuse(syscall.EOPNOTSUPP, "MAP_SHARED_VALIDATE accepts the old flags only, and MAP_FIXED_NOREPLACE is none of them.")
		}
		if a.writable() && !a.file.write {
			return refuse(syscall.EACCES, "Writing to a shared mapping writes to the object, and the descriptor was not opened for writing.")
		}
		a.shared, a.shown = a.file.write, true
		if !a.file.write {
			a.may &^= Write
		}
	case op.Flags.Has("private"):
	default:
		return refuse(syscall.EINVAL, "A mapping is shared or private; one of the flags must say which.")
	}
	if !a.file.read {
		return refuse(syscall.EACCES, "The descriptor was not opened for reading, which every mapping of a file needs.")
	}
	if a.file.object == nil {
		return refuse(syscall.ENODEV, "This kind of file cannot be mapped.")
	}
	if a.shared && a.object().sealedAgainstWriting() {
		if a.writable() {
			return refuse(syscall.EPERM, "The object is sealed against writing.")
		}
		a.may &^= Write
	}
	return goOn
}

// admitAnonymous: private memory without an object, or an object without a name.
func (a *area) admitAnonymous(op Op) Outcome {
	switch {
	case op.Flags.Has("shared"):
		a.shared, a.shown, a.offset = true, true, 0
		a.file = &File{object: newObject(string(anonKind), anonKind, a.pages()*PageSize), read: true, write: true}
	case op.Flags.Has("private"):
		a.offset = a.start
	default:
		return refuse(syscall.EINVAL, "Anonymous memory is shared or private; one of the flags must say which.")
	}
	return goOn
}
