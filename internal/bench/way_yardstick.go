package bench

import (
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit"
)

// yardsticks are what the machine takes: ways without any check, which never sleep.
func yardsticks() []way {
	return []way{
		{
			name: "cache line", about: "two cores bounce one word; of the message there is only the number", yardstick: true, trips: true,
			open: func(r *room) (end, error) { return &line{r}, nil },
		},
		{
			name: "bare ring", about: "two rings of messages in memory, each behind its number", yardstick: true,
			prepare: func(p *props) error {
				p.shared = ringBytes(p.size)
				return nil
			},
			open: openBareRing,
		},
	}
}

// A line is one word for each direction.
type line struct{ r *room }

func (l *line) send(seq uint64) error {
	l.word(l.r.first).Store(seq)
	return nil
}

func (l *line) receive(seq uint64) error {
	await(l.word(!l.r.first), seq)
	return nil
}

// word is that of a direction.
func (l *line) word(there bool) *atomic.Uint64 {
	if there {
		return &l.r.words.Data().Free[0].Word
	}
	return &l.r.words.Data().Free[1].Word
}

func (l *line) memory() int64 { return meetingBytes }

func (l *line) close() error { return nil }

// A bareRing is slots with a word each, which says what message is there, and the message behind it; how far the
// receiver is stands in the word Free of its direction, a quarter of the ring late.
type bareRing struct {
	r      *room
	bytes  []byte
	words  *shmkit.SliceView[wordOfSlot]
	n      uint64 // slots of a direction
	stride int    // bytes of a slot
	room   uint64 // messages that may be sent before looking whether there is room
}

// A wordOfSlot is 64 bytes of a slot, of which the first begin with its word.
type wordOfSlot struct {
	_    structs.HostLayout
	Word atomic.Uint64
	_    [lineBytes - 8]byte
}

const lineBytes = 64

// ringStride is how many bytes a slot takes: its word and a message.
func ringStride(size int) int { return (8 + size + lineBytes - 1) / lineBytes * lineBytes }

func ringBytes(size int) int64 { return 2 * int64(slotsOf(size)) * int64(ringStride(size)) }

func openBareRing(r *room) (end, error) {
	words, err := shmkit.ViewSlice[wordOfSlot](r.mem, 0, int(ringBytes(r.Size)/lineBytes))
	if err != nil {
		return nil, err
	}
	return &bareRing{r: r, bytes: r.mem.Bytes(), words: words, n: uint64(slotsOf(r.Size)), stride: ringStride(r.Size)}, nil
}

// at is the message and the word of a number, there or back.
func (b *bareRing) at(back bool, seq uint64) ([]byte, *atomic.Uint64) {
	i := int(seq % b.n)
	if back {
		i += int(b.n)
	}
	at := i * b.stride
	return b.bytes[at+8:][:b.r.Size:b.r.Size], &b.words.Data()[at/lineBytes].Word
}

// taken is how many messages of a direction the receiver has said that it had.
func (b *bareRing) taken(back bool) *atomic.Uint64 {
	if back {
		return &b.r.words.Data().Free[3].Word
	}
	return &b.r.words.Data().Free[2].Word
}

func (b *bareRing) send(seq uint64) error {
	back := !b.r.first
	if seq > b.room {
		taken := b.taken(back)
		if seq > b.n {
			await(taken, seq-b.n)
		}
		b.room = taken.Load() + b.n
	}
	m, word := b.at(back, seq)
	b.r.pay.put(m, seq)
	word.Store(seq)
	return nil
}

func (b *bareRing) receive(seq uint64) error {
	m, word := b.at(b.r.first, seq)
	await(word, seq)
	err := b.r.pay.get(m, seq)
	if seq%max(b.n/4, 1) == 0 {
		b.taken(b.r.first).Store(seq)
	}
	return err
}

func (b *bareRing) memory() int64 { return ringBytes(b.r.Size) }

func (b *bareRing) close() error { return b.words.Close() }
