package inspect

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/shmkit/shmkit/memfd"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/topic"
)

// An Object is something that processes share, and what was seen of it.
type Object struct {
	// Address is what the shmkit command calls it, and nothing else now: "sysv:id=3", "posix:/frames",
	// "memfd:812/5", "file:/var/x", "lock:orders". What has no name is called by a process that has it:
	// "file:/proc/812/fd/5" by a descriptor, "map:812/7f12a0000000" by the address it is mapped at.
	Address string
	Kind    string // one of Kinds
	Name    string // without the kind: "/frames", "orders"; of a memfd what it was created with; of a file that has lost its path that one; may be empty
	Path    string // of its file; empty if it has none, or had
	ID      ID     // what mappings know it by; zero if there is nothing to map
	Key     uint32 // of what is System V's; 0: none
	IPC     int    // identifier of what is System V's

	Size     uint64 // bytes. Of KindMap, if it could not be looked at: as far as mappings reach
	PageSize uint64 // bytes; 0: not known

	Allocated Amount // takes memory or swap, or room on a disk
	Resident  Amount // in memory
	Dirty     Amount // in memory, and to be written to the device yet. Memory that has no device is all dirty: 0
	Swapped   Amount
	Locked    Amount // kept from being swapped, by whom of the users it is the most; Deep only, unless it is 0
	Huge      Amount // in huge pages; Deep only

	UID, GID               uint32
	CreatorUID, CreatorGID uint32 // System V
	Mode                   fs.FileMode
	ModeUnknown            string // why Mode, UID and GID are not known; empty if they are

	// Times. Zero: never, or not known.
	Created  time.Time // objects of shmkit
	Modified time.Time // stores through mappings do not count
	Changed  time.Time // owner, mode, size
	Accessed time.Time
	Attached time.Time // the last attaching of a segment
	Detached time.Time

	CreatorPID int // of a segment; 0 if that is not known, or outside this PID namespace
	LastPID    int // last to attach or detach, send or receive

	Removed bool // it has no name any more and goes with its last user

	Users  []User // who maps it or has a descriptor of it, as far as seen, by PID
	Hidden int    // processes that could not be looked at, and may be users: not if the kernel's own count leaves none

	Use    Use
	UseWhy string // how that is known, or why it is not: "2 processes are attached"

	// What only objects of one sort have; the others are nil.
	Segment      *Segment
	SemaphoreSet *SemaphoreSet
	MessageQueue *MessageQueue
	Memfd        *Memfd
	Shared       *Shared

	Err error // why no more is told
}

// String returns the object's address.
func (o *Object) String() string { return o.Address }

// OnlyRead reports whether the object is a file that nobody stores to and that is not in memory alone: a library's
// cache, a font, of which there are hundreds.
func (o *Object) OnlyRead() bool {
	return o.Kind == KindFile && o.Err == nil && !o.Removed && !strings.HasPrefix(o.Path, "/dev/shm/") &&
		!slices.ContainsFunc(o.Users, func(u User) bool { return u.Writable })
}

// An ID tells memory apart: two mappings with the same ID, at one moment, are of the same memory.
type ID struct {
	Class        Class
	Major, Minor uint32 // of the device
	Inode        uint64
	Namespace    uint64 // of a segment: inode number of its IPC namespace; 0: not known
}

// Class is the sort of memory, which the path in /proc/PID/maps tells.
type Class uint8

// Classes. The first is the zero value: nothing that can be mapped.
const (
	NoClass        Class = iota
	FileClass            // of a file system, with a name or without
	SegmentClass         // System V
	MemfdClass           // memfd_create
	AnonymousClass       // MAP_SHARED | MAP_ANONYMOUS
)

func (c Class) String() string {
	switch c {
	case FileClass:
		return "file"
	case SegmentClass:
		return "segment"
	case MemfdClass:
		return "memfd"
	case AnonymousClass:
		return "anonymous"
	}
	return "none"
}

