package object

import (
	"fmt"
	"strings"
	"testing"
)

// The steps of docs/abi/object.md at small size: three processes that each open or make
// an object with two slots, are members, and leave (or, if the object is persistent, two
// of those and one that removes it), in every order, with up to two kills
// between any two steps. What must hold:
//
//   - who is a member has the name lead to its object, its record live, and its slot
//     alone, and the others do not take it for dead;
//   - no membership is mistaken for an earlier one;
//   - who died never looks as if it had left;
//   - when all have ended, the name is gone unless somebody was killed, and then the next
//     to come gets an object.
//
// Every step that is taken out must break one of these.

const (
	processes = 3
	slots     = 2
	inodes    = 5
)

// What a process does next.
type step uint8

const (
	stOpen step = iota
	stMake
	stLink
	stJoinLock
	stCheckName
	stCheckAlive
	stClaim
	stClean
	stLive
	stJoinUnlock
	stMember
	stFree
	stDrop
	stRemoveLock
	stRemoveName
	stRemoveAlive
	stUnlink
	stRemoveUnlock
	stEnd
)

type inode struct {
	gen, state [slots]uint8
	byteOf     [slots]int8 // process + 1
	used       [slots]uint16
	died       [slots]uint16 // generations, as members
	joinW      int8          // process + 1
	joinR      [processes]bool
}

type actor struct {
	at     step
	file   int8 // index of an inode, -1 none
	slot   int8
	gen    uint8
	cursor uint8
	again  bool // after the remove check it opens anew
	saw    bool // it saw that another one lives
	dead   bool
}

type world struct {
	name  int8
	made  int8
	kills int8
	files [inodes]inode
	procs [processes]actor
}

// broken is a step to leave out.
type broken string

const (
	intact        broken = ""
	noNameCheck   broken = "joining without looking whether the name is still this file"
	noJoinLock    broken = "joining without J"
	noRemoveLock  broken = "removing without J"
	noAliveCheck  broken = "removing without looking whether anybody lives"
	noRemoveName  broken = "removing without looking whether the name is still this file"
	checkFirst    broken = "the remove check before the byte is dropped"
	nameFirst     broken = "the name before the lifeline"
	sameGen       broken = "a slot taken again under its old generation"
	noStaleCheck  broken = "joining what only the dead have"
	claimWithout  broken = "a slot taken without its byte"
	noRemoveCheck broken = "leaving without the remove check"
	deadAsLeft    broken = "what the dead left cleaned under its generation"
)

type explorer struct {
	without broken
	// persistent: members do not remove it, the last process does, as shmkit rm.
	persistent bool
	seen       map[world]bool
	fault      string
}

func (e *explorer) fail(w *world, format string, args ...any) {
	if e.fault == "" {
		e.fault = fmt.Sprintf(format, args...)
	}
}

// others reports whether a lifeline of f is held by another process than p.
func (f *inode) others(p int) bool {
	for _, b := range f.byteOf {
		if b != 0 && int(b) != p+1 {
			return true
		}
	}
	return false
}

// free drops all locks of p on f.
func (f *inode) free(p int) {
	for s := range f.byteOf {
		if int(f.byteOf[s]) == p+1 {
			f.byteOf[s] = 0
		}
	}
	if int(f.joinW) == p+1 {
		f.joinW = 0
	}
	f.joinR[p] = false
}

