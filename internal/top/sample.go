package top

import (
	"context"
	"time"
)

// A Source is asked for what there is. Its two methods may be called at the same time.
type Source interface {
	Sample(ctx context.Context) (*Sample, error)
	// Look tells all about one object, as lines of text. fs.ErrNotExist: it is gone.
	Look(ctx context.Context, i Item) ([]string, error)
}

// Sample is what there was at one time.
type Sample struct {
	At        time.Time
	Took      time.Duration // to find out
	Items     []Item
	Processes map[int]Process // those that use an item, by PID
	Hidden    int             // processes that did not let this user look
	Problems  []string        // what could not be told
}

// Identity tells objects apart. The address is in it where the kernel gives nothing better.
type Identity struct {
	Kind, Address string
	Class         string // of inodes, which are counted apart
	Device, Inode uint64
	Namespace     uint64 // of IPC
	Created       int64  // ns, 0: not known
}

// Item is one object.
type Item struct {
	ID            Identity
	Address, Kind string
	Owner         string
	Size          uint64
	// Bytes of memory: present, not written back.
	Resident, Dirty Amount
	Users           []int // PIDs, ascending
	Command         string
	Sent            Amount // messages ever, of what has messages
	Depth           Amount // messages or items that wait
	Holders         Amount // of what can be held
	Waiters         Amount // of what can be waited for
	Marks           []string
	OnlyRead        bool // a file that nobody stores to
}

// Amount is a number, or not known.
type Amount struct {
	N     uint64
	Known bool
}

// Of is an amount that is known.
func Of[T int | int64 | uint64](n T) Amount { return Amount{uint64(n), true} }

// Process is what is counted of a process. PIDs are used again: Start tells.
type Process struct {
	Start        uint64
	Minor, Major uint64 // page faults ever
}
