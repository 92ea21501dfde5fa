package model

import (
	"math"
	"syscall"
)

// Objects that change their size, and what that does to those who mapped them.

// truncate is ftruncate(2).
//
// Cutting an object off takes its pages from every process. Entries of page tables that
// lead there go, and so do private copies of pages that lie wholly behind the new end:
// a copy is nobody else's, and yet it is lost. Who touches such a page then gets
// SIGBUS. When the object grows again, the page is there again, full of zeros.
func (p *Process) truncate(op Op) Outcome {
	f, ok := p.file(op.FD)
	switch {
	case !ok || f.path:
		return refuse(syscall.EBADF, "The descriptor whose file is to be cut is not open.")
	case f.object == nil || !f.write:
		return refuse(syscall.EINVAL, "The size of a file changes through a descriptor that was opened for writing only.")
	}
	o := f.object
	switch {
	case op.Size < o.size && o.seals.Has("shrink"):
		return refuse(syscall.EPERM, "The object is sealed against shrinking: whoever mapped it can rely on its size.")
	case op.Size > o.size && o.seals.Has("grow"):
		return refuse(syscall.EPERM, "The object is sealed against growing.")
	case op.Size > o.size:
		if o.kind == diskKind { // write and fallocate wipe only what becomes content
			o.wipe(o.size, o.end()*PageSize)
		}
		o.grow(op.Size)
		return done("The object has more bytes. They take no memory until they are touched.")
	}
	p.world.unmap(o, pagesOf(op.Size), o.end(), true)
	o.shrink(op.Size)
	return done("Pages behind the new end are gone, for everybody, with the private copies of them.")
}

// fallocate is fallocate(2): it reserves memory for a range, or with "punch" gives it
// back.
func (p *Process) fallocate(op Op) Outcome {
	f, ok := p.file(op.FD)
	switch {
	case !ok || f.path:
		return refuse(syscall.EBADF, "The descriptor to reserve memory for is not open.")
	case op.Len <= 0:
		return refuse(syscall.EINVAL, "A range to reserve has at least one byte.")
	case op.Flags.Has("punch") && !op.Flags.Has("keep"):
		return refuse(syscall.EOPNOTSUPP, "A hole never changes the size, and the call has to say that it knows (FALLOC_FL_KEEP_SIZE).")
	case !f.write:
		return refuse(syscall.EBADF, "The descriptor is open, but not for writing, so nothing is reserved through it.")
	}
	end := op.Off + op.Len
	if op.Flags.Has("punch") {
		return p.world.hole(f.object, op.Off, end)
	}
	o := f.object
	if o.seals.Has("grow") && end > o.size {
		return refuse(syscall.EPERM, "The object is sealed against growing, so nothing is reserved behind its end.")
	}
	if o.kind != diskKind { // a disk file gets blocks on the device, and no page
		for i := pageOf(op.Off); i < pagesOf(end); i++ {
			if o.pages[i] != nil {
				o.page(i) // one that is reserved already is cleared now
				continue
			}
			o.pages[i] = &cachePage{blank: true}
		}
	}
	if end > o.size && !op.Flags.Has("keep") {
		o.grow(end)
	}
	return done("The memory is reserved: touching these pages cannot fail for want of it.")
}

// hole gives the pages of a range back. Private copies survive: unlike a truncation a
// hole leaves the page, with zeros for content, to whoever has no copy.
func (w *World) hole(o *Object, off, end int64) Outcome {
	if o.sealedAgainstWriting() {
		return refuse(syscall.EPERM, "A hole changes the content, and the object is sealed against writing.")
	}
	if o.kind == diskKind && end > o.size {
		if off >= o.size {
			return done("There is nothing to take away behind the end of a file.")
		}
		end = (pageOf(o.size) + 1) * PageSize // ext4 goes on to the end of the last page
	}
	first, last := pagesOf(off), pageOf(end)
	if last == 0 {
		// Of a hole that ends in the first page, tmpfs computes a last byte of -1, and
		// takes it for the largest number. Nothing is lost: the entries come back at
		// the next touch.
		last = math.MaxInt64
	}
	w.unmap(o, first, last, false)
	o.punch(off, end)
	return done("The range reads as zeros, and its whole pages take no memory.")
}