// next does process p's next step, and reports whether it could.
func (e *explorer) next(w *world, p int) bool {
	me := &w.procs[p]
	var f *inode
	if me.file >= 0 {
		f = &w.files[me.file]
		me.saw = me.saw || f.others(p)
	}
	remover := e.persistent && p == processes-1
	switch me.at {
	case stOpen:
		me.cursor, me.again, me.saw = 0, false, false
		if remover {
			if me.file, me.at = w.name, stRemoveLock; w.name < 0 {
				me.at = stEnd
			}
			return true
		}
		if w.name < 0 {
			me.at = stMake
			return true
		}
		me.file, me.at = w.name, stJoinLock
	case stMake:
		if int(w.made) == inodes {
			return false // the world is too small; enough others remain
		}
		me.file = w.made
		w.made++
		me.slot, me.gen, me.at = 0, 1, stLink
		if e.without == nameFirst {
			return true
		}
		e.become(w, p)
	case stLink:
		if w.name >= 0 {
			f.free(p)
			me.file, me.at = -1, stOpen
			return true
		}
		w.name = me.file
		me.at = stMember
		if e.without == nameFirst {
			me.at = stClean
		}
	case stJoinLock:
		if e.without == noJoinLock {
			me.at = stCheckName
			return true
		}
		if f.joinW != 0 {
			return false
		}
		f.joinR[p] = true
		me.at = stCheckName
	case stCheckName:
		me.at = stCheckAlive
		if w.name != me.file && e.without != noNameCheck {
			f.free(p)
			me.file, me.at = -1, stOpen
		}
	case stCheckAlive:
		me.at = stClaim
		if !f.others(p) && e.without != noStaleCheck && !e.persistent {
			f.joinR[p] = false
			me.at, me.again = stRemoveLock, true
		}
	case stClaim:
		if me.cursor == 2*slots {
			f.free(p)
			me.at = stEnd // full
			return true
		}
		s, wanted := me.cursor%slots, me.cursor/slots // free ones, then live ones
		me.cursor++
		if f.state[s] != wanted || f.byteOf[s] != 0 && int(f.byteOf[s]) != p+1 && e.without != claimWithout {
			return true
		}
		if e.without != claimWithout {
			f.byteOf[s] = int8(p + 1)
		}
		me.slot, me.at = int8(s), stClean
	case stClean:
		if f.state[me.slot] == stateLive && e.without != deadAsLeft {
			f.gen[me.slot]++
		}
		f.state[me.slot] = stateFree
		me.at = stLive
	case stLive:
		if !me.saw && !e.persistent {
			e.fail(w, "process %d joins what only the dead have", p)
		}
		me.gen = f.gen[me.slot]
		if e.without != sameGen || me.gen == 0 {
			me.gen++
		}
		e.become(w, p)
		me.at = stJoinUnlock
	case stJoinUnlock:
		f.joinR[p] = false
		me.at = stMember
	case stMember:
		me.at = stFree
	case stFree:
		f.state[me.slot] = stateFree
		me.at = stDrop
		if e.without == checkFirst {
			me.at = stRemoveLock
		}
	case stDrop:
		if int(f.byteOf[me.slot]) == p+1 {
			f.byteOf[me.slot] = 0
		}
		me.at = stRemoveLock
		if e.without == noRemoveCheck || e.without == checkFirst || e.persistent {
			me.at = stEnd
		}
	case stRemoveLock:
		if e.without == noRemoveLock {
			me.at = stRemoveName
			return true
		}
		if f.joinW != 0 {
			return false
		}
		for _, r := range f.joinR {
			if r {
				return false
			}
		}
		f.joinW = int8(p + 1)
		me.at = stRemoveName
	case stRemoveName:
		me.at = stRemoveAlive
		if w.name != me.file && e.without != noRemoveName {
			me.at = stRemoveUnlock
		}
	case stRemoveAlive:
		me.at = stUnlink
		others := f.others(p)
		if e.without == checkFirst { // one's own byte is no obstacle to one's own probe: but it is to the other's
			others = f.byteOf[0] != 0 && f.byteOf[1] != 0
		}
		if others && e.without != noAliveCheck {
			me.at = stRemoveUnlock
		}
	case stUnlink:
		w.name = -1
		me.at = stRemoveUnlock
	case stRemoveUnlock:
		if int(f.joinW) == p+1 {
			f.joinW = 0
		}
		switch {
		case me.again:
			me.file, me.at = -1, stOpen
		case e.without == checkFirst:
			me.at = stDrop
		default:
			me.at = stEnd
		}
	default:
		return false
	}
	return true
}

// become makes p the member in its slot and generation.
func (e *explorer) become(w *world, p int) {
	me := &w.procs[p]
	f := &w.files[me.file]
	if e.without != claimWithout {
		f.byteOf[me.slot] = int8(p + 1)
	}
	if f.used[me.slot]&(1<<me.gen) != 0 {
		e.fail(w, "slot %d was generation %d before", me.slot, me.gen)
	}
	f.used[me.slot] |= 1 << me.gen
	f.gen[me.slot], f.state[me.slot] = me.gen, stateLive
}

