package inspect

import (
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/sys"
)

// settleSegments compares what processes were seen to attach with what the kernel counts, and looks again where that
// cannot be: processes came or went in between.
func (s *Snapshot) settleSegments() {
	again := false
	for _, seg := range s.segments.rows {
		m := s.memories[s.segmentID(seg.ID)]
		if m == nil || uint64(len(m.maps)) <= seg.Attachments {
			continue
		}
		s.recheck(m)
		again = true
	}
	known := map[int]bool{}
	for _, seg := range s.segments.rows {
		known[seg.ID] = true
	}
	for id, m := range maps.All(s.memories) {
		if id.Class != SegmentClass || id.Namespace != s.ipc || known[int(id.Inode)] {
			continue
		}
		s.recheck(m) // gone, or, if it is still there, of a namespace that its process has left
		if again = again || len(m.maps) > 0; len(m.maps) == 0 {
			delete(s.memories, id)
		}
	}
	if again {
		if rows, err := proc.Segments(s.options.proc()); err == nil {
			s.segments.rows = rows
		}
	}
}

// recheck drops mappings that are there no more.
func (s *Snapshot) recheck(m *memory) {
	b := proc.NewBuffer()
	var still []mapped
	for i := 0; i < len(m.maps); {
		pid := m.maps[i].pid
		there := map[uint64]bool{}
		if p, err := proc.Open(s.options.proc(), int(pid), b); err == nil {
			_ = p.Maps(func(l *proc.Map) bool {
				if id := idOf(l, func() uint64 { return m.id.Namespace }); id == m.id {
					there[l.Start] = true
				}
				return true
			})
			p.Close()
		}
		for ; i < len(m.maps) && m.maps[i].pid == pid; i++ {
			if there[m.maps[i].Start] {
				still = append(still, m.maps[i])
			}
		}
	}
	m.maps = still
}

func (s *Snapshot) segmentID(id int) ID {
	return ID{Class: SegmentClass, Inode: uint64(id), Namespace: s.ipc}
}

// common fills in what all of System V have.
func (s *Snapshot) common(kind string, c *proc.IPC) Object {
	return Object{Address: fmt.Sprintf("%s:id=%d", kind, c.ID), Kind: kind, Key: c.Key, IPC: c.ID, UID: c.UID, GID: c.GID,
		CreatorUID: c.CreatorUID, CreatorGID: c.CreatorGID, Mode: fs.FileMode(c.Mode & 0o777), Changed: c.Changed}
}

func (s *Snapshot) segmentCandidates() (all []candidate) {
	if s.segments.err != nil {
		return []candidate{{kind: KindSegment, err: s.segments.err}}
	}
	known := map[int]bool{}
	for i := range s.segments.rows {
		seg := &s.segments.rows[i]
		known[seg.ID] = true
		all = append(all, candidate{kind: KindSegment, n: seg.ID, tell: func() (Object, error) { return s.segment(seg), nil }})
	}
	for _, m := range s.sorted(func(m *memory) bool {
		if m.id.Namespace == 0 && s.ipc != 0 { // its process was about to end: what it has may be of this namespace
			return false
		}
		return m.id.Class == SegmentClass && (m.id.Namespace != s.ipc || !known[int(m.id.Inode)])
	}) {
		all = append(all, candidate{kind: KindSegment, key: "other", n: int(m.id.Inode), tell: func() (Object, error) { return s.foreignSegment(m) }})
	}
	return all
}

