package queue

import (
	"encoding/binary"
	"io/fs"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
)

// MemberInfo is a process that has a queue open, or had when it died.
type MemberInfo struct {
	pshared.MemberInfo
	Held int // items, loans and dead letters that it has
}

// Info is what is known of a queue without taking part in it.
type Info struct {
	Name       string
	Path       string // of its file
	UID, GID   uint32
	Mode       fs.FileMode
	Created    time.Time
	Persistent bool
	Type       string // of its items: "main.Job", "[]uint8"
	Slots      int    // members there can be
	Members    []MemberInfo
	// Stat is counted while others go on: an item may be missed, or counted twice. What the
	// dead have counts as theirs until the next one to use the queue gives it back.
	Stat
	Orphaned int // of Claimed, Writing and DeadHeld: what the dead have
}

// Look tells of a queue without taking part: nothing is written, and reading permission is
// enough. dir is as Options.Dir. fs.ErrNotExist: there is none.
func Look(name, dir string) (Info, error) {
	var n Info
	i, err := object.Look(object.ChooseDir(dir), object.Queue, name, func(i *object.Info, m *shmkit.Mapping, body int64) error {
		return n.count(i, m, body)
	})
	if err == nil {
		err = i.Err
	}
	n.Name, n.Path, n.UID, n.GID, n.Mode = i.Name, i.Path, i.UID, i.GID, i.Mode
	n.Created, n.Persistent, n.Type, n.Slots = i.Created, i.Persistent, i.Type, i.Slots
	n.Size = i.Size
	for _, m := range i.Members {
		info := MemberInfo{MemberInfo: pshared.MemberInfo{Slot: m.Slot, PID: m.PID, PIDNS: m.PIDNS, UID: m.UID, Command: m.Command,
			Alive: m.Alive, Joined: m.Joined, Waiting: m.Waiting}}
		if len(m.Part) >= partSize {
			info.Held = int(binary.NativeEndian.Uint32(m.Part))
		}
		n.Members = append(n.Members, info)
	}
	return n, err
}

// count counts what is in the cells.
func (n *Info) count(i *object.Info, m *shmkit.Mapping, body int64) error {
	g, err := geometryOf(i.Words)
	if err != nil || g.bodySize() > i.BodySize {
		return ErrCorrupt
	}
	n.Stat = Stat{Capacity: int(g.capacity), MaxItem: int(g.room), Deliveries: int(g.deliveries), DeadLetters: int(g.letters)}
	living := map[uint32]bool{}
	for _, m := range i.Members {
		if m.Alive && len(m.Part) >= partSize {
			living[uint32(m.Slot)<<slotShift|binary.NativeEndian.Uint32(m.Part[4:])&generationMask] = true
		}
	}
	counts := n.counts()
	for k := range int64(g.cells()) {
		v, err := m.Load64(body + wordsSize + k*g.stride())
		if err != nil {
			return err
		}
		if stateOf(v) > deadClaimed {
			return ErrCorrupt
		}
		*counts[stateOf(v)]++
		if owner := ownerOf(v); owner != 0 && !living[owner] {
			n.Orphaned++
		}
	}
	if n.Pushed, err = m.Load64(body + sequenceAt); err != nil {
		return err
	}
	n.Dropped, err = m.Load64(body + droppedAt)
	return err
}

// Names lists the names of the queues in a directory, which is as Options.Dir.
func Names(dir string) ([]string, error) { return object.Names(object.ChooseDir(dir), object.Queue) }
