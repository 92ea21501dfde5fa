package stream

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// explorer visits every state that some interleaving of the roles' steps reaches,
// with kills between any two of them.
type explorer struct {
	on    terrain // onSysV (also if empty), onName, or onMemfd: a file that nobody can remove
	roles []role
	kills uint8 // how many participants may be killed
	ticks ticks
	omit  omission // of the protocol
	ring  uint8    // records that fit
	blank bool     // somebody made the segment beforehand, with nothing in it
	eager uint8    // more space than one record that a writer waits for

	seed  maphash.Seed
	known map[uint64]int32 // states by hash
	nodes []node
	edges []edge
}

// ticks says when sleeps may end by themselves.
type ticks uint8

const (
	never  ticks = iota
	always       // also while others could go on
	atLast       // when nobody else can go on
)

// node is a state that was visited: how it was reached first.
type node struct {
	parent int32
	move   move
	over   bool
}

type edge struct{ from, to int32 }

// move is what happens to an actor.
type move struct {
	actor uint8
	how   how
}

type how uint8

const (
	byStep how = iota
	byTick
	byCancel
	byKill
)

// found is the result of an exploration.
type found struct {
	states, edges int
	wrong         string   // what must not be; "" if nothing is wrong
	trace         []string // how it came to that
}

// explore visits all states, up to the first that is wrong.
func (x *explorer) explore() found {
	if x.on == "" {
		x.on = onSysV
	}
	x.seed = maphash.MakeSeed()
	x.known, x.nodes, x.edges = map[uint64]int32{}, nil, nil
	first := x.first()
	type pending struct {
		w  world
		id int32
	}
	x.visit(first, -1, move{})
	var frontier []pending
	beyond := []pending{{first, 0}}
	for n := 0; ; n++ { // in breadth, so that the trace to what is wrong is short
		if n == len(frontier) {
			if len(beyond) == 0 {
				break
			}
			frontier, beyond, n = beyond, frontier[:0], 0
		}
		p := &frontier[n]
		alive := false // something other than a kill can happen
		try := func(moves []move) (bad string, mv move) {
			for _, mv := range moves {
				w := p.w
				did, bad := x.apply(&w, mv)
				if did == blocked {
					continue
				}
				if bad == "" {
					bad = x.wrong(&w)
				}
				if bad != "" {
					return bad, mv
				}
				id, fresh := x.visit(w, p.id, mv)
				if fresh {
					beyond = append(beyond, pending{w, id})
				}
				if mv.how != byKill {
					alive = true
					x.edges = append(x.edges, edge{p.id, id})
				}
			}
			return "", move{}
		}
		bad, mv := try(x.moves(&p.w))
		if bad == "" && !alive && x.ticks == atLast && x.omit != omitTick {
			bad, mv = try(x.sleepers(&p.w))
		}
		if bad != "" {
			return x.report(bad, p.id, mv)
		}
		if p.w.over() {
			if bad := x.remains(p.w); bad != "" {
				return x.report(bad, p.id)
			}
		} else if !alive {
			return x.report("nobody can go on", p.id)
		}
	}
	if id := x.trapped(); id >= 0 {
		return x.report("from here on not all can end", id)
	}
	return found{states: len(x.nodes), edges: len(x.edges)}
}

// explored has what was found of explorers that leave nothing out.
var explored sync.Map

// asItIs is explore, once for all tests that ask the same.
func (x *explorer) asItIs() found {
	key := fmt.Sprintf("%+v", *x)
	if f, ok := explored.Load(key); ok {
		return f.(found)
	}
	f := x.explore()
	x.known, x.nodes, x.edges = nil, nil, nil
	explored.Store(key, f)
	return f
}

