package pshared

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of RWMutex at small size (docs/abi/rwmutex.md): three members, readers and writers,
// in every order, with up to two kills between any two steps. The writers' mutex is one
// step here: explore_test.go has its own. What must hold:
//
//   - a living writer is inside alone;
//   - nobody but a writer that is told goes in after one that died inside, until it is
//     repaired, and nobody is told of a death that was none;
//   - with the tick, everybody who lives gets to the end from every state; without deaths,
//     also without the tick;
//   - nobody closes the gate while a reader waits that had marked before it opened.
//
// Every step that is taken out must break one of these.

const rwMembers = 3

type rwStep uint8

const (
	rdJoin rwStep = iota
	rdGate
	rdBack
	rdLook
	rdMark
	rdState
	rdCheck
	rdSet
	rdSleep
	rdAsleep
	rdUnmark
	rdHold
	rdPart
	rdGone
	rdFailed

	wrLock
	wrGate
	wrBell
	wrScan
	wrSleep
	wrAsleep
	wrClose
	wrIn
	wrUnlock
	wrOpen
	wrWake
	wrFree
	wrAbandon

	rwRing
	rwRung
	rwEnd
)

type rwGate struct {
	closed, sleep bool
	phase         uint8
}

type rwBell struct {
	count uint8
	bit   bool
}

type rwMember struct {
	at, then   rwStep // then: after the bell was rung
	rounds     int8
	dead       bool
	inside     bool
	active     bool
	marks      [2]bool // in shared memory, like active
	mark       int8    // by parity + 1; 0: none
	early      bool    // it was set before the gate opened
	saw        bool    // something was wrong while it waited
	told       bool
	waiting    bool // a writer: for marks, not for readers that are inside
	hasty      bool // a writer that lost its patience
	givesUp    bool
	i          int8 // whom a writer looks at
	v          rwGate
	bell       rwBell
	err        rwErr // what a reader is about to return
	closedByMe bool
}

type rwErr uint8

const (
	rwFine rwErr = iota
	rwDead
	rwLost
	rwCorrupt
)

type rwWorld struct {
	owner        int8 // of the writers' mutex: member + 1
	incons, lost bool
	gate         rwGate
	bell         rwBell
	dirty        int8 // 1: the gate was closed by one who died, 2: that one was inside
	kills        int8
	m            [rwMembers]rwMember
}

// A rwCase is who takes part.
type rwCase struct {
	writers  int // the last of the members
	rounds   int8
	kills    int8
	tick     bool
	patience bool // writers may lose it
	givesUp  int  // a member that may give up waiting; 0 is none, else member + 1
}

type rwExplorer struct {
	testenv.Search[rwWorld]
	rwCase
	without string
}

// The steps that can be left out.
const (
	rwNoRecheck   = "going in without a second look at the gate"
	rwNoDrain     = "going in without waiting for readers"
	rwDrainFirst  = "closing the gate after waiting for readers"
	rwNoBellPart  = "leaving without ringing the bell"
	rwNoBellBack  = "stepping back without ringing the bell"
	rwNoBit       = "waiting for the bell without setting its bit"
	rwNoBellCmp   = "waiting for the bell without comparing"
	rwNoSleepFlag = "sleeping for the gate without a flag"
	rwNoGateCmp   = "sleeping for the gate without comparing"
	rwNoWake      = "opening without waking"
	rwFreeFirst   = "unlocking the writers before opening"
	rwNoPhase     = "opening without a new phase"
	rwNoMarks     = "closing without regard for marks"
	rwKeepMark    = "giving up without taking the mark away"
	rwKeepOld     = "marking without taking the old mark away"
	rwQuietMark   = "taking the mark away without ringing the bell"
	rwNoDeadRead  = "waiting for dead readers"
	rwNoDeadWrite = "readers that don't ask whether the writer lives"
	rwNoTell      = "a writer that is not told of the dead"
	rwTellAll     = "a writer that is told though the gate is open"
	rwNoChanged   = "telling readers without a second look at the gate"
	rwBlindFlag   = "setting the flag by a store"
	rwBlindOpen   = "opening by a store"
)

var rwSteps = []string{rwNoRecheck, rwNoDrain, rwDrainFirst, rwNoBellPart, rwNoBellBack, rwNoBit, rwNoBellCmp, rwNoSleepFlag, rwNoGateCmp, rwNoWake,
	rwFreeFirst, rwNoPhase, rwNoMarks, rwKeepMark, rwKeepOld, rwQuietMark, rwNoDeadRead, rwNoDeadWrite, rwNoTell, rwTellAll, rwNoChanged, rwBlindFlag, rwBlindOpen}

