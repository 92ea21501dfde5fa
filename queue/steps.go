package queue

import "errors"

// errLists: a list is not what it is a cache of.
var errLists = errors.New("list is spoilt")

// mended runs a step, and once more after a repair if a list was spoilt, which it found out before
// it changed anything. The mutex is held.
func (c *core) mended(step func() (wakes, error)) (wakes, error) {
	due, err := step()
	if err != errLists {
		return due, err
	}
	if err := c.repair(false); err != nil {
		return 0, err
	}
	if due, err = step(); err == errLists {
		err = ErrCorrupt
	}
	return due, err
}

// The steps of docs/abi/queue.md. The mutex is held.

// reserve takes a free cell for writing.
func (c *core) reserve() (l held, err error) {
	w := c.w
	live := w.live.Load()
	if live > c.cells() {
		return held{}, errLists
	}
	if live >= c.capacity {
		return held{}, ErrFull
	}
	i, ok, err := c.first(&w.free, free)
	if err != nil {
		return held{}, err
	}
	if !ok {
		return held{}, errLists
	}
	nth, err := c.hold(i)
	if err != nil {
		return held{}, err
	}
	point("reserve:counted")
	k := c.cell(i)
	l = held{c: c, cell: i, nth: nth, state: pack(writing, 0, c.me)}
	k.state.Store(l.state)
	point("reserve:taken")
	w.free.Store(k.next.Load())
	point("reserve:unlinked")
	w.live.Store(live + 1)
	return l, nil
}

// commit makes an item of a cell that is being written.
func (c *core) commit(i uint32, length int) (wakes, error) {
	k := c.cell(i)
	if k.state.Load() != pack(writing, 0, c.me) {
		return 0, ErrNotHeld
	}
	k.length.Store(uint32(length))
	sequence := c.w.sequence.Load() + 1
	c.w.sequence.Store(sequence)
	k.sequence.Store(sequence)
	point("commit:numbered")
	k.state.Store(pack(ready, 0, 0))
	point("commit:ready")
	return c.settle(c.readyList(), i)
}

// settle lists a cell that is not this member's any more, and rings for who waits for that. It
// is counted off after that: a count above 0, or a list, is what shows to who sleeps that something
// is left to do, should this member die.
func (c *core) settle(l list, i uint32) (due wakes, err error) {
	if err = c.insert(l, i); err != nil {
		err = c.repair(false) // which lists it
	}
	point("settle:listed")
	c.letGo(i)
	point("settle:counted")
	if err != nil {
		return 0, err
	}
	if l.state == ready {
		return c.ring(&c.w.filled, wakeFilled), nil
	}
	return c.ring(&c.w.emptied, wakeEmptied), nil
}

// claim takes the first item of a list.
func (c *core) claim(l list, as uint64) (it held, err error) {
	i, ok, err := c.first(l.first, l.state)
	if err != nil {
		return held{}, err
	}
	if !ok {
		return held{}, ErrEmpty
	}
	k := c.cell(i)
	v := k.state.Load()
	length := k.length.Load()
	if length > c.room || ownerOf(v) != 0 {
		return held{}, ErrCorrupt
	}
	n := deliveriesOf(v)
	if as == claimed {
		n = min(n+1, maxDeliveries)
	}
	nth, err := c.hold(i)
	if err != nil {
		return held{}, err
	}
	point("claim:counted")
	it = held{c: c, cell: i, nth: nth, length: length, state: pack(as, n, c.me), sequence: k.sequence.Load()}
	k.state.Store(it.state)
	point("claim:taken")
	c.behead(l, i)
	point("claim:unlinked")
	return it, nil
}

// finish frees a cell that this member has.
func (c *core) finish(i uint32) wakes {
	k := c.cell(i)
	was := stateOf(k.state.Load())
	k.state.Store(free)
	point("finish:free")
	c.discard(i)
	point("finish:linked")
	counter := &c.w.live
	if was == deadClaimed {
		counter = &c.w.buried
	}
	counter.Store(max(counter.Load(), 1) - 1)
	c.letGo(i)
	if was == deadClaimed {
		return 0
	}
	return c.ring(&c.w.emptied, wakeEmptied)
}

// retry gives an item back to the queue, or makes a dead letter of it.
func (c *core) retry(i uint32) (wakes, error) {
	k := c.cell(i)
	v := k.state.Load()
	n := deliveriesOf(v)
	if stateOf(v) == deadClaimed {
		if c.w.live.Load() >= c.capacity {
			return 0, ErrFull
		}
		c.w.buried.Store(max(c.w.buried.Load(), 1) - 1)
		c.w.live.Store(c.w.live.Load() + 1)
		n = 0
	} else if c.deliveries != 0 && n >= c.deliveries {
		return c.bury(i, n)
	}
	point("retry:begun")
	k.state.Store(pack(ready, n, 0))
	point("retry:ready")
	return c.settle(c.readyList(), i)
}

// bury makes a dead letter of an item that this member has.
func (c *core) bury(i, deliveries uint32) (wakes, error) {
	w := c.w
	room := c.letters != 0
	if room && w.buried.Load() >= c.letters {
		oldest, ok, err := c.first(&w.dead, dead)
		if err != nil {
			return 0, err
		}
		if room = ok; ok {
			c.cell(oldest).state.Store(free)
			point("bury:dropped")
			c.behead(c.deadList(), oldest)
			c.discard(oldest)
			w.buried.Store(w.buried.Load() - 1)
			w.dropped.Add(1)
		}
	}
	if !room {
		due := c.finish(i)
		w.dropped.Add(1)
		return due, nil
	}
	c.cell(i).state.Store(pack(dead, deliveries, 0))
	point("bury:dead")
	w.live.Store(max(w.live.Load(), 1) - 1)
	w.buried.Store(w.buried.Load() + 1)
	return c.settle(c.deadList(), i)
}

// keep makes a dead letter of one that was being read.
func (c *core) keep(i uint32) (wakes, error) {
	k := c.cell(i)
	k.state.Store(pack(dead, deliveriesOf(k.state.Load()), 0))
	point("keep:dead")
	_, err := c.settle(c.deadList(), i)
	return 0, err
}
