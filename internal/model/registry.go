package model

import (
	"maps"
	"slices"
)

// Limits bound what System V segments may take, per IPC namespace:
// /proc/sys/kernel/shmmni, shmmax and shmall.
type Limits struct {
	Segments   int   // SHMMNI: most segments
	SegmentMax int64 // SHMMAX: largest segment, bytes
	Pages      int64 // SHMALL: most pages of all segments together
}

// A Segment is a System V shared memory segment: an object with a number, perhaps a
// key, and an owner. It lives until it is removed, whether or not anybody has it
// attached.
type Segment struct {
	id      int
	key     int // 0: none (IPC_PRIVATE), or not any more
	mode    int // permission bits, 0o777
	size    int64
	owner   int // uid
	maker   int // uid of the creator, who keeps the rights of an owner
	object  *Object
	removed bool   // IPC_RMID was called: goes with the last attachment
	locked  bool   // SHM_LOCK
	locker  int    // uid whose limit the locked pages count against
	creator string // process that made it
	last    string // process that attached or detached last; "-": none yet
}

// A Registry holds the segments of one IPC namespace, by index.
//
// An id is the index plus 32,768 times a sequence number, so that the id of a removed
// segment does not soon mean another one. The sequence number advances when indexes are
// used again from a lower one, not with every segment.
type Registry struct {
	limits   Limits
	segments map[int]*Segment
	next     int // index to look at first
	lastUsed int // index given out last
	seq      int
}

const (
	idsPerSeq = 1 << 15
	maxSeq    = 1<<31/idsPerSeq - 1
	// minCycle: indexes are used one after the other up to here before one is used
	// again, however few segments there are.
	minCycle = 64
)

func newRegistry(limits Limits) *Registry {
	return &Registry{limits: limits, segments: map[int]*Segment{}, lastUsed: -1}
}

// StartAfter makes the registry give out ids as if id had been the last one.
func (r *Registry) StartAfter(id int) {
	r.lastUsed, r.seq = id%idsPerSeq, id/idsPerSeq
	r.next = r.lastUsed + 1
}

// newID chooses an index and makes the id of it.
func (r *Registry) newID() int {
	end := min(max(len(r.segments)*3/2, minCycle), idsPerSeq)
	free := func(from, to int) int {
		for i := from; i < to; i++ {
			if r.segments[i] == nil {
				return i
			}
		}
		return -1
	}
	i := free(r.next, end)
	if i < 0 {
		i = free(0, end)
	}
	if i <= r.lastUsed {
		r.seq++
		if r.seq >= maxSeq {
			r.seq = 0
		}
	}
	r.lastUsed, r.next = i, i+1
	return r.seq*idsPerSeq + i
}

// byID finds a segment by its whole id.
func (r *Registry) byID(id int) *Segment {
	if id < 0 {
		return nil
	}
	if s := r.segments[id%idsPerSeq]; s != nil && s.id == id {
		return s
	}
	return nil
}

// byKey finds the segment that has the key. A removed segment has lost its key.
func (r *Registry) byKey(key int) *Segment {
	for _, s := range r.segments {
		if s.key == key {
			return s
		}
	}
	return nil
}

// pages is what all segments together count against SHMALL: their sizes, whether or not
// any page of them is in memory.
func (r *Registry) pages() int64 {
	var n int64
	for _, s := range r.segments {
		n += pagesOf(s.size)
	}
	return n
}

// lockedBy is how many pages of segments the user has locked.
func (r *Registry) lockedBy(uid int) int64 {
	var n int64
	for _, s := range r.segments {
		if s.locked && s.locker == uid {
			n += pagesOf(s.size)
		}
	}
	return n
}

// reap destroys the segments that are marked as removed and have no attachment left.
func (r *Registry) reap(w *World) {
	for i, s := range r.segments {
		if s.removed && w.attachments(s) == 0 {
			delete(r.segments, i)
		}
	}
}

// sorted lists the segments by index.
func (r *Registry) sorted() []*Segment {
	var all []*Segment
	for _, i := range slices.Sorted(maps.Keys(r.segments)) {
		all = append(all, r.segments[i])
	}
	return all
}

// Rights to a segment, as the bits of its mode for one class of users.
const (
	readRight  = 0o4
	writeRight = 0o2
)

// permits reports whether the user has the rights. The class of the user decides, and
// only that: an owner whose three bits say no is refused, whatever others may do.
// Groups are not modelled; a user's group has the user's number.
func (s *Segment) permits(u User, rights int) bool {
	granted := s.mode
	switch u.UID {
	case s.owner, s.maker:
		granted >>= 6
	}
	return rights&^granted&0o7 == 0 || u.IPCOwner
}

// controls reports whether the user may change or remove the segment.
func (s *Segment) controls(u User) bool {
	return u.UID == s.owner || u.UID == s.maker || u.SysAdmin
}
