package pshared

import (
	"fmt"
	"io/fs"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
)

// Kinds are the kinds of object that this package makes, as in their addresses. A Mutex
// and an RWMutex are both a "lock".
func Kinds() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.String())
	}
	return names
}

var kinds = []object.Kind{object.Lock, object.Semaphore, object.Cond, object.Event, object.Barrier, object.Once, object.Struct}

func kindOf(name string) (object.Kind, error) {
	for _, k := range kinds {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("pshared: no objects are of kind %q: %w", name, fs.ErrInvalid)
}

// States that are the same for all that can be held by members. Others tell what there is to
// tell, such as "set".
const (
	Unlocked       = "unlocked"
	Held           = "held"            // by a living member
	HeldForReading = "read"            // of an RWMutex: by one or more
	OwnerDead      = "owner dead"      // its holder died; the next to lock it is told
	Inconsistent   = "inconsistent"    // held by somebody who was told, and has not repaired yet
	NotRecoverable = "not recoverable" // see ErrNotRecoverable
	Corrupt        = "corrupt"         // no member writes such a state
)

// MemberInfo is a process that has an object open, or had when it died. PID, start and
// command are what that process wrote of itself.
type MemberInfo struct {
	Slot    int
	PID     int    // in its own PID namespace, whose inode is PIDNS
	PIDNS   uint64 // as of /proc/PID/ns/pid
	UID     uint32
	Command string
	Alive   bool
	Joined  time.Time
	Waiting int // its goroutines that sleep for something in the object
}

// Info is what is known of a named object of this package.
type Info struct {
	Kind       string // "lock"
	Name       string
	Path       string // of its file
	Size       int64  // of the file, bytes
	UID, GID   uint32
	Mode       fs.FileMode
	Created    time.Time
	Persistent bool
	Type       string // of what stands in it: "pshared.MutexWord", "main.Ledger"
	Slots      int    // members there can be
	Members    []MemberInfo
	// Words are what can be held or waited for in the object, by offset: one, but for a
	// struct, of which the first 4,096 are told.
	Words []WordInfo
}

// WordInfo is what can be seen of one word without having a part in it.
type WordInfo struct {
	Path   string // its field in a struct: "Accounts[3].Mu"; else ""
	Offset int64  // in the struct
	Kind   string // "mutex"
	State  string // one of the constants above, or in words of its own
	// Holders are who holds it, or held it when they died.
	Holders []Holder
	// Waiters: somebody may sleep for it. It is cleared late.
	Waiters bool
}

// A Holder is a member that holds something.
type Holder struct {
	Member int    // index in Info.Members
	Mode   string // "write" or "read"; "" where there is only one way
	Count  int    // how often, or how much
}

// Look tells of a named object of a kind without taking part: nothing is written, and
// reading permission is enough. dir is as Options.Dir. fs.ErrNotExist: there is none.
func Look(kind, name, dir string) (Info, error) {
	k, err := kindOf(kind)
	if err != nil {
		return Info{}, err
	}
	out := Info{Kind: kind, Name: name}
	i, err := object.Look(object.ChooseDir(dir), k, name, func(i *object.Info, m *shmkit.Mapping, body int64) (err error) {
		out.Words, err = see(i, m, body)
		return err
	})
	if err == nil {
		err = i.Err
	}
	out.Path, out.Size, out.UID, out.GID, out.Mode = i.Path, i.Size, i.UID, i.GID, i.Mode
	out.Created, out.Persistent, out.Type, out.Slots = i.Created, i.Persistent, i.Type, i.Slots
	for _, m := range i.Members {
		out.Members = append(out.Members, MemberInfo{Slot: m.Slot, PID: m.PID, PIDNS: m.PIDNS, UID: m.UID, Command: m.Command,
			Alive: m.Alive, Joined: m.Joined, Waiting: m.Waiting})
	}
	return out, err
}

// Remove removes the name of an object that no living handle has open; also of one that
// is persistent, or broken. dir is as Options.Dir.
func Remove(kind, name, dir string) error {
	k, err := kindOf(kind)
	if err != nil {
		return err
	}
	return object.Remove(object.ChooseDir(dir), k, name)
}

// Names lists the names of the objects of a kind in a directory, which is as
// Options.Dir.
func Names(kind, dir string) ([]string, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, err
	}
	return object.Names(object.ChooseDir(dir), k)
}
