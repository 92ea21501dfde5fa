package topic

import (
	"io/fs"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
)

// Overview is what is known of a topic without taking part in it.
type Overview struct {
	Name         string
	Path         string // of the file that all write to
	MessagesPath string // of the file that messages are in
	UID, GID     uint32
	Mode         fs.FileMode
	PublishMode  fs.FileMode // of the file that messages are in; 0 if it is not there
	Created      time.Time
	Persistent   bool
	Type         string // of its messages: "main.Frame", or BytesType
	Slots        int    // members there can be
	// Members have the topic open, or had when they died. Lane.Member and Seat.Member are their slots.
	Members []pshared.MemberInfo
	// Stat is seen while others go on. What the dead have is told until somebody takes their place.
	Stat
	// MessagesErr says why the file of messages could not be read: Stat has no lanes then, and does not
	// know how far subscribers are behind.
	MessagesErr error
}

// Look tells of a topic without taking part: nothing is written, and reading permission is enough. dir
// is as Options.Dir. fs.ErrNotExist: there is none.
func Look(name, dir string) (Overview, error) {
	var v Overview
	i, err := object.Look(object.ChooseDir(dir), object.Topic, name, func(i *object.Info, m *shmkit.Mapping, body int64) error {
		return v.look(i, m, body)
	})
	if err == nil {
		err = i.Err
	}
	v.Name, v.Path, v.MessagesPath, v.UID, v.GID, v.Mode, v.PublishMode = i.Name, i.Path, i.AnnexPath, i.UID, i.GID, i.Mode, i.AnnexMode
	v.Created, v.Persistent, v.Type, v.Slots = i.Created, i.Persistent, i.Type, i.Slots
	v.Size, v.MessagesSize = i.Size, i.Annex
	if v.MessagesErr == nil {
		v.MessagesErr = i.AnnexErr
	}
	for _, m := range i.Members {
		v.Members = append(v.Members, pshared.MemberInfo{Slot: m.Slot, PID: m.PID, PIDNS: m.PIDNS, UID: m.UID, Command: m.Command,
			Alive: m.Alive, Joined: m.Joined, Waiting: m.Waiting})
	}
	return v, err
}

// look looks at what is in the topic.
func (v *Overview) look(i *object.Info, m *shmkit.Mapping, body int64) (err error) {
	g, err := geometryIn(i.Words, i.BodySize, i.Annex)
	if err != nil {
		return err
	}
	seats, err := shmkit.ViewSlice[byte](m, body, int(i.BodySize))
	if err != nil {
		return err
	}
	defer seats.Close()
	n := &node{geometry: g, w: bodyAt(seats.Data()), body: seats.Data()}
	members := map[uint32]*object.MemberInfo{}
	for k, m := range i.Members {
		members[uint32(m.Slot)<<slotShift|m.Generation] = &i.Members[k]
	}
	who := func(owner uint32) (member int, alive bool) {
		if m := members[owner]; m != nil {
			return m.Slot, m.Alive
		}
		return -1, false
	}
	v.MessagesErr = i.AnnexErr
	if i.AnnexMapping == nil {
		v.Stat = n.stat(nil, who)
		return nil
	}
	all, err := shmkit.ViewSlice[byte](i.AnnexMapping, 0, i.AnnexMapping.Len())
	if err != nil {
		return err
	}
	defer all.Close()
	v.Stat = n.stat(&messages{geometry: &g, b: all.Data(), h: messagesAt(all.Data())}, who)
	return nil
}

// Names lists the names of the topics in a directory, which is as Options.Dir.
func Names(dir string) ([]string, error) { return object.Names(object.ChooseDir(dir), object.Topic) }
