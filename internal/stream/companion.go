package stream

import (
	"github.com/shmkit/shmkit/sysv"
)

// Companion returns the semaphore set that belongs to a segment if that holds a
// stream, nil if it does not or cannot be looked at. Who removes the segment by
// hand removes both, else the set stays behind.
func Companion(seg *sysv.Segment) *sysv.SemaphoreSet {
	mem, err := seg.Attach(&sysv.AttachOptions{ReadOnly: true})
	if err != nil {
		return nil
	}
	defer mem.Close()
	info, err := seg.Stat()
	if err != nil || info.Key == sysv.Private {
		return nil
	}
	if what, err := identify(mem, info); err != nil || what != ours {
		return nil
	}
	id, err := mem.Load32(24) // header.semID
	if err != nil {
		return nil
	}
	set, err := sysv.OpenSemaphores(info.Key)
	if err != nil || set.ID() != int(id) {
		return nil
	}
	if _, err := checkSet(set); err != nil {
		return nil
	}
	return set
}