// first is the state from which everything begins.
func (x *explorer) first() world {
	w := world{kills: x.kills}
	if x.blank || x.on == onMemfd {
		w.makeMemory()
	}
	for i := range w.actors {
		switch {
		case i >= len(x.roles):
			w.actors[i].pc = done
		case x.roles[i].removes:
			w.actors[i].pc = removeByHand
		case x.on != onSysV:
			w.actors[i].pc = openFile
		case x.omit == omitSetFirst:
			w.actors[i].pc = earlySegment
		default:
			w.actors[i].pc = getSet
		}
	}
	return w
}

// visit remembers a state and reports whether it is new.
func (x *explorer) visit(w world, parent int32, mv move) (id int32, fresh bool) {
	h := maphash.Comparable(x.seed, w)
	if id, ok := x.known[h]; ok {
		return id, false
	}
	id = int32(len(x.nodes))
	x.known[h] = id
	x.nodes = append(x.nodes, node{parent, mv, w.over()})
	return id, true
}

// moves is everything that may happen next.
func (x *explorer) moves(w *world) []move {
	var all []move
	for i := range w.actors {
		a := &w.actors[i]
		if a.pc == dead || a.pc == done {
			continue
		}
		n := uint8(i)
		all = append(all, move{n, byStep})
		if x.sleeps(a) && x.ticks == always && x.omit != omitTick {
			all = append(all, move{n, byTick})
		}
		if (a.pc == sleepForData || a.pc == inData) && x.waitsForNobody(w, i) {
			all = append(all, move{n, byCancel})
		}
		if x.waitsForReaders(w, i) {
			all = append(all, move{n, byCancel})
		}
		if w.kills > 0 {
			all = append(all, move{n, byKill})
		}
	}
	return all
}

func (x *explorer) sleeps(a *actor) bool {
	_, asleep := x.afterTick(a)
	return asleep
}

// afterTick is the step that stands behind a sleep.
func (x *explorer) afterTick(a *actor) (next step, asleep bool) {
	if x.on != onSysV {
		next, asleep = afterFutex[a.pc]
		return next, asleep
	}
	return a.pc + 1, a.pc == sleepForData || a.pc == sleepForSpace || a.pc == awaitSleep
}

// sleepers is a tick for everyone that sleeps.
func (x *explorer) sleepers(w *world) []move {
	var all []move
	for i := range w.actors {
		if x.sleeps(&w.actors[i]) {
			all = append(all, move{uint8(i), byTick})
		}
	}
	return all
}

// waitsForNobody reports whether a reader waits for its first writer, and all that
// there could be have ended: it would wait for ever, and may.
func (x *explorer) waitsForNobody(w *world, i int) bool {
	a := &w.actors[i]
	for n, r := range x.roles {
		if pc := w.actors[n].pc; !r.reader && pc != dead && pc != done {
			return false
		}
	}
	return !a.seen && a.joined == w.memories[a.seg-1].joined
}

// waitsForReaders reports whether a writer waits for a reader, and all that there could
// be have ended.
func (x *explorer) waitsForReaders(w *world, i int) bool {
	a := &w.actors[i]
	program := x.roles[i].program
	if a.pc != inArrivals && (x.on != onSysV || a.pc != perform || int(a.act) == len(program) || program[a.act] != untilReader) {
		return false
	}
	for n, r := range x.roles {
		if pc := w.actors[n].pc; r.reader && pc != dead && pc != done {
			return false
		}
	}
	return true
}

// apply lets something happen.
func (x *explorer) apply(w *world, mv move) (did what, bad string) {
	i := int(mv.actor)
	a := &w.actors[i]
	switch mv.how {
	case byKill:
		x.kill(w, i)
		return moved, ""
	case byTick:
		a.pc, _ = x.afterTick(a)
		return moved, ""
	case byCancel:
		if !x.roles[i].reader {
			a.act, a.pc = uint8(len(x.roles[i].program)), perform
			return moved, ""
		}
		a.end = true
		a.pc = clearAsleep
		return moved, ""
	}
	switch pc := a.pc; {
	case pc < perform:
		return x.join(w, i)
	case pc < grantLock:
		return x.write(w, i)
	case pc < awaitNeed:
		return x.space(w, i)
	case pc < wakeHighest:
		return x.await(w, i)
	case pc < readerLooks:
		return x.wake(w, i)
	case pc < markAsleep:
		return x.read(w, i)
	case pc < leaveLock:
		return x.sleep(w, i)
	case pc < openFile:
		return x.depart(w, i)
	case pc < markTurns:
		return x.joinFile(w, i)
	case pc < unlockByte:
		return x.events(w, i)
	}
	return x.departFile(w, i)
}

