package object

import (
	"fmt"
	"strings"
	"testing"
)

// The steps of docs/abi/object.md at small size: three processes that each open or make
// an object with two slots, are members, and leave (or, if the object is persistent, two
// of those and one that removes it), of one file and of two, in every order, with up to two
// kills between any two steps. What must hold:
//
//   - who is a member has the name lead to its object, its record live, and its slot
//     alone, and the others do not take it for dead;
//   - no membership is mistaken for an earlier one;
//   - who died never looks as if it had left;
//   - a member's object has its second file, and nobody finds it missing while anybody lives;
//   - a second file is never there without the name that leads to it;
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
	stLinkLock
	stLink
	stLinkAnnex
	stLinkUnlock
	stJoinLock
	stCheckName
	stCheckAlive
	stCheckAnnex
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
	stUnlinkAnnex
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
	annex      bool // the second file has its name
}

type actor struct {
	at     step
	file   int8 // index of an inode, -1 none
	slot   int8
	gen    uint8
	cursor uint8
	again  bool // after the remove check it opens anew
	saw    bool // it saw that another one lives
	alive  bool // another one lived when it was about to join
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
	noLinkLock    broken = "two names given without J"
	annexFirst    broken = "the second file's name given first"
	objectFirst   broken = "the object's name removed first"
	noAnnexCheck  broken = "joining without looking whether the second file is there"
	goneIsKept    broken = "a persistent object kept whose second file is gone"
	annexStays    broken = "removing one name of two"
)

type explorer struct {
	without broken
	// persistent: members do not remove it, the last process does, as shmkit rm.
	persistent bool
	// twoFiles: the object has a second file.
	twoFiles bool
	seen     map[world]bool
	fault    string
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
		me.cursor, me.again, me.saw, me.alive = 0, false, false, false
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
		if e.twoFiles {
			me.at = stLinkLock
		}
		if e.without == nameFirst {
			return true
		}
		e.become(w, p)
	case stLinkLock:
		if e.without != noLinkLock {
			f.joinW = int8(p + 1) // nobody else has the file
		}
		f.annex = e.without == annexFirst
		me.at = stLink
	case stLink:
		if w.name >= 0 {
			f.free(p)
			f.annex = false
			me.file, me.at = -1, stOpen
			return true
		}
		w.name = me.file
		switch {
		case e.twoFiles:
			me.at = stLinkAnnex
		case e.without == nameFirst:
			me.at = stClean
		default:
			me.at = stMember
		}
	case stLinkAnnex:
		f.annex = true
		me.at = stLinkUnlock
	case stLinkUnlock:
		if int(f.joinW) == p+1 {
			f.joinW = 0
		}
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
		me.alive, me.at = f.others(p), stClaim
		if e.twoFiles {
			me.at = stCheckAnnex
		}
		if !me.alive && e.without != noStaleCheck && !e.persistent {
			f.joinR[p] = false
			me.at, me.again = stRemoveLock, true
		}
	case stCheckAnnex:
		me.at = stClaim
		switch {
		case f.annex || e.without == noAnnexCheck:
		case me.alive:
			e.fail(w, "process %d finds the second file gone of an object that lives", p)
		default:
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
		if e.without == noRemoveCheck || e.without == checkFirst || e.persistent && !e.twoFiles {
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
		if e.twoFiles && e.without != objectFirst && e.without != annexStays {
			me.at = stUnlinkAnnex
		}
		others := f.others(p)
		if e.without == checkFirst { // one's own byte is no obstacle to one's own probe: but it is to the other's
			others = f.byteOf[0] != 0 && f.byteOf[1] != 0
		}
		if others && e.without != noAliveCheck {
			me.at = stRemoveUnlock
		}
		if e.persistent && !remover && (f.annex || e.without == goneIsKept) {
			me.at = stRemoveUnlock
		}
	case stUnlinkAnnex:
		f.annex = false
		me.at = stUnlink
		if e.without == objectFirst {
			me.at = stRemoveUnlock
		}
	case stUnlink:
		w.name = -1
		me.at = stRemoveUnlock
		if e.without == objectFirst && e.twoFiles {
			me.at = stUnlinkAnnex
		}
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
		if w.files[i].annex && int(w.name) != i {
			e.fail(w, "a second file is there without the name that leads to it")
		}
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
		case e.twoFiles && !f.annex:
			e.fail(w, "process %d is a member of an object without its second file", p)
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
				e.check(&w)
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
	if testing.Short() || underRace { // which has nothing to find here
		most = 1
	}
	for _, e := range everyKind("") {
		e.explore(begin(), most)
		if e.fault != "" {
			t.Error(e.fault)
		}
		if len(e.seen) < 10_000 {
			t.Errorf("only %d states", len(e.seen))
		}
		t.Logf("persistent %t, two files %t: %d states", e.persistent, e.twoFiles, len(e.seen))
	}
}

// everyKind returns an explorer for each kind of object, those with little to visit first.
func everyKind(without broken) (all []*explorer) {
	for _, persistent := range []bool{true, false} {
		for _, twoFiles := range []bool{true, false} {
			all = append(all, &explorer{without: without, persistent: persistent, twoFiles: twoFiles, seen: map[world]bool{}})
		}
	}
	return all
}

func TestEveryStepOfJoiningAndLeavingIsNeeded(t *testing.T) {
	for _, without := range []broken{
		noNameCheck, noJoinLock, noRemoveLock, noAliveCheck, noRemoveName, checkFirst, nameFirst, sameGen, noStaleCheck, claimWithout, noRemoveCheck, deadAsLeft,
		noLinkLock, annexFirst, objectFirst, noAnnexCheck, goneIsKept, annexStays,
	} {
		t.Run(strings.ReplaceAll(string(without), " ", "_"), func(t *testing.T) {
			fault := ""
			for _, e := range everyKind(without) {
				e.explore(begin(), 2)
				if fault = e.fault; fault != "" {
					break
				}
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