// ownerDead reports whether the writers' mutex has a dead owner.
func (w *rwWorld) ownerDead() bool { return w.owner > 0 && w.m[w.owner-1].dead }

// step returns what member i's next step can lead to.
func (e *rwExplorer) step(w rwWorld, i int) (to []rwWorld) {
	me := &w.m[i]
	ring := func(then rwStep) { me.at, me.then = rwRing, then }
	goIn := func() {
		me.inside = true
		me.at = rdUnmark
	}
	switch me.at {
	case rdJoin:
		me.active, me.at = true, rdGate
	case rdGate:
		if !w.gate.closed || e.without == rwNoRecheck {
			goIn()
		} else {
			me.at = rdBack
		}
	case rdBack:
		me.active = false
		if me.at = rdLook; e.without != rwNoBellBack {
			ring(rdLook)
		}
	case rdLook:
		if me.v = w.gate; !me.v.closed {
			me.at = rdJoin
			me.v = rwGate{}
		} else {
			me.at = rdMark
		}
	case rdMark:
		m := int8(me.v.phase%2) + 1
		me.at = rdState
		if m == me.mark {
			break
		}
		if me.mark != 0 {
			me.marks[me.mark-1] = e.without == rwKeepOld
			if e.without != rwQuietMark {
				ring(rdState)
			}
		}
		me.marks[m-1], me.mark = true, m
		me.early = w.gate.closed && w.gate.phase == me.v.phase
	case rdState:
		me.err = rwFine
		switch {
		case w.lost:
			me.err = rwLost
		case w.owner == 0 && !w.incons:
			me.err = rwCorrupt
		case w.owner == 0 || w.ownerDead() && e.without != rwNoDeadWrite:
			me.err = rwDead
		}
		me.at = rdCheck
	case rdCheck:
		same := w.gate.closed == me.v.closed && w.gate.phase == me.v.phase || e.without == rwNoChanged
		switch {
		case me.err == rwFine || !same:
			if me.at = rdSet; me.v.sleep || e.without == rwNoSleepFlag {
				me.at = rdSleep
			}
		case me.err == rwCorrupt || me.err == rwLost && !w.lost || me.err == rwDead && !me.saw && w.dirty == 0:
			e.Fail("reader %d is told %d, for nothing", i, me.err)
		default:
			me.at, me.then = rdUnmark, rwEnd
		}
		me.err = rwFine
	case rdSet:
		n := me.v
		n.sleep = true
		me.at = rdLook
		if w.gate == me.v || e.without == rwBlindFlag {
			w.gate, me.v, me.at = n, n, rdSleep
		}
	case rdSleep:
		if me.at = rdLook; w.gate == me.v || e.without == rwNoGateCmp {
			me.at = rdAsleep
		}
	case rdAsleep:
		if me.givesUp {
			n := w
			n.m[i].at, n.m[i].givesUp = rdUnmark, false
			to = append(to, n)
		}
		if !e.tick || w.gate.closed && w.gate.sleep && w.owner != 0 && !w.lost && !w.ownerDead() {
			return to
		}
		me.at = rdLook
	case rdUnmark:
		me.at = rdFailed
		if me.inside {
			me.at = rdHold
		}
		if me.mark != 0 {
			me.marks[me.mark-1] = !me.inside && e.without == rwKeepMark
			me.mark, me.early = 0, false
			if e.without != rwQuietMark {
				ring(me.at)
			}
		}
	case rdFailed:
		me.v, me.saw, me.at = rwGate{}, false, rwEnd
	case rdHold:
		me.at = rdPart
		me.v, me.saw = rwGate{}, false
	case rdPart:
		me.inside, me.active = false, false
		me.at = rdGone
	case rdGone:
		me.rounds--
		next := rdJoin
		if me.rounds <= 0 {
			next = rwEnd
		}
		if me.at = next; w.gate.closed && e.without != rwNoBellPart {
			ring(next)
		}
	case wrLock:
		switch {
		case w.lost:
			me.at = rwEnd
			return append(to, w)
		case w.owner == 0:
			me.told = w.incons
		case w.ownerDead():
			me.told, w.incons = true, true
		default:
			return nil // it waits
		}
		w.owner, me.at = int8(i+1), wrGate
	case wrGate:
		switch {
		case e.without == rwNoTell:
			w.incons, me.told = false, false
		case me.told && !w.gate.closed && e.without != rwTellAll:
			w.incons, me.told = false, false
		case !me.told && w.gate.closed:
			e.Fail("the gate was closed by nobody")
		}
		me.v = w.gate
		switch {
		case w.gate.closed:
			me.at = wrBell
		case e.without == rwNoMarks:
			me.at = wrClose
		default:
			me.waiting, me.at = true, wrBell
		}
		if e.without == rwDrainFirst && !w.gate.closed {
			me.waiting, me.at = false, wrBell
		}
	case wrBell:
		w.bell.bit = w.bell.bit || e.without != rwNoBit
		me.bell, me.i, me.at = w.bell, 0, wrScan
	case wrScan:
		o := w.m[me.i]
		inTheWay := o.active
		if me.waiting {
			inTheWay = o.marks[(me.v.phase+1)%2]
		}
		switch {
		case inTheWay && (!o.dead || e.without == rwNoDeadRead) && !(e.without == rwNoDrain && !me.waiting):
			me.at = wrSleep
		case me.i < rwMembers-1:
			me.i++
		case me.waiting || e.without == rwDrainFirst && !w.gate.closed:
			me.at = wrClose
		default:
			me.at = wrIn
		}
	case wrSleep:
		if me.at = wrBell; w.bell == me.bell || e.without == rwNoBellCmp {
			me.at = wrAsleep
		}
	case wrAsleep:
		if me.givesUp {
			n := w
			o := &n.m[i]
			o.givesUp, o.rounds = false, 0
			switch {
			case o.waiting:
				o.at = wrFree
			case o.told:
				o.at = wrAbandon
			default:
				o.at = wrUnlock
			}
			to = append(to, n)
		}
		if me.waiting && e.patience {
			n := w
			n.m[i].hasty, n.m[i].at = true, wrClose
			to = append(to, n)
		}
		if !e.tick {
			return to
		}
		me.at = wrBell
	case wrClose:
		for j, o := range w.m {
			if o.early && !o.dead && !me.hasty && w.gate.phase != o.v.phase {
				e.Fail("writer %d goes before reader %d, that waited for the last", i, j)
			}
			if me.hasty {
				w.m[j].early = false // and has lost its turn
			}
		}
		w.gate.closed, w.gate.sleep = true, false
		me.closedByMe, me.waiting, me.hasty = true, false, false
		if me.at = wrBell; e.without == rwDrainFirst {
			me.at = wrIn
		}
	case wrIn:
		if me.inside = true; w.dirty > 1 && !me.told || w.dirty == 0 && me.told {
			e.Fail("writer %d is told %t, and what it finds is %d", i, me.told, w.dirty)
		}
		if me.told {
			n := w
			n.m[i].at = wrAbandon
			to = append(to, n)
			n = w // unlocked without a repair
			n.lost, n.incons, n.owner = true, false, 0
			n.m[i].inside, n.m[i].at = false, rwEnd
			to = append(to, n)
			w.incons, w.dirty, me.told = false, 0, false
		}
		if me.at = wrUnlock; e.without == rwFreeFirst {
			w.owner = 0
		}
	case wrAbandon:
		w.owner, w.incons = 0, true
		me.inside, me.told = false, false
		me.at = rwEnd
	case wrUnlock:
		me.v, me.at = w.gate, wrOpen
	case wrOpen:
		me.at = wrUnlock
		if w.gate == me.v || e.without == rwBlindOpen {
			w.gate.closed, w.gate.sleep = false, false
			if e.without != rwNoPhase {
				w.gate.phase++
			}
			me.inside, me.closedByMe = false, false
			if me.at = wrFree; me.v.sleep && e.without != rwNoWake {
				me.at = wrWake
			}
		}
	case wrWake:
		for j := range w.m {
			if w.m[j].at == rdAsleep {
				w.m[j].at = rdLook
			}
		}
		me.at = wrFree
	case wrFree:
		if e.without != rwFreeFirst {
			w.owner = 0
		}
		me.rounds--
		me.v, me.bell, me.i, me.waiting = rwGate{}, rwBell{}, 0, false
		if me.at = wrLock; me.rounds <= 0 {
			me.at = rwEnd
		}
	case rwRing: // one step: what was seen is compared
		if me.at = me.then; w.bell.bit {
			w.bell.bit = false
			w.bell.count++
			me.at = rwRung
		}
	case rwRung:
		for j := range w.m {
			if w.m[j].at == wrAsleep {
				w.m[j].at = wrBell
			}
		}
		me.at = me.then
	default:
		return nil
	}
	if me.at == me.then {
		me.then = 0
	}
	return append(to, w)
}

