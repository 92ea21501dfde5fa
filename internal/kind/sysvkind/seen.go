package sysvkind

import (
	"io/fs"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

// What package inspect sees of an object, as package sysv tells of it.

func permission(o *inspect.Object) sysv.Permission {
	return sysv.Permission{Key: sysv.Key(o.Key), ID: o.IPC, UID: o.UID, GID: o.GID, CreatorUID: o.CreatorUID, CreatorGID: o.CreatorGID,
		Mode: o.Mode & fs.ModePerm}
}

// Describe implements kind.Inspected.
func (Segments) Describe(seen []inspect.Object) []kind.Object {
	d, all := newDescriber(), []kind.Object{}
	for i := range seen {
		o := &seen[i]
		info := sysv.SegmentInfo{Permission: permission(o), Size: int64(o.Size), CreatorPID: o.CreatorPID, LastPID: o.LastPID,
			AttachTime: o.Attached, DetachTime: o.Detached, ChangeTime: o.Changed, Removed: o.Removed}
		if o.Segment != nil {
			info.Attached, info.Locked = o.Segment.Attachments, o.Segment.Locked
		}
		all = append(all, d.segment(info))
	}
	return all
}

// Describe implements kind.Inspected.
func (SemaphoreSets) Describe(seen []inspect.Object) []kind.Object {
	d, all := newDescriber(), []kind.Object{}
	for i := range seen {
		o := &seen[i]
		info := sysv.SemaphoreSetInfo{Permission: permission(o), ChangeTime: o.Changed}
		if o.SemaphoreSet != nil {
			info.Count, info.OpTime = o.SemaphoreSet.Count, o.SemaphoreSet.Operation
		}
		all = append(all, d.semaphores(info))
	}
	return all
}

// Describe implements kind.Inspected. /proc does not tell how much fits into a queue.
func (Queues) Describe(seen []inspect.Object) []kind.Object {
	capacities := map[int]uint64{}
	queues, err := sysv.MessageQueues()
	for _, q := range queues {
		capacities[q.ID] = q.Capacity
	}
	d, all := newDescriber(), []kind.Object{}
	for i := range seen {
		o := &seen[i]
		info := sysv.MessageQueueInfo{Permission: permission(o), ChangeTime: o.Changed}
		if q := o.MessageQueue; q != nil {
			info.Messages, info.Bytes = q.Messages, q.Bytes
			info.LastSendPID, info.LastReceivePID = q.LastSendPID, q.LastReceivePID
			info.SendTime, info.ReceiveTime = q.Sent, q.Received
		}
		capacity, known := capacities[o.IPC]
		info.Capacity = capacity
		described := d.queue(info)
		if !known {
			why := "the queue has gone"
			if err != nil {
				why = err.Error()
			}
			described.Set("capacity", kind.Unknown(why))
		}
		all = append(all, described)
	}
	return all
}