// remains checks what is left when all have ended.
func (x *explorer) remains(w world) string {
	if !x.leftByDead(&w) && x.left(&w) {
		return "the last one left normally, and something is left behind"
	}
	next := explorer{on: x.on, roles: []role{{}}, omit: x.omit, ring: x.ring}
	w.actors[0].pc = getSet
	if x.on != onSysV {
		w.actors[0].pc = openFile
	}
	for w.actors[0].pc != done {
		did, bad := next.apply(&w, move{})
		if bad == "" {
			bad = x.wrong(&w)
		}
		if did == blocked {
			bad = "it cannot go on"
		}
		if bad != "" {
			return "the next one to come: " + bad
		}
	}
	if x.left(&w) {
		return "something is left behind after the next one left"
	}
	return ""
}

// leftByDead reports whether the last one that had what is left was killed.
func (x *explorer) leftByDead(w *world) bool {
	if x.on != onSysV && w.seg != 0 {
		return w.memories[w.seg-1].killed
	}
	return w.killed
}

// left reports whether something is left behind.
func (x *explorer) left(w *world) bool {
	if x.on == onMemfd {
		return w.memories[w.seg-1].magic || w.memories[w.seg-1].dirty
	}
	return w.set != 0 || w.seg != 0
}

// trapped returns a state from which no sequence of steps and ticks ends with all
// actors having ended; -1 if there is none.
func (x *explorer) trapped() int32 {
	slices.SortFunc(x.edges, func(a, b edge) int { return int(a.to) - int(b.to) })
	ends := make([]bool, len(x.nodes))
	var todo []int32
	for id, n := range x.nodes {
		if n.over {
			ends[id] = true
			todo = append(todo, int32(id))
		}
	}
	for len(todo) > 0 {
		to := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		k, _ := slices.BinarySearchFunc(x.edges, to, func(e edge, to int32) int { return int(e.to) - int(to) })
		for ; k < len(x.edges) && x.edges[k].to == to; k++ {
			if from := x.edges[k].from; !ends[from] {
				ends[from] = true
				todo = append(todo, from)
			}
		}
	}
	return int32(slices.Index(ends, false))
}

// report says how a state was reached.
func (x *explorer) report(wrong string, id int32, last ...move) found {
	moves := last
	for ; id > 0; id = x.nodes[id].parent {
		moves = append(moves, x.nodes[id].move)
	}
	f := found{states: len(x.nodes), edges: len(x.edges), wrong: wrong}
	slices.Reverse(moves[len(last):])
	moves = append(moves[len(last):], last...)
	// Played again, to say what each one was.
	w := x.first()
	for _, mv := range moves {
		what := [...]string{"", " tick", " cancelled", " KILLED"}[mv.how]
		f.trace = append(f.trace, fmt.Sprintf("%d: %s%s", mv.actor, stepNames[w.actors[mv.actor].pc], what))
		_, _ = x.apply(&w, mv)
	}
	return f
}

func (f found) String() string {
	if f.wrong == "" {
		return fmt.Sprintf("%d states, %d steps", f.states, f.edges)
	}
	return fmt.Sprintf("%s, after %d states:\n  %s", f.wrong, f.states, strings.Join(f.trace, "\n  "))
}

