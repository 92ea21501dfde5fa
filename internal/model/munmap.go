package model

import "syscall"

// munmap takes whatever is mapped out of the range.
func (p *Process) munmap(op Op) Outcome {
	if inPage(op.Addr) != 0 {
		return refuse(syscall.EINVAL, "The address to unmap from is not a multiple of the page size.")
	}
	if op.Len == 0 {
		return refuse(syscall.EINVAL, "There is nothing in a range of no length.")
	}
	start, end := pageOf(op.Addr), pageOf(op.Addr)+pagesOf(op.Len)
	if len(p.space.overlapping(start, end)) == 0 {
		return done("Nothing was mapped there, and nothing is: that is no error.")
	}
	p.space.remove(start, end)
	return done("The range is unmapped. An area that reached beyond it was cut.")
}

// exit ends the process and starts another in its place. Descriptors are closed, areas
// unmapped, and what nobody else holds is gone.
func (p *Process) exit(Op) Outcome {
	p.space.remove(0, ArenaPages)
	p.begin()
	return done("The kernel unmaps everything and closes every descriptor when a process ends, however it ends.")
}
