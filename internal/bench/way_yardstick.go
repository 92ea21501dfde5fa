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
			name: "cache line", about: "two cores bounce one word; of the message there is only the number", yardstick: true,
			open: func(r *room) (end, error) { return &line{r}, nil },
		},
		{
			name: "bare ring", about: "two rings of messages in memory, each with its number beside it", yardstick: true,
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

// A bareRing is messages with a word each that says which one is there; how far the receiver is
// stands in the word Free of its direction.
type bareRing struct {
	r     *room
	slots slots
	words *shmkit.SliceView[slotWord]
	room  uint64 // messages that may be sent before looking whether there is room
}

// A slotWord has cache lines of its own.
type slotWord struct {
	_    structs.HostLayout
	Word atomic.Uint64
	_    [120]byte
}

const slotWordBytes = 128

func ringBytes(size int) int64 {
	return 2*int64(slotsOf(size))*slotWordBytes + slotBytes(size)
}

func openBareRing(r *room) (end, error) {
	n := 2 * slotsOf(r.Size)
	words, err := shmkit.ViewSlice[slotWord](r.mem, 0, n)
	if err != nil {
		return nil, err
	}
	b := &bareRing{r: r, words: words}
	b.slots, err = newSlots(r.mem.Bytes()[n*slotWordBytes:], r.Size)
	return b, err
}

// at is the message and the word of a number, there or back.
func (b *bareRing) at(back bool, seq uint64) ([]byte, *atomic.Uint64) {
	i := seq % b.slots.n
	if back {
		i += b.slots.n
	}
	return b.slots.of(back, seq), &b.words.Data()[i].Word
}

// taken is how many messages of a direction the receiver has had.
func (b *bareRing) taken(back bool) *atomic.Uint64 {
	if back {
		return &b.r.words.Data().Free[3].Word
	}
	return &b.r.words.Data().Free[2].Word
}

func (b *bareRing) send(seq uint64) error {
	back := !b.r.first
	if seq > b.room {
		if seq > b.slots.n {
			await(b.taken(back), seq-b.slots.n)
		}
		b.room = b.taken(back).Load() + b.slots.n
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
	b.taken(b.r.first).Store(seq)
	return err
}

func (b *bareRing) memory() int64 { return ringBytes(b.r.Size) }

func (b *bareRing) close() error { return b.words.Close() }