// stepNames are for traces.
var stepNames = [...]string{
	unborn: "unborn", dead: "dead", done: "done", earlySegment: "early segment", getSet: "get set",
	takeLock: "take lock", lookAtValues: "look at values", findSegment: "find segment",
	lookAtSegment: "look at segment", removeStale: "remove stale", createSegment: "create segment",
	fillHeader: "fill header", storeMagic: "store magic", writerEnters: "writer enters",
	countWriter: "count writer", readerReadsTail: "reader reads tail",
	readerKeeps: "reader keeps", readerStoresStart: "reader stores start",
	readerStoresCursor: "reader stores cursor", readerReadsJoined: "reader reads joined",
	readerRaisesHighest: "reader raises highest", readerEnters: "reader enters", perform: "perform",
	takeTurn: "take turn", readTail: "read tail", writeHead: "write head", writeRest: "write rest",
	storeTail: "store tail", giveTurn: "give turn", markFile: "mark file", grantLock: "grant lock",
	grantValues: "grant values", grantCursors: "grant cursors", grantUnlock: "grant unlock",
	grantStore: "grant store", storeNeed: "store need", markWaiting: "mark waiting",
	sleepForSpace: "sleep for space", clearWaiting: "clear waiting", awaitNeed: "await need",
	awaitMark: "await mark", awaitLock: "await lock", awaitValues: "await values",
	awaitCursors: "await cursors", awaitUnlock: "await unlock", awaitSleep: "await sleep",
	awaitClear: "await clear", awaitCount: "await count", wakeHighest: "wake highest", wakeSlot: "wake slot",
	wakePost: "wake post", readerLooks: "reader looks", readHead: "read head", readRest: "read rest",
	verifyFile: "verify file", storeCursor: "store cursor", lookAtWaiting: "look at waiting",
	lookAtNeed: "look at need", claimWaiting: "claim waiting", postSpace: "post space",
	markAsleep: "mark asleep", lookAgain: "look again", lookAtWriters: "look at writers",
	lookAtJoined: "look at joined", lookAtEnd: "look at end", sleepForData: "sleep for data",
	countLock: "count lock", countValues: "count values", countUnlock: "count unlock",
	settleLock: "settle lock", settleValues: "settle values", settleSlots: "settle slots", settleUnlock: "settle unlock",
	endLock: "end lock", endWriters: "end writers", endTail: "end tail", endLeave: "end leave", endUnlock: "end unlock",
	clearAsleep: "clear asleep", leaveLock: "leave lock", leaveValues: "leave values",
	leaveClaimWaiting: "leave claim waiting", leavePostSpace: "leave post space",
	releaseToWriters: "release to writers", releaseToReaders: "release to readers",
	removeSegment: "remove segment", removeSet: "remove set",

	openFile: "open file", lockFile: "lock file", checkName: "check name", lookAtFile: "look at file",
	removeStaleName: "remove stale name", closeFile: "close file", storeMagicFirst: "store magic first",
	wipeFile: "wipe file", fillFile: "fill file", storeMagicLast: "store magic last", claimByte: "claim byte",
	nameFile: "name file", enterFile: "enter file", markTurns: "mark turns", lookAtTurn: "look at turn",
	sleepForTurn: "sleep for turn", inTurns: "in turns", readTurns: "read turns",
	announceTurns: "announce turns", wakeTurns: "wake turns", markArrivals: "mark arrivals",
	lockToLook: "lock to look", unlockAfterLook: "unlock after look",
	lookAtReaders: "look at readers", sleepForReaders: "sleep for readers", inArrivals: "in arrivals",
	readArrivals: "read arrivals", announceArrivals: "announce arrivals", wakeArrivals: "wake arrivals",
	inData: "in data", inSpace: "in space", inAwait: "in await", unlockByte: "unlock byte",
	lookForOthers: "look for others", removeName: "remove name", wipeAll: "wipe all", clearMagic: "clear magic",
	unlockLast: "unlock last", unlockToOthers: "unlock to others", lookOnceMore: "look once more",
	removeByHand: "remove by hand",
}