// An Amount is a number of bytes, if Unknown is empty. Else that says why it is not known.
type Amount struct {
	Bytes   uint64
	Unknown string
}

func (a Amount) String() string {
	if a.Unknown != "" {
		return "unknown: " + a.Unknown
	}
	return fmt.Sprint(a.Bytes)
}

// A User is a process that maps an object or has a descriptor of it.
type User struct {
	PID      int
	Command  string // as in /proc/PID/comm: at most 15 bytes, of any value
	UID      uint32
	Mapped   uint64 // bytes of address space
	Resident Amount // of the object, in the page tables of this process; copies of a private mapping are not of it. Deep only

	Shared     bool // it maps it shared: stores of it are seen by others
	Writable   bool // it maps it shared, and may store now
	Executable bool

	Ranges      []Range // where it maps it, by address
	Descriptors []int

	// OtherNamespace: the process is in another IPC namespace than this one now.
	OtherNamespace bool
	// Self: it is the process that looks. Use does not count it.
	Self bool
}

// A Range is where a part of an object is mapped.
type Range struct {
	Start, End uint64 // addresses
	Offset     uint64 // in the object, bytes
	Protection Protection
}

// Protection is what a mapping allows: "rw-s" in /proc/PID/maps.
type Protection uint8

// Bits of Protection.
const (
	Read Protection = 1 << iota
	Write
	Execute
	SharedMapping // else private: stores make a copy
)

func (p Protection) String() string {
	b := []byte("---p")
	for i, c := range []byte("rwxs") {
		if p&(1<<i) != 0 {
			b[i] = c
		}
	}
	return string(b)
}

// Use says whether anybody living uses an object.
type Use uint8

// Values of Use. The first is the zero value.
const (
	Unknown Use = iota
	Used
	Unused
)

func (u Use) String() string {
	switch u {
	case Used:
		return "used"
	case Unused:
		return "unused"
	}
	return "unknown"
}

// Segment is what only a System V segment has.
type Segment struct {
	Attachments int  // the kernel's count, of all processes anywhere
	Unseen      int  // of them, those that are of no process in Users
	Locked      bool // kept from swapping, SHM_LOCK
	// Namespace is the inode number of the IPC namespace, if that is another one than the caller's: all
	// that is known is then what its users' mappings tell, and neither Attachments nor owner and mode.
	// CreatorUID and CreatorGID are known if Object.Allocated is.
	Namespace uint64
}

// SemaphoreSet is what only a set of System V semaphores has.
type SemaphoreSet struct {
	Count     int       // semaphores
	Operation time.Time // last; zero: never
}

// MessageQueue is what only a System V message queue has.
type MessageQueue struct {
	Messages       int
	Bytes          uint64    // text of all of them
	LastSendPID    int       // 0: nobody yet
	LastReceivePID int       // or the number of its thread, of one that slept for the message
	Sent, Received time.Time // last; zero: never
}

// Memfd is what only a memfd has.
type Memfd struct {
	Seals        memfd.Seals
	SealsUnknown string // why they are not known
}

// Shared is what only an object of shmkit has.
type Shared struct {
	Type       string // of what stands in it: "pshared.MutexWord", "main.Frame"
	Persistent bool   // it stays without members
	Slots      int    // members there can be
	Members    []pshared.MemberInfo
	Alive      int // of them

	State   string   // of a lock and the like: "held"; empty for a struct, topic or queue
	Depth   uint64   // items of a queue that are ready; of a topic, how far the last subscriber is behind
	Holders []Holder // who holds a lock or the like, or items of a queue, or messages of a topic
	Waiters int      // goroutines of living members that sleep for something in it

	// All that its package knows; the others are nil.
	Lock  *pshared.Info
	Queue *queue.Info
	Topic *topic.Overview
}

// A Holder is a member that has something of an object.
type Holder struct {
	Member int    // index in Shared.Members
	Word   string // of a struct: the field
	Mode   string // "write", "read", "items"; "" where there is only one way
	Count  int    // how often, or how much
}
