package pshared

// SetTurn makes the next signal begin to look at a slot.
func (c *Cond) SetTurn(slot int) { c.word.turn.Store(uint32(slot)) }

// Slot returns the handle's own.
func (c *Cond) Slot() int { return c.o.Slot() }

// Waiting returns how many goroutines of all members wait, dead ones included that nobody
// cleaned up after, and how many signals they have been given.
func (c *Cond) Waiting() (waiting, signals int) {
	for slot := range c.o.Highest() {
		a := c.entryOf(slot).a.Load()
		waiting += int(waitingIn(a))
		signals += int(signalsIn(a))
	}
	return waiting, signals
}

// SetWords stores any words, and any entry of this member.
func (c *Cond) SetWords(turn uint32, a, b uint64) {
	c.word.turn.Store(turn)
	c.entry.a.Store(a)
	c.entry.b.Store(b)
}

// Path returns the file of the object.
func (c *Cond) Path() string { return c.o.Path() }
