package queue

import (
	"cmp"
	"slices"
)

// repair makes all lists and counts anew from the cells, and takes from the dead what they had.
// The mutex is held; told: whoever had it before died. If it fails nothing is made consistent.
func (c *core) repair(told bool) error {
	w := c.w
	// Should this member die here, who sleeps must see that something is left to do, though
	// orphans does not say so any more.
	c.part.count.Add(1)
	defer c.part.count.Add(^uint32(0))
	point("repair:counted")
	w.orphans.Store(0)
	point("repair:begun")
	known := map[uint32]bool{}
	gone := func(who uint32) bool {
		is, asked := known[who]
		if !asked {
			is = c.gone(who)
			known[who] = is
		}
		return is
	}
	var live, buried uint32
	var spare, waiting, letters []entry
	for i := range c.cells() {
		k := c.cell(i)
		v := k.state.Load()
		if err := c.plausible(v, k.length.Load()); err != nil {
			return err
		}
		if who := ownerOf(v); who != 0 && gone(who) {
			was := v
			v = c.orphaned(v)
			k.state.Store(v)
			point("repair:taken")
			if v == free && stateOf(was) == claimed {
				w.dropped.Add(1)
			}
		}
		e := entry{i, k.sequence.Load()}
		switch stateOf(v) {
		case free:
			spare = append(spare, e)
			continue
		case ready:
			waiting = append(waiting, e)
		case dead:
			letters = append(letters, e)
		}
		if state := stateOf(v); state == dead || state == deadClaimed {
			buried++
		} else {
			live++
		}
		if state := stateOf(v); state != writing {
			w.sequence.Store(max(w.sequence.Load(), e.sequence))
		}
	}
	slices.SortFunc(waiting, entry.compare)
	slices.SortFunc(letters, entry.compare)
	for buried > c.letters && len(letters) > 0 {
		c.cell(letters[0].cell).state.Store(free)
		point("repair:dropped")
		w.dropped.Add(1)
		spare, letters, buried = append(spare, letters[0]), letters[1:], buried-1
	}
	w.free.Store(c.chain(spare))
	c.relist(c.readyList(), waiting)
	point("repair:listed")
	c.relist(c.deadList(), letters)
	w.live.Store(live)
	w.buried.Store(buried)
	if told {
		point("repair:done")
		return c.house.Repaired()
	}
	return nil
}

// An entry is a cell in a list that is being made.
type entry struct {
	cell     uint32
	sequence uint64
}

func (e entry) compare(other entry) int {
	return cmp.Or(cmp.Compare(e.sequence, other.sequence), cmp.Compare(e.cell, other.cell))
}

// chain links cells, and returns the first of them as it stands in a list.
func (c *core) chain(all []entry) (first uint32) {
	for _, e := range slices.Backward(all) {
		c.cell(e.cell).next.Store(first)
		first = e.cell + 1
	}
	return first
}

func (c *core) relist(l list, all []entry) {
	l.first.Store(c.chain(all))
	last := uint32(0)
	if n := len(all); n > 0 {
		last = all[n-1].cell + 1
	}
	l.last.Store(last)
}

// plausible finds what no member writes.
func (c *core) plausible(v uint64, length uint32) error {
	state, who := stateOf(v), ownerOf(v)
	switch {
	case state > deadClaimed, state == free && v != 0, state == writing && deliveriesOf(v) != 0:
		return ErrCorrupt
	case (state == ready || state == dead) && who != 0:
		return ErrCorrupt
	case (state == writing || state == claimed || state == deadClaimed) && !c.house.Could(who):
		return ErrCorrupt
	case state >= ready && length > c.room:
		return ErrCorrupt
	}
	return nil
}

// orphaned returns what becomes of a cell whose owner died.
func (c *core) orphaned(v uint64) uint64 {
	n := deliveriesOf(v)
	switch {
	case stateOf(v) == writing, stateOf(v) == claimed && c.spent(n) && c.letters == 0:
		return free
	case stateOf(v) == deadClaimed, c.spent(n):
		return pack(dead, n, 0)
	}
	return pack(ready, n, 0)
}

// spent reports whether an item was delivered as often as is allowed.
func (c *core) spent(n uint32) bool { return c.deliveries != 0 && n >= c.deliveries }
