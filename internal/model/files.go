package model

import (
	"fmt"
	"strings"
	"syscall"
)

// Descriptors, and the objects that are reached through them.

// create makes an object and a descriptor for reading and writing. A name that was in
// use is closed first.
func (p *Process) create(fd string, k kind) *Object {
	p.made++
	o := newObject(fmt.Sprintf("%s%d", p.Name, p.made), k, 0)
	p.files[fd] = &File{object: o, read: true, write: true}
	return o
}

// memfd makes an object without a name. It lives until nobody has it open or mapped.
func (p *Process) memfd(op Op) Outcome {
	o := p.create(op.FD, memfdKind)
	if !op.Flags.Has("sealing") {
		o.seals = "seal"
		return done("New memory without a name. It may not be sealed, as if it were sealed against seals.")
	}
	return done("New memory without a name, which may be sealed.")
}

// tmpfile makes a file on a disk, and removes its name.
func (p *Process) tmpfile(op Op) Outcome {
	p.create(op.FD, diskKind)
	return done("A new file. Its pages in memory are copies of blocks on a device.")
}

// pipe makes a descriptor of something that cannot be mapped.
func (p *Process) pipe(op Op) Outcome {
	p.files[op.FD] = &File{read: true}
	return done("A pipe, which has bytes but no pages.")
}

// open opens the object of another descriptor anew, as through /proc/PID/fd, or
// duplicates the descriptor.
func (p *Process) open(op Op) Outcome {
	owner, name, _ := strings.Cut(op.From, ".")
	var from *File
	for _, q := range p.world.procs {
		if q.Name == owner {
			from = q.files[name]
		}
	}
	if op.Flags.Has("dup") {
		if from == nil || owner != p.Name {
			return refuse(syscall.EBADF, "There is no such descriptor to duplicate in this process.")
		}
		p.files[op.FD] = from
		return done("Another number for the same open file.")
	}
	if from == nil {
		return refuse(syscall.ENOENT, "The process has no such descriptor to open through /proc.")
	}
	p.files[op.FD] = &File{
		object: from.object, read: op.Flags.Has("r"), write: op.Flags.Has("w"), path: op.Flags.Has("path"),
	}
	return done("The object is open once more, with rights and a place in it of its own.")
}

func (p *Process) closeFile(op Op) Outcome {
	if _, ok := p.file(op.FD); !ok {
		return refuse(syscall.EBADF, "There is nothing to close.")
	}
	delete(p.files, op.FD)
	return done("The descriptor is free. Mappings made through it stay.")
}

// write is pwrite(2) of len bytes of one value. It goes page by page, and what was
// written before an obstacle counts.
func (p *Process) write(op Op) Outcome {
	f, ok := p.file(op.FD)
	switch {
	case !ok || f.path || !f.write && f.object != nil:
		return refuse(syscall.EBADF, "The descriptor is not open for writing.")
	case f.object == nil:
		return refuse(syscall.ESPIPE, "A pipe has no place to write at.")
	}
	o := f.object
	written := int64(0)
	for written < op.Len {
		off := op.Off + written
		n := min(op.Len-written, PageSize-inPage(off))
		if o.sealedAgainstWriting() {
			return refuse(syscall.EPERM, "The object is sealed against writing, also by write(2).")
		}
		if o.seals.Has("grow") && off+n > o.size {
			if written == 0 {
				return refuse(syscall.EPERM, "The object is sealed against growing, and the write reaches beyond its end.")
			}
			return done("The object is sealed against growing: whole pages before the one with the end were written.").with("%d", written)
		}
		if off+n > o.size {
			o.grow(off + n)
		}
		for i := range n {
			o.put(off+i, op.Val)
		}
		written += n
	}
	return done("The bytes are in the page cache, where mappings see them at once.").with("%d", written)
}

// read is pread(2).
func (p *Process) read(op Op) Outcome {
	f, ok := p.file(op.FD)
	switch {
	case !ok || f.path || !f.read:
		return refuse(syscall.EBADF, "The descriptor is not open for reading.")
	case f.object == nil:
		return refuse(syscall.ESPIPE, "A pipe has no place to read at.")
	}
	b := make([]byte, max(0, min(op.Len, f.object.size-op.Off)))
	for i := range b {
		b[i] = f.object.at(op.Off + int64(i))
	}
	return done("The bytes are those of the page cache. A hole reads as zeros and stays a hole.").with("%d: %s", len(b), Bytes(b))
}

// object finds what a descriptor refers to, for calls that only need it to be open.
func (p *Process) object(fd string) (*Object, Outcome) {
	f, ok := p.file(fd)
	switch {
	case !ok || f.path:
		return nil, refuse(syscall.EBADF, "The descriptor is not open.")
	case f.object == nil:
		return nil, refuse(syscall.EINVAL, "The descriptor refers to nothing that has pages.")
	}
	return f.object, goOn
}

func (p *Process) fileSize(op Op) Outcome {
	o, why := p.object(op.FD)
	if o == nil {
		return why
	}
	return done("The size, to the byte. Mappings go by pages.").with("%d", o.size)
}

// fsync brings all of the object to the device.
func (p *Process) fsync(op Op) Outcome {
	o, why := p.object(op.FD)
	if o == nil {
		return why
	}
	o.writeBack(0, o.end()+1)
	return done("The device has every page.")
}

// isDirty tells whether pages wait to be written back, whoever changed them and
// however.
func (p *Process) isDirty(op Op) Outcome {
	o, why := p.object(op.FD)
	if o == nil {
		return why
	}
	if o.dirty() {
		return done("Pages differ from the device. The kernel writes them back in its own time, or now if asked.").with("dirty")
	}
	return done("No page waits for a device.").with("clean")
}
