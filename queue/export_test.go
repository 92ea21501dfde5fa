package queue

import (
	"time"

	"github.com/shmkit/shmkit/internal/words"
)

// SetPoint sets what is called between the steps, for the roles of tests.
func SetPoint(f func(name string)) { point = f }

// SetLongest sets the longest sleep without a look of one's own, and returns what it was.
func SetLongest(d time.Duration) (was time.Duration) {
	was, longest = longest, d
	return was
}

// Body is the queue's memory, for tests that do to it what no member does.
func (c *core) Body() []byte { return c.body }

// Path returns the file of the object.
func (c *core) Path() string { return c.o.Path() }

// Stride returns how many bytes are from one cell to the next.
func (c *core) Stride() int64 { return c.stride() }

// Me returns the owner that this handle writes.
func (c *core) Me() uint32 { return c.me }

// State returns the state of cell i, a word of its own.
func (c *core) State(i uint32) *words.Uint64 { return &c.cell(i).state }

// Pack packs a state.
func Pack(state uint64, deliveries, owner uint32) uint64 { return pack(state, deliveries, owner) }

// WordsSize is where the cells begin.
const WordsSize = wordsSize

// Filled is the word that consumers sleep at.
func (c *core) Filled() *words.Uint32 { return &c.w.filled }

// Held returns how many items and loans the member's record says it has.
func (c *core) Held() uint32 { return c.part.count.Load() }

// Emptied is the word that producers sleep at.
func (c *core) Emptied() *words.Uint32 { return &c.w.emptied }

// Sequence is the word of the last sequence number given.
func (c *core) Sequence() *words.Uint64 { return &c.w.sequence }

// MaxDeliveries is where deliveries stop being counted.
const MaxDeliveries = maxDeliveries
