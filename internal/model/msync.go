package model

import "syscall"

// msync writes back what was changed through shared mappings in the range. Only
// MS_SYNC does anything: it waits until the device has the pages. MS_ASYNC only checks
// the range, since the kernel writes dirty pages back by itself in a while, and
// MS_INVALIDATE only looks for locks, since mappings and files never disagree.
func (p *Process) msync(op Op) Outcome {
	switch {
	case op.Flags.Has("unknown"):
		return refuse(syscall.EINVAL, "msync refuses flags that it does not know.")
	case inPage(op.Addr) != 0:
		return refuse(syscall.EINVAL, "The address to write back from is not a multiple of the page size.")
	case op.Flags.Has("sync") && op.Flags.Has("async"):
		return refuse(syscall.EINVAL, "Either wait for the device or don't: MS_SYNC and MS_ASYNC exclude each other.")
	}
	hole := false
	for page, end := pageOf(op.Addr), pageOf(op.Addr)+pagesOf(op.Len); page < end; {
		a := p.space.find(page)
		if a == nil {
			hole = true
			if op.Flags == "async" {
				break
			}
			page++
			continue
		}
		if op.Flags.Has("invalidate") && a.lock != unlocked {
			return refuse(syscall.EBUSY, "MS_INVALIDATE would drop pages, and these are locked.")
		}
		stop := min(a.end, end)
		if op.Flags.Has("sync") && a.shared && a.object() != nil {
			a.object().writeBack(a.index(page), a.index(stop))
		}
		page = stop
	}
	if hole {
		return refuse(syscall.ENOMEM, "Part of the range to write back is not mapped. What is mapped was written back.")
	}
	if op.Flags.Has("sync") {
		return done("The device has every change of the range.")
	}
	return done("Nothing needed to be done: the page cache has every change, and the kernel writes it back in its own time.")
}