// next returns what can come of w, deaths included.
func (e *rwExplorer) next(w rwWorld) (to []rwWorld, ended bool) {
	readers := rwMembers - e.writers
	inside := 0
	for i, o := range w.m {
		if o.inside && i < readers {
			inside |= 1
			if w.dirty > 1 {
				e.Fail("reader %d is inside, where a writer died", i)
			}
		}
		if o.inside && i >= readers {
			if inside != 0 {
				e.Fail("writer %d is inside, and not alone", i)
			}
			inside |= 2
		}
	}
	ended = true
	for i := range w.m {
		if w.m[i].at == rwEnd {
			continue
		}
		ended = false
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills {
			n := w
			n.kills++
			o := &n.m[i]
			switch {
			case i >= readers && o.inside:
				n.dirty = 2
			case i >= readers && o.closedByMe:
				n.dirty = max(n.dirty, 1)
			}
			*o = rwMember{at: rwEnd, dead: true, active: o.active, marks: o.marks}
			to = append(to, n)
		}
	}
	for k := range to {
		for i := range readers {
			o := &to[k].m[i]
			o.saw = o.saw || to[k].dirty > 0 && o.at < rdUnmark && o.at != rdJoin
		}
	}
	return to, ended
}

// String is for looking at the way to a fault.
func (w rwWorld) String() string {
	text := fmt.Sprintf("owner %d %t %t gate %v bell %v dirty %d", w.owner, w.incons, w.lost, w.gate, w.bell, w.dirty)
	for _, o := range w.m {
		text += fmt.Sprintf(" | at %d dead %t active %t marks %v told %t saw %v", o.at, o.dead, o.active, o.marks, o.told, o.v)
	}
	return text
}

