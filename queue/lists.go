package queue

import (
	"github.com/shmkit/shmkit/internal/words"
)

// The lists are caches of the cells. Whoever finds that one cannot be right says errLists,
// having changed nothing that a repair does not put right. The mutex is held.

// list is one that is sorted by sequence.
type list struct {
	first, last *words.Uint32
	state       uint64 // of the cells in it
}

func (c *core) readyList() list { return list{&c.w.ready, &c.w.readyLast, ready} }

func (c *core) deadList() list { return list{&c.w.dead, &c.w.deadLast, dead} }

// first returns the first cell of a list, which is taken off by behead. ok is false if there is
// none.
func (c *core) first(first *words.Uint32, state uint64) (i uint32, ok bool, err error) {
	at := first.Load()
	if at == 0 {
		return 0, false, nil
	}
	if at > c.cells() {
		return 0, false, errLists
	}
	k := c.cell(at - 1)
	if stateOf(k.state.Load()) != state || k.next.Load() > c.cells() {
		return 0, false, errLists
	}
	return at - 1, true, nil
}

// behead takes the first cell, i, off a list.
func (c *core) behead(l list, i uint32) {
	next := c.cell(i).next.Load()
	l.first.Store(next)
	if next == 0 {
		l.last.Store(0)
	}
}

// insert puts a cell that has the list's state already into it.
func (c *core) insert(l list, i uint32) error {
	k := c.cell(i)
	sequence := k.sequence.Load()
	if last := l.last.Load(); last != 0 { // most go to the end
		if last > c.cells() || last == i+1 || l.first.Load() == 0 {
			return errLists
		}
		p := c.cell(last - 1)
		if stateOf(p.state.Load()) != l.state || p.next.Load() != 0 {
			return errLists
		}
		if p.sequence.Load() < sequence {
			k.next.Store(0)
			p.next.Store(i + 1)
			point("queue:linked")
			l.last.Store(i + 1)
			return nil
		}
	}
	from := l.first
	for range c.cells() {
		at := from.Load()
		if at > c.cells() || at == i+1 {
			return errLists
		}
		if at != 0 {
			p := c.cell(at - 1)
			if stateOf(p.state.Load()) != l.state {
				return errLists
			}
			if p.sequence.Load() < sequence {
				from = &p.next
				continue
			}
		}
		k.next.Store(at)
		from.Store(i + 1)
		point("queue:inserted")
		if at == 0 {
			l.last.Store(i + 1)
		}
		return nil
	}
	return errLists // it runs in a circle
}

// discard puts a cell that is free already into the free list.
func (c *core) discard(i uint32) {
	c.cell(i).next.Store(c.w.free.Load())
	c.w.free.Store(i + 1)
}
