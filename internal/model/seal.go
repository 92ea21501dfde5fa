package model

import "syscall"

// Seals take a right away from everybody, for good. They belong to the object, not to a
// descriptor: whoever receives a memfd can read them and rely on them.

// SealOrder is the order in which seals are listed.
var SealOrder = []string{"seal", "shrink", "grow", "write", "future"}

func (o *Object) sealedAgainstWriting() bool { return o.seals.Has("write") || o.seals.Has("future") }

// seal is fcntl(F_ADD_SEALS). All of the seals are added, or none.
func (p *Process) seal(op Op) Outcome {
	f, ok := p.file(op.FD)
	switch {
	case !ok || f.path:
		return refuse(syscall.EBADF, "The descriptor to seal through is not open.")
	case !f.write:
		return refuse(syscall.EPERM, "Who may not write may not seal.")
	case f.object.kind != memfdKind:
		return refuse(syscall.EINVAL, "Only memory can be sealed, not a file of this kind.")
	}
	o := f.object
	if o.seals.Has("seal") {
		return refuse(syscall.EPERM, "The object is sealed against more seals, as it is unless MFD_ALLOW_SEALING was asked for.")
	}
	if op.Flags.Has("write") && !o.seals.Has("write") && p.world.writers(o) {
		return refuse(syscall.EBUSY, "Somebody has a shared mapping that can write or be made to. F_SEAL_FUTURE_WRITE would tolerate it.")
	}
	for _, s := range op.Flags.List() {
		o.seals = o.seals.With(s)
	}
	return done("The object is sealed. Nobody can take a seal off.")
}

// writers reports whether any process has a mapping that is a way to change the object.
func (w *World) writers(o *Object) bool {
	for _, p := range w.procs {
		for _, a := range p.space.areas {
			if a.object() == o && a.mayShareWrites() {
				return true
			}
		}
	}
	return false
}

// getSeals is fcntl(F_GET_SEALS).
func (p *Process) getSeals(op Op) Outcome {
	o, why := p.object(op.FD)
	if o == nil {
		return why
	}
	if o.kind != memfdKind {
		return refuse(syscall.EINVAL, "A file of this kind has no seals.")
	}
	list := Flags("")
	for _, s := range SealOrder {
		if o.seals.Has(s) {
			list = list.With(s)
		}
	}
	if list == "" {
		list = "none"
	}
	return done("The seals of the object, whichever descriptor they were made through.").with("%s", list)
}
