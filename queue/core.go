package queue

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/guest"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/words"
)

// core is a handle of a queue, whatever its items are. All but what is atomic is immutable.
type core struct {
	geometry
	o     *object.Object
	house guest.House
	w     *header
	body  []byte // of the object
	part  *part  // this member's
	me    uint32

	holds  atomic.Int64    // items and loans that this member holds; from shutOff on no new one
	mine   []atomic.Uint32 // for each cell: odd, another number each time, while it is one of them
	looked atomic.Int64    // when this handle last looked for the dead, by its own clock
	spin   futex.Spinner
}

// shutOff is more than there ever are.
const shutOff = 1 << 40

// errShut: the handle is being closed, which is not decided yet.
var errShut = errors.New("handle is being closed")

// wakes are the words to wake one sleeper at, once the mutex is given back.
type wakes uint8

const (
	wakeFilled wakes = 1 << iota
	wakeEmptied
)

// cell returns cell i, which is below cells.
func (c *core) cell(i uint32) *cell {
	at := wordsSize + int64(i)*c.stride()
	return cellAt(c.body[at : at+cellSize])
}

// payload returns the room of cell i.
func (c *core) payload(i uint32) []byte {
	at := wordsSize + int64(i)*c.stride() + cellSize
	return c.body[at : at+int64(c.room) : at+int64(c.room)]
}

// do runs f with the mutex: with faults as errors, and the handle open.
func (c *core) do(ctx context.Context, f func() (wakes, error)) (err error) {
	for {
		if !c.house.Enter() {
			return ErrClosed
		}
		if fault := shmkit.Guard(func() { err = c.locked(ctx, f) }); fault != nil {
			err = fault
		}
		c.house.Leave()
		if err != errShut {
			return err
		}
		if c.house.Closed() {
			return ErrClosed
		}
		runtime.Gosched() // it stays open after all
	}
}

// locked is do within Enter and Guard. If f faults, or finds what is corrupt, the mutex is left
// as by one who died, so that the next one looks anew.
func (c *core) locked(ctx context.Context, f func() (wakes, error)) (err error) {
	told, err := c.house.Lock(ctx)
	if err != nil {
		return err
	}
	point("queue:locked")
	inOrder := false
	defer func() {
		if !inOrder {
			c.house.Abandon()
		}
	}()
	var due wakes
	if told || c.w.orphans.Load() != 0 {
		if err := c.repair(told); err != nil {
			return err
		}
		due = c.ring(&c.w.filled, wakeFilled) | c.ring(&c.w.emptied, wakeEmptied)
	}
	more, err := c.mended(f)
	if due |= more; errors.Is(err, ErrCorrupt) {
		return err
	}
	inOrder = true
	c.house.Unlock()
	point("queue:unlocked")
	c.wake(due)
	return err
}

// ring has one of the sleepers at a word woken, if there may be any. The mutex is held.
func (c *core) ring(word *words.Uint32, which wakes) wakes {
	for {
		v := word.Load()
		if v&somebodySleeps == 0 {
			return 0
		}
		if word.CompareAndSwap(v, v+1) { // the bit goes, the count goes up
			point("queue:rung")
			return which
		}
	}
}

// wake wakes them. If the memory is gone they find out themselves.
func (c *core) wake(due wakes) {
	if due&wakeFilled != 0 {
		_, _ = futex.Wake(&c.w.filled, 1)
		point("queue:woke a consumer")
	}
	if due&wakeEmptied != 0 {
		_, _ = futex.Wake(&c.w.emptied, 1)
		point("queue:woke a producer")
	}
}

// hold enters that this member is about to have cell i, and returns the number of this time. The
// mutex is held, and nothing is changed yet.
func (c *core) hold(i uint32) (nth uint32, err error) {
	for {
		v := c.holds.Load()
		if v >= shutOff {
			return 0, errShut
		}
		if !c.holds.CompareAndSwap(v, v+1) {
			continue
		}
		c.forget(i, c.mine[i].Load()) // if the memory says that it is free, it is not held
		c.part.count.Add(1)
		return c.mine[i].Add(1), nil
	}
}

// letGo enters that it has it no more. The cell is another's or nobody's by now.
func (c *core) letGo(i uint32) {
	c.part.count.Add(^uint32(0))
	c.forget(i, c.mine[i].Load())
}

// forget is letGo in this process only, for what could not be given back: whoever closes the
// handle is not to be told that it is held.
func (c *core) forget(i, nth uint32) {
	if nth%2 == 1 && c.mine[i].CompareAndSwap(nth, nth+1) {
		c.holds.Add(-1)
	}
}

// tick is how often a handle that is busy looks for the dead.
const tick = 50 * time.Millisecond

// began is what the handles' clock counts from.
var began = time.Now()

// nowAndThen looks for the dead, by who is busy and so never sleeps.
func (c *core) nowAndThen() {
	now, last := int64(time.Since(began)), c.looked.Load()
	if now-last >= int64(tick) && c.looked.CompareAndSwap(last, now) {
		_, _ = c.sweep() // who looks next finds out
	}
}

// sweep cleans the records of the dead if one of them may have had cells, and reports whether
// there was any.
func (c *core) sweep() (found bool, err error) {
	if !c.house.Enter() {
		return false, ErrClosed
	}
	defer c.house.Leave()
	fault := shmkit.Guard(func() {
		if found = c.deadOwner(c.house.Dead); found {
			point("queue:found")
			_, err = c.o.Sweep()
			point("queue:swept")
		}
	})
	if fault != nil {
		err = fault
	}
	return found, err
}

// deadOwner reports whether a dead member may have cells.
func (c *core) deadOwner(isDead func(who uint32) bool) bool {
	for slot := range c.o.Highest() {
		p := partAt(c.o.Part(slot))
		if p.count.Load() == 0 {
			continue
		}
		who := uint32(slot)<<slotShift | p.generation.Load()&generationMask
		if who != c.me && isDead(who) {
			return true
		}
	}
	return false
}

// gone reports whether the owner of a cell is dead, by repair. A living member's record has its
// generation; who cleans one takes it away first.
func (c *core) gone(who uint32) bool {
	if who == c.me {
		return false
	}
	slot := int(who >> slotShift)
	return slot >= c.o.Members() || partAt(c.o.Part(slot)).generation.Load() != who&generationMask || c.house.Dead(who)
}

// point is called between the steps; tests kill there.
var point = func(name string) {}
