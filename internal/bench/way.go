package bench

import (
	"fmt"
	"slices"
	"strings"
)

// A Wait is how a receiver waits for a message.
type Wait string

// Ways of waiting.
const (
	// Spin: it asks again and again, and never sleeps; on descriptors with O_NONBLOCK.
	Spin Wait = "spin"
	// Block: it makes the call that waits. That of shmkit looks for some microseconds before it
	// sleeps; those of the kernel sleep.
	Block Wait = "block"
)

// A way is a means to get messages from one process to the other.
type way struct {
	name  string
	about string
	// yardstick: it is no way for programs, but what the machine takes at least.
	yardstick bool
	// ours: it is shmkit's.
	ours bool
	// trips: it is for round trips alone, for a message overwrites the one before.
	trips bool
	// most is the longest message, 0 if there is no limit, or why there cannot be any here.
	most func() (bytes int, err error)
	// prepare makes, in the command, what both sides inherit.
	prepare func(*props) error
	// open opens one side: r.first sends on the way there, and receives on the way back.
	open func(*room) (end, error)
}

// An end is one side of a way. Both sides number messages from 1; what a message is made of, and
// what is looked at, is the room's affair (payload).
type end interface {
	// send sends message number seq, and waits for room if need be.
	send(seq uint64) error
	// receive waits for the next message, which is to be number seq.
	receive(seq uint64) error
	// memory is how many bytes are reserved for the way, both directions together, -1 if it is not known.
	memory() int64
	close() error
}

// allWays are the ways of messages, in the order in which they are shown.
func allWays() []way {
	return []way{
		pipeWay(), streamWay(), datagramWay(), tcpWay(), posixQueueWay(), sysvQueueWay(),
		segmentWay(), mappingWay(), queueWay(false), queueWay(true), topicWay(false), topicWay(true),
	}
}

// Ways are the names of all ways of messages.
func Ways() (names []string) {
	for _, w := range allWays() {
		names = append(names, w.name)
	}
	return names
}

// moreWays are those of tests.
var moreWays []way

func findWay(name string) (way, error) {
	for _, w := range slices.Concat(yardsticks(), allWays(), moreWays) {
		if w.name == name {
			return w, nil
		}
	}
	return way{}, fmt.Errorf("there is no way %q; there are %s", name, strings.Join(Ways(), ", "))
}