// segment tells of a segment of this namespace.
func (s *Snapshot) segment(seg *proc.Segment) Object {
	o := s.common(KindSegment, &seg.IPC)
	o.ID = s.segmentID(seg.ID)
	o.Size = seg.Size
	o.CreatorPID, o.LastPID = seg.CreatorPID, seg.LastPID
	o.Attached, o.Detached = seg.Attached, seg.Detached
	o.Removed = seg.Mode&sys.SHM_DEST != 0
	o.Resident, o.Swapped = Amount{Bytes: seg.Resident}, Amount{Bytes: seg.Swapped}
	o.Allocated = Amount{Bytes: seg.Resident + seg.Swapped}
	if !seg.HasResident {
		o.unseen("this kernel does not tell")
		o.Dirty = Amount{}
	}
	o.Locked, o.Huge = Amount{Unknown: whyNotDeep}, Amount{Unknown: whyNotDeep}
	o.Segment = &Segment{Attachments: int(min(seg.Attachments, 1<<31-1)), Locked: seg.Mode&sys.SHM_LOCKED != 0}
	if o.Segment.Locked {
		o.Locked = o.Resident
	}
	m := s.memories[o.ID]
	seen, own := 0, 0
	if m != nil {
		o.Users = s.users(m)
		seen = len(m.maps)
		for i := range m.maps {
			if int(m.maps[i].pid) == s.self {
				own++
			}
		}
	}
	if o.Segment.Unseen = max(0, o.Segment.Attachments-seen); o.Segment.Unseen > 0 {
		o.Hidden = s.hidden
	}
	switch n := o.Segment.Attachments - own; {
	case n > 0 && o.Segment.Unseen > 0:
		o.Use, o.UseWhy = Used, fmt.Sprintf("the kernel counts %d attachments, %d of them of processes that were not seen", n, o.Segment.Unseen)
	case n > 0:
		o.Use, o.UseWhy = Used, fmt.Sprintf("the kernel counts %d attachments", n)
	default:
		o.Use, o.UseWhy = Unused, "the kernel counts no attachment"
		if own > 0 {
			o.UseWhy += " but those of this process"
		}
	}
	return o
}

// foreignSegment tells of one that is of another IPC namespace: what its mappings show.
func (s *Snapshot) foreignSegment(m *memory) (Object, error) {
	at, ok := s.firstMap(m)
	if !ok {
		return Object{}, fs.ErrNotExist
	}
	o := Object{Address: fmt.Sprintf("map:%d/%x", at.pid, at.Start), Kind: KindSegment, Name: m.path, ID: m.id, IPC: int(m.id.Inode), Hidden: s.hidden}
	if key, err := strconv.ParseUint(strings.TrimPrefix(m.path, string(segmentPath)), 16, 32); err == nil {
		o.Key = uint32(key)
	}
	o.Segment = &Segment{Namespace: m.id.Namespace}
	if m.id.Namespace == s.ipc {
		// Its process is in this namespace now, which has no such segment.
		o.Segment.Namespace = elsewhere
	}
	if _, ok := s.inside(&o, m); ok {
		// The file behind a segment has the user who made it, and a mode that nobody asks. Who owns it, and what it allows,
		// stands in the table of its namespace.
		o.CreatorUID, o.CreatorGID = o.UID, o.GID
	}
	o.UID, o.GID, o.Mode, o.ModeUnknown = 0, 0, 0, "only processes of its IPC namespace are told"
	o.Removed = false // whether it is removed is known where it is
	o.Users = s.users(m)
	s.judge(&o)
	return o, nil
}

// elsewhere is the namespace of a segment that is not in the one its processes are in.
const elsewhere = 1

func (s *Snapshot) setCandidates() (all []candidate) {
	if s.sets.err != nil {
		return []candidate{{kind: KindSemaphores, err: s.sets.err}}
	}
	for i := range s.sets.rows {
		r := &s.sets.rows[i]
		all = append(all, candidate{kind: KindSemaphores, n: r.ID, tell: func() (Object, error) { return s.set(r), nil }})
	}
	return all
}

// notCounted is why of semaphores and message queues it is not known who uses them.
const notCounted = "the kernel does not count who uses it"

func (s *Snapshot) set(r *proc.SemaphoreSet) Object {
	o := s.common(KindSemaphores, &r.IPC)
	o.SemaphoreSet = &SemaphoreSet{Count: r.Count, Operation: r.Operation}
	o.UseWhy = notCounted
	return o
}

func (s *Snapshot) queueCandidates() (all []candidate) {
	if s.queues.err != nil {
		return []candidate{{kind: KindMessageQueue, err: s.queues.err}}
	}
	for i := range s.queues.rows {
		r := &s.queues.rows[i]
		all = append(all, candidate{kind: KindMessageQueue, n: r.ID, tell: func() (Object, error) { return s.messageQueue(r), nil }})
	}
	return all
}

func (s *Snapshot) messageQueue(r *proc.MessageQueue) Object {
	o := s.common(KindMessageQueue, &r.IPC)
	o.Size = r.Bytes
	o.MessageQueue = &MessageQueue{Messages: int(min(r.Messages, 1<<31-1)), Bytes: r.Bytes, LastSendPID: r.LastSendPID,
		LastReceivePID: r.LastReceivePID, Sent: r.Sent, Received: r.Received}
	o.LastPID = r.LastSendPID
	if r.Received.After(r.Sent) {
		o.LastPID = r.LastReceivePID
	}
	o.UseWhy = notCounted
	return o
}
