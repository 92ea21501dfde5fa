package pshared

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
)

// A primitive is what a handle knows of each thing in its object that goroutines sleep
// for. shut, held and reopen are called with handle.mu held.
type primitive interface {
	common() *core
	// shut makes those who come from now on look whether the handle is closed, and held
	// reports then whether this member holds something: the handle stays open, and reopen
	// undoes it. After held has said no, nobody comes to hold anything.
	shut()
	held() bool
	reopen()
	// recall makes all of this process that sleep look again.
	recall()
	// look makes a sleeper of this process look again if there is something to see that
	// nobody may have woken it for.
	look(dead asker)
}

// An asker reports whether a member, packed as by owner, is dead.
type asker func(who uint32) bool

// core is what all primitives have in common. All but asleep is immutable.
type core struct {
	o      *object.Object
	in     *handle
	name   string // of the primitive: "lock:orders", "struct:ledger+64"
	at     *place
	key    race.Key
	me     uint32       // as in owner
	entry  *entry       // this member's, nil if it has none
	asleep atomic.Int32 // goroutines that sleep, or are about to
}

func (c *core) common() *core { return c }

// Name returns the address in the words of the command: "lock:orders".
func (c *core) Name() string { return c.name }

// Sweep takes the records of dead members out of the object, and returns how many there
// were: the permits of a Semaphore are back then, and the next to wait for a
// CountingSemaphore is told of the tokens. Who waits for the dead does that as well, and
// who joins, if there is no other record.
func (c *core) Sweep() (n int, err error) {
	err = c.run(func() (err error) {
		n, err = c.o.Sweep()
		return err
	})
	return n, c.fail("sweep", err)
}

// run runs f on the shared memory: with faults as errors, and the handle open.
func (c *core) run(f func() error) (err error) {
	if !c.in.use() {
		return ErrClosed
	}
	defer c.in.done()
	return c.guard(f)
}

// guard runs f with faults as errors.
func (c *core) guard(f func() error) (err error) {
	if fault := shmkit.Guard(func() { err = f() }); fault != nil {
		return fault
	}
	return err
}

func (c *core) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrOwnerDead) && !errors.Is(err, ErrWriterDead) { // compared on the way of every recovery; and no failure
		return ErrOwnerDead
	}
	return &LockError{Op: op, Lock: c.name, Err: err}
}

// entryOf returns a member's entry, in a slot that is below Members.
func (c *core) entryOf(slot int) *entry { return entryAt(c.o.Part(slot), c.at.entry) }

// could reports whether a member can have written who as an owner.
func (c *core) could(who uint32) bool {
	return who == c.me || c.o.Could(slotOf(who), generationOf(who))
}

func (c *core) dead(who uint32) bool { return c.o.Dead(slotOf(who), generationOf(who)) }

// init fills in the common part of a primitive. handle.mu is held.
func (c *core) init(h *handle, at *place) {
	c.o, c.in, c.at = h.o, h, at
	c.name = h.o.Address()
	if !h.alone {
		c.name = fmt.Sprintf("%s+%d", h.o.Address(), at.offset)
	}
	c.key = race.KeyOf(h.device, h.inode, h.o.BodyOffset()+at.offset)
	c.me = owner(h.o.Slot(), h.o.Generation())
	switch {
	case at.entry < 0:
	case h.closing:
		c.entry = new(entry) // whose record it was is another's by now
	default:
		c.entry = entryAt(h.o.Part(h.o.Slot()), at.entry)
	}
}

// obtain returns the primitive at an offset of the body, and makes it if there is none.
// One of a handle that is closed says so to whoever uses it.
func obtain[P primitive](h *handle, offset int64, create func(at *place) P) P {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p, ok := h.primitives[offset]; ok {
		return p.(P)
	}
	i, found := slices.BinarySearchFunc(h.places, offset, func(p place, offset int64) int { return cmp.Compare(p.offset, offset) })
	if !found {
		panic("pshared: the word does not lie in the struct")
	}
	p := create(&h.places[i])
	if h.closing {
		p.shut()
		return p
	}
	h.primitives[offset] = p
	h.list = append(h.list, p)
	return p
}
