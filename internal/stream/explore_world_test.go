package stream

// The world of the explorer: what the kernel and the segment hold, at the smallest
// size at which everything can go wrong. One record is one unit long. What only the
// explorer knows, and no participant, is called ghost.

const (
	maxActors   = 3
	maxSlots    = 2
	maxSets     = 5 // identifiers, of which one at most exists
	maxMemories = 4
	mostRing    = 2
	maxRecords  = 6
)

// world is one state. It is comparable, and equal states have equal futures.
type world struct {
	set      uint8 // which set has the key; 0 is none
	locks          // of the set
	space    uint8
	data     [maxSlots]uint8
	seg      uint8 // which memory has the key, or the name; 0 is none
	memories [maxMemories]memory
	actors   [maxActors]actor
	kills    uint8 // still to come
	killed   bool  // ghost: the last to go was killed
	excused  bool  // ghost: a reader was killed or went by its own choice
}

// locks is what the kernel takes back from the dead: semaphores with undo, or locks
// of a file.
type locks struct {
	lock    uint8
	turn    uint8
	writers uint8
	readers uint8
	alive   [maxSlots]uint8
}

// memory is a segment or a file. It lives as long as it has the key or name, or is
// attached.
type memory struct {
	locks        locks // of a file
	turns        bool  // the event is odd
	arrivals     bool
	dirty        bool // of a file: something behind magic is not zero
	orphan       bool // ghost: its name was removed by hand
	killed       bool // ghost: the last to close the file was killed
	magic, whole bool
	semID        uint8
	tail         uint8
	limit        uint8
	joined       uint8
	need         uint8
	waiting      uint8
	file         uint8 // verified: of which file
	verified     uint8 // and by how many
	highest      uint8
	slots        [maxSlots]place
	since        uint8
	passed       uint8
	ring         [mostRing]record
	log          [maxRecords]uint8 // ghost: what was committed, by position
	printed      uint8             // ghost: positions that some reader has passed, as bits
}

// place is a slot.
type place struct{ cursor, start, sleeping uint8 }

// record is written in two steps. Its value says who wrote it and which of its
// records it is; 0 is nothing.
type record struct{ head, rest uint8 }

// actor is a participant: where it is in its program, and what it remembers.
type actor struct {
	pc, ret step
	act     uint8 // how far it is in its program
	set     uint8 // identifiers it holds
	seg     uint8
	slot    uint8 // reader: 1 more than its index; 0 is none
	undo    undo
	fresh   bool // the file has no name yet
	moved   bool // the event has changed since it was read
	odd     bool // it was, when it was read to be announced
	member  bool // ghost: between joining and leaving
	joins   bool // ghost: is or was a member

	// What it read, from the semaphores and the segment.
	inUse  bool
	second bool  // the grant after it was marked as waiting
	over   bool  // found the end, and has not decided yet
	early  bool  // looks whether the end has come before it is marked asleep
	zero   bool  // saw no writers
	seen   bool  // has seen a writer
	end    bool  // found the end
	count  uint8 // loops over slots
	marked uint8 // slots to post to
	living uint8 // slots whose reader lives
	tail   uint8
	limit  uint8
	cursor uint8
	joined uint8
	got    uint8 // record being read
	begun  uint8 // file being read
	wrote  uint8 // records it committed
	start  uint8 // of its file
	read   uint8 // records it took
	ghost  uint8 // ghost: tail when it saw no writers
	met    bool  // ghost: it waited for a reader, and found one
}

// undo is what the kernel takes back at the actor's death.
type undo struct{ lock, turn, writers, readers, alive uint8 }

// file returns which file a record belongs to: each has two.
func file(value uint8) uint8 { return (value-1)/2 + 1 }

// recordOf is the nth record of actor i.
func recordOf(i int, n uint8) uint8 { return uint8(i)*8 + n + 1 }

// makeSet makes a set, with an identifier nobody remembers.
func (w *world) makeSet() {
	for id := uint8(1); id <= maxSets; id++ {
		known := false
		for i := range w.actors {
			known = known || w.actors[i].set == id
		}
		for i := range w.memories {
			known = known || w.memories[i].semID == id
		}
		if !known {
			w.set = id
			return
		}
	}
	panic("too few identifiers of sets")
}