// kill ends p where it is.
func (w *world) kill(p int) {
	me := &w.procs[p]
	if me.file >= 0 {
		f := &w.files[me.file]
		f.free(p)
		if me.at == stMember {
			f.died[me.slot] |= 1 << me.gen
		}
	}
	me.dead, me.at = true, stEnd
	w.kills++
}

// check looks at what must hold at any moment.
func (e *explorer) check(w *world) {
	for i := range w.files {
		for s, gen := range w.files[i].gen {
			if w.files[i].state[s] == stateFree && w.files[i].died[s]&(1<<gen) != 0 {
				e.fail(w, "a dead member of slot %d looks as if it had left", s)
			}
		}
	}
	for p := range w.procs {
		me := &w.procs[p]
		if me.dead || me.at != stMember {
			continue
		}
		f := &w.files[me.file]
		switch {
		case w.name != me.file:
			e.fail(w, "process %d is a member of an object without a name", p)
		case f.gen[me.slot] != me.gen || f.state[me.slot] != stateLive:
			e.fail(w, "process %d is a member, and its record says otherwise", p)
		case int(f.byteOf[me.slot]) != p+1:
			e.fail(w, "process %d is a member, and its byte is free or another's", p)
		}
		for q := range w.procs {
			if o := &w.procs[q]; q != p && !o.dead && o.at == stMember && o.file == me.file && o.slot == me.slot {
				e.fail(w, "processes %d and %d are in one slot", p, q)
			}
		}
	}
}

// explore visits everything that can come of w.
func (e *explorer) explore(w world, mostKills int8) {
	if e.fault != "" || e.seen[w] {
		return
	}
	e.seen[w] = true
	e.check(&w)
	ended := true
	for p := range w.procs {
		if w.procs[p].at == stEnd {
			continue
		}
		ended = false
		n := w
		if e.next(&n, p) {
			e.explore(n, mostKills)
		}
		if w.kills < mostKills {
			n := w
			n.kill(p)
			e.explore(n, mostKills)
		}
	}
	if !ended || e.fault != "" {
		return
	}
	if w.kills == 0 && w.name >= 0 && !e.persistent {
		e.fail(&w, "all have left, and the name is still there")
	}
	// The next one to come.
	if int(w.made) < inodes {
		w.procs[0] = actor{file: -1}
		for range 100 {
			if w.procs[0].at == stMember {
				return
			}
			if !e.next(&w, 0) {
				break
			}
		}
		e.fail(&w, "the next one to come does not get in: it is at step %d", w.procs[0].at)
	}
}

func begin() world {
	w := world{name: -1}
	for p := range w.procs {
		w.procs[p].file = -1
	}
	return w
}

func TestEveryOrderOfJoiningAndLeavingIsRight(t *testing.T) {
	most := int8(2)
	if testing.Short() {
		most = 1
	}
	for _, persistent := range []bool{false, true} {
		e := &explorer{persistent: persistent, seen: map[world]bool{}}
		e.explore(begin(), most)
		if e.fault != "" {
			t.Error(e.fault)
		}
		if len(e.seen) < 10_000 {
			t.Errorf("only %d states", len(e.seen))
		}
		t.Logf("persistent %t: %d states", persistent, len(e.seen))
	}
}

func TestEveryStepOfJoiningAndLeavingIsNeeded(t *testing.T) {
	for _, without := range []broken{
		noNameCheck, noJoinLock, noRemoveLock, noAliveCheck, noRemoveName, checkFirst, nameFirst, sameGen, noStaleCheck, claimWithout, noRemoveCheck, deadAsLeft,
	} {
		t.Run(strings.ReplaceAll(string(without), " ", "_"), func(t *testing.T) {
			fault := ""
			for _, persistent := range []bool{false, true} {
				e := &explorer{without: without, persistent: persistent, seen: map[world]bool{}}
				e.explore(begin(), 2)
				if fault == "" {
					fault = e.fault
				}
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