func exploreRW(c rwCase, without string) *rwExplorer {
	e := &rwExplorer{rwCase: c, without: without}
	e.Next = e.next
	var w rwWorld
	for i := range w.m {
		w.m[i] = rwMember{rounds: c.rounds, givesUp: i+1 == c.givesUp}
		if i >= rwMembers-c.writers {
			w.m[i].at = wrLock
		}
	}
	e.Run(w)
	return e
}

func (c rwCase) String() string {
	return fmt.Sprintf("%d readers, %d writers, %d rounds, %d kills, tick %t, patience %t, %d gives up", rwMembers-c.writers, c.writers, c.rounds, c.kills, c.tick, c.patience, c.givesUp)
}

// rwCases are what is explored, in the order in which faults are found soonest.
func rwCases() (cases []rwCase) {
	for _, writers := range []int{2, 1, 3} {
		for _, kills := range []int8{0, 1, 2} {
			for _, givesUp := range []int{0, 1, 3} {
				cases = append(cases, rwCase{writers: writers, rounds: 1, kills: kills, tick: kills > 0, givesUp: givesUp})
			}
		}
		if writers == 2 {
			cases = append(cases,
				rwCase{writers: 2, rounds: 1, kills: 1, tick: true, patience: true},
				rwCase{writers: 2, rounds: 2}, rwCase{writers: 2, rounds: 2, tick: true, patience: true})
		}
	}
	return cases
}

// skipUnderRace: the search is one goroutine, and ten times slower.
func skipUnderRace(t *testing.T) {
	if race.Enabled {
		t.Skip("nothing here runs at once")
	}
	t.Parallel()
}

func TestRWMutexIsRightInEveryOrder(t *testing.T) {
	skipUnderRace(t)
	for _, c := range rwCases() {
		e := exploreRW(c, "")
		t.Logf("%v: %d states", c, len(e.Order))
		if e.Fault != "" {
			t.Errorf("%v: %s", c, e.Fault)
			for _, w := range e.Way() {
				t.Log(w)
			}
			return
		}
	}
}

// The tick is what frees those whom a death leaves asleep.
func TestRWMutexNeedsTheTickForDeaths(t *testing.T) {
	skipUnderRace(t)
	for _, writers := range []int{1, 2} {
		if e := exploreRW(rwCase{writers: writers, rounds: 1, kills: 1}, ""); !strings.Contains(e.Fault, "stuck") {
			t.Errorf("%d writers without the tick: %q", writers, e.Fault)
		}
	}
}

func TestEveryStepOfRWMutexIsNeeded(t *testing.T) {
	skipUnderRace(t)
	for _, without := range rwSteps {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			for _, c := range rwCases() {
				if e := exploreRW(c, without); e.Fault != "" {
					t.Logf("%v: %s", c, e.Fault)
					return
				}
			}
			t.Errorf("nothing is wrong with %s", without)
		})
	}
}