// removeSet removes it, and everything to be undone on it.
func (w *world) removeSet() {
	w.set, w.locks, w.space = 0, locks{}, 0
	w.data = [maxSlots]uint8{}
	for i := range w.actors {
		w.actors[i].undo = undo{}
	}
}

// makeMemory makes a segment under the key.
func (w *world) makeMemory() { w.seg = w.newMemory() }

// newMemory makes one that nobody can find.
func (w *world) newMemory() uint8 {
	for id := uint8(1); id <= maxMemories; id++ {
		if id != w.seg && w.attached(id) == 0 {
			w.memories[id-1] = memory{}
			return id
		}
	}
	panic("too few identifiers of segments")
}

func (w *world) attached(id uint8) int {
	n := 0
	for i := range w.actors {
		if w.actors[i].seg == id {
			n++
		}
	}
	return n
}

// sweep forgets memories that nobody can reach, so that equal states are equal.
func (w *world) sweep() {
	for id := uint8(1); id <= maxMemories; id++ {
		if id != w.seg && w.attached(id) == 0 {
			w.memories[id-1] = memory{}
		}
	}
}

// kill is SIGKILL: the kernel takes back what is to be undone, in one step.
func (x *explorer) kill(w *world, i int) {
	a := &w.actors[i]
	if a.set == w.set && w.set != 0 || x.on != onSysV && a.seg != 0 {
		x.locksOf(w, a).undo(a)
	}
	if a.seg != 0 {
		w.memories[a.seg-1].killed = x.on != onSysV
	}
	w.actors[i] = actor{pc: dead}
	w.kills--
	w.killed, w.excused = true, true
	w.sweep()
}

// undo takes back what an actor did.
func (l *locks) undo(a *actor) {
	l.lock -= a.undo.lock
	l.turn -= a.undo.turn
	l.writers -= a.undo.writers
	l.readers -= a.undo.readers
	if a.slot > 0 {
		l.alive[a.slot-1] -= a.undo.alive
	}
	a.undo = undo{}
}

// locksOf is where an actor's locks are: the one set there is, or its file.
func (x *explorer) locksOf(w *world, a *actor) *locks {
	if x.on == onSysV {
		return &w.locks
	}
	return &w.memories[a.seg-1].locks
}

// leave is the end of an actor that has done its program.
func (w *world) leave(i int) {
	// Who failed to join does not clean up behind those that were killed.
	w.killed = w.killed && !w.actors[i].joins
	if a := &w.actors[i]; a.seg != 0 && a.joins {
		w.memories[a.seg-1].killed = false
	}
	w.actors[i] = actor{pc: done}
	w.sweep()
}

// over reports whether all actors have ended.
func (w *world) over() bool {
	for i := range w.actors {
		if pc := w.actors[i].pc; pc != dead && pc != done {
			return false
		}
	}
	return true
}

// caughtUp reports whether every living reader has read all there is: what a
// person sees who types the next line after having seen the last one arrive.
func (w *world) caughtUp(seg uint8) bool {
	for i := range w.actors {
		if a := &w.actors[i]; a.member && a.slot > 0 && a.cursor != w.memories[seg-1].tail {
			return false
		}
	}
	return true
}

// wrong says which invariant does not hold; "" if all do.
func (x *explorer) wrong(w *world) string {
	if x.on != onSysV {
		return x.wrongFile(w)
	}
	ring := x.ring
	for i := range w.memories {
		if m := &w.memories[i]; m.magic && !m.whole {
			return "a segment has magic and no whole header"
		}
	}
	for i := range w.actors {
		a := &w.actors[i]
		if !a.member {
			continue
		}
		switch m := &w.memories[a.seg-1]; {
		case a.set != w.set:
			return "split: a member's set is not the one under the key"
		case a.seg != w.seg:
			return "split: a member's segment is not the one under the key"
		case m.semID != w.set:
			return "split: segment and set do not belong together"
		case a.slot > 0 && m.limit > m.slots[a.slot-1].cursor+ring:
			return "writers may overwrite what a living reader has not passed"
		}
	}
	return ""
}
