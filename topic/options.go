package topic

import (
	"cmp"
	"io/fs"
	"math/bits"
)

// Options is what a topic is made with. The zero value will do. Only Dir and AnyOwner count
// when it exists already.
type Options struct {
	// Dir is the directory that the name is in: "" is what the environment variable
	// SHMKIT_DIR says, or /dev/shm/shmkit-UID.
	Dir string

	// MaxMessage is the largest message of bytes, 1 to MaxMessage; 0 is
	// DefaultMaxMessage. A type says it itself.
	MaxMessage int
	// Publishers is how many publishers there can be at a time, 1 to MaxPublishers. 0 is 8, or 4 if messages
	// are longer than some 200 bytes, or 2 if they are longer than 64 KiB.
	Publishers int
	// Subscribers is how many subscribers there can be at a time, 1 to MaxSubscribers. 0 is 64, 32 or 8.
	Subscribers int
	// Depth is by how many messages a reliable subscriber can be behind a publisher that goes on; 1 to
	// 524,288. 0 is 1024, 256 or 8. It is rounded up so that Depth and History together are a
	// power of two.
	Depth int
	// History is how many messages of each publisher are kept for subscribers that join later, 0 to
	// 524,288.
	History int
	// Held is how many views a subscriber can hold at a time, 1 to MaxHeld; 0 is 16, 4 or 2.
	Held int
	// Loans is how many loans a publisher can hold at a time, 1 to MaxHeld; 0 is 16, 4 or 2. Each takes the
	// room of a message of Depth: with as many as that, there is no room until one is published or dropped, also
	// if no subscriber is reliable.
	Loans int
	// BestEffort lets no subscriber be reliable: publishers never wait.
	BestEffort bool
	// Timestamps has each message carry the time when it was published.
	Timestamps bool
	// Persistent keeps the topic, and its history, when nobody has it open.
	Persistent bool
	// Mode is the permission bits of the file that all write to who have the topic open; 0 is 0600.
	// The umask does not count.
	Mode fs.FileMode
	// PublishMode is the permission bits of the file that messages are in: who may write it may publish, who may
	// read it may subscribe. 0 is Mode, but that only the owner may write.
	PublishMode fs.FileMode

	// AnyOwner opens topics of any user: whoever made it, or may write to it, is trusted.
	AnyOwner bool
}

// DefaultMaxMessage is the largest message of bytes, in bytes, unless Options say otherwise.
const DefaultMaxMessage = 4096

// preset is what there is if Options say nothing.
type preset struct{ publishers, subscribers, depth, held, loans int }

var (
	small  = preset{8, 64, 1024, 16, 16} // messages that stand in their slots
	medium = preset{4, 32, 256, 4, 4}
	large  = preset{2, 8, 8, 2, 2}
)

const largeMessage = 64 << 10

// words returns the settings of a new topic with messages of room bytes, or, if that is 0, of up
// to MaxMessage bytes.
func (o *Options) words(room uint64) (w [16]uint64, err error) {
	if room == 0 {
		if o.MaxMessage < 0 || o.MaxMessage > MaxMessage {
			return w, outside("MaxMessage", int64(o.MaxMessage), 1, MaxMessage)
		}
		room = uint64(cmp.Or(o.MaxMessage, DefaultMaxMessage))
	}
	if room > MaxMessage {
		return w, invalid("messages of %d bytes, more than %d", room, MaxMessage)
	}
	inline := inSlot(int(room), o.Timestamps)
	p := medium
	switch {
	case inline:
		p = small
	case room > largeMessage:
		p = large
	}
	depth := cmp.Or(o.Depth, p.depth)
	switch {
	case depth < 1 || depth > maxRing/2:
		return w, outside("Depth", int64(depth), 1, maxRing/2)
	case o.History < 0 || o.History > maxRing/2:
		return w, outside("History", int64(o.History), 0, maxRing/2)
	}
	g := geometry{room: int(room), inline: inline, times: o.Timestamps, bestEffort: o.BestEffort, history: o.History,
		ring:  1 << bits.Len(uint(depth+o.History-1)),
		lanes: cmp.Or(o.Publishers, p.publishers), seats: cmp.Or(o.Subscribers, p.subscribers), held: cmp.Or(o.Held, p.held), loans: cmp.Or(o.Loans, p.loans)}
	if g.measure(); !inline {
		g.batch = defaultBatch(g.chunkSize)
	}
	return g.words(), nil
}

func (o *Options) mode() fs.FileMode {
	if o.Mode == 0 {
		return 0o600
	}
	return o.Mode
}

func (o *Options) publishMode() fs.FileMode {
	if o.PublishMode == 0 {
		return o.mode() &^ 0o022
	}
	return o.PublishMode
}
