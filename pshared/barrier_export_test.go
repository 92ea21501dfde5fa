package pshared

import "testing"

// State returns the word as it is.
func (b *Barrier) State() uint64 { return b.word.state.Load() }

// SetWords stores any state, and any number of parties.
func (b *Barrier) SetWords(state uint64, parties uint32) {
	b.word.state.Store(state)
	b.word.parties.Store(parties)
}

// Broken reports whether the phase is broken, and Arrived how many have arrived in it.
func (b *Barrier) Broken() bool { return b.word.state.Load()&barrierBroken != 0 }

// Arrived returns how many have arrived in the phase.
func (b *Barrier) Arrived() int { return int(arrivedIn(b.word.state.Load())) }

// Path returns the file of the object.
func (b *Barrier) Path() string { return b.o.Path() }

// Phase returns how many phases there were.
func (b *Barrier) Phase() uint32 { return barrierPhaseOf(b.word.state.Load()) }

// Parties returns how many members are parties, dead ones included that nobody cleaned up
// after.
func (b *Barrier) Parties() (n int) {
	for slot := range b.o.Highest() {
		if _, is := b.partyIn(slot); is {
			n++
		}
	}
	return n
}

// SweepDead cleans the records of the dead, as whoever joins does.
func (b *Barrier) SweepDead(t testing.TB) {
	t.Helper()
	if _, err := b.o.Sweep(); err != nil {
		t.Fatal(err)
	}
}
