package pshared

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

// The steps of closing a handle (docs/abi/mutex.md) at small size: process A has one or
// two goroutines that each lock and unlock once, and one that closes the handle, again and
// again until that is not refused; process B has two or one that lock and unlock, of which
// the first gives the lock back only when A's handle is closed. In every order, also with
// A killed at any moment. What must hold:
//
//   - at most one goroutine holds the lock, and none of A when its handle has left, nor is
//     any at work on its record then;
//   - nobody is sent away unless the handle is being closed for good;
//   - B is told of a death if A died holding the lock, and only if A died;
//   - everybody gets to the end from every state, Close as well.

const (
	closeA1 = iota
	closeA2
	closeB1
	closeB2
	closeLockers
)

type closeStep uint8

const (
	csLoad    closeStep = iota // where is the lock?
	csFast                     // takes it if it is free
	csCheck                    // has taken it: is that still where it is?
	csDecide                   // it is not: is the handle closed?
	csUse                      // counts itself in
	csLook                     // looks, and takes what is free
	csMark                     // marks that somebody sleeps
	csAsk                      // is the handle closed?
	csSleep                    // recalled?
	csSubmit                   // goes into the kernel
	csAsleep                   // in the kernel
	csHeld                     // has the lock
	csBack                     // gives it back, its handle being closed
	csWake                     // wakes one
	csEnd                      // gone
	ccHide                     // the closer: makes the lock look taken
	ccLook                     // does this handle hold it?
	ccShut                     // no new user from now on
	ccWait                     // until there is no user
	ccRecall                   // recalls A's
	ccWakeAll                  // and wakes who sleeps in the kernel
	ccLeave                    // the record is free
	ccRefused                  // it is held
	ccClosed
)

type closeLocker struct {
	at       closeStep
	v        lockWord
	real     bool // where it saw the lock: in shared memory
	using    bool
	slow     bool // has slept
	recalled bool
	sent     bool // away, with ErrClosed
}

type closeWorld struct {
	word    lockWord // owner 1: A, 2: B
	locker  [closeLockers]closeLocker
	closer  closeStep
	hidden  bool
	locked  bool // the handle's mutex, by the closer
	closing bool
	left    bool
	once    bool // it has recalled
	dead    bool // A
	dirty   bool // it died holding the lock
}

type closeExplorer struct {
	testenv.Search[closeWorld]
	without string
	kill    bool
}

// The steps of closing that can be left out.
const (
	noHide       = "closing without making the lock look taken first"
	noSecondLook = "taking the lock without a second look where it is"
	noDecision   = "going by a Close that is not decided"
	noGiveBack   = "not giving back what was taken while closing"
	noUserWait   = "leaving while there are users"
	noRecall     = "closing without recalling"
	recallOnce   = "recalling once"
	recallNoWake = "recalling without waking who sleeps in the kernel"
	askFirst     = "giving up before the mark is set"
	leftIsDead   = "taking who left for dead"
	leftUnmarked = "taking from who left without keeping the waiters mark"
	deadIsLeft   = "taking the dead for who left"
)

func ownerOfLocker(i int) int8 {
	if i <= closeA2 {
		return 1
	}
	return 2
}

// step returns what locker i's next step can lead to.
func (e *closeExplorer) step(w closeWorld, i int) []closeWorld {
	me := &w.locker[i]
	mine := ownerOfLocker(i)
	inA := mine == 1
	switch me.at {
	case csLoad:
		me.real, me.at = !inA || !w.hidden, csFast
	case csFast:
		if me.at = csUse; me.real && w.word == (lockWord{}) {
			w.word.owner, me.at = mine, csCheck
		}
		me.real = false
	case csCheck:
		switch {
		case inA && w.hidden && e.without == noDecision:
			me.at = csBack
		case inA && w.hidden && e.without != noSecondLook:
			me.at = csDecide
		default:
			me.at = csHeld
		}
	case csDecide:
		if w.locked {
			return nil
		}
		if me.at = csHeld; w.closing {
			me.at = csBack
		}
	case csUse:
		if inA && w.closing {
			return e.gone(w, i, true)
		}
		me.using, me.at = true, csLook
	case csLook:
		v := w.word
		left := inA == false && v.owner == 1 && w.left && e.without != leftIsDead
		dead := inA == false && v.owner == 1 && (w.dead || w.left)
		if e.without == deadIsLeft && w.dead {
			left = dead
		}
		if me.at = csMark; v.owner != 0 && !left && !dead {
			break
		}
		if dead && !left {
			if !w.dead {
				e.Fail("B is told of a death, and A lives")
			}
			w.word = lockWord{owner: mine, waiters: true}
			w.dirty = false
		} else {
			w.word = lockWord{owner: mine, waiters: left && v.waiters && e.without != leftUnmarked || me.slow}
			if w.dirty {
				e.Fail("A died holding the lock, and B is not told")
			}
		}
		me.at = csCheck
	case csAsk:
		if inA && w.locked {
			return nil
		}
		if inA && w.closing {
			return e.gone(w, i, true)
		}
		me.at = csSleep
	case csMark:
		if w.word.owner == 0 {
			me.at = csLook
			break
		}
		unmarked := w.word.waiters
		w.word.waiters = true
		me.v, me.at = w.word, csAsk
		if e.without == askFirst && inA && w.closing {
			w.word = me.v
			w.word.waiters = unmarked
			return e.gone(w, i, true)
		}
	case csSleep:
		if me.at = csSubmit; me.recalled {
			me.recalled, me.at, me.v = false, csLook, lockWord{}
		}
	case csSubmit:
		if me.at = csLook; w.word == me.v {
			me.at = csAsleep
		}
		me.v, me.slow = lockWord{}, true
	case csAsleep:
		if !w.dead {
			return nil
		}
		me.at = csLook // the tick: only who died owes a wake-up
	case csHeld:
		for j, o := range w.locker {
			if j != i && o.at == csHeld {
				e.Fail("lockers %d and %d hold the lock", i, j)
			}
		}
		if i == closeB1 && w.closer < ccClosed && !w.dead {
			return nil
		}
		return e.giveBack(w, i)
	case csBack:
		if e.without == noGiveBack {
			return e.gone(w, i, true)
		}
		me.sent = true
		if w.word.owner != mine { // somebody saw that we left, and took it
			return e.gone(w, i, true)
		}
		return e.giveBack(w, i)
	case csWake:
		var to []closeWorld
		for j := range w.locker {
			if w.locker[j].at == csAsleep {
				n := w
				n.locker[j].at = csLook
				to = append(to, e.gone(n, i, n.locker[i].sent)...)
			}
		}
		if to == nil {
			to = e.gone(w, i, me.sent)
		}
		return to
	default:
		return nil
	}
	return []closeWorld{w}
}

// giveBack frees the lock, which locker i has.
func (e *closeExplorer) giveBack(w closeWorld, i int) []closeWorld {
	if w.word.owner != ownerOfLocker(i) {
		e.Fail("locker %d has the lock, and the word says %d", i, w.word.owner)
	}
	w.word.owner = 0
	if w.word.waiters {
		w.word.waiters, w.locker[i].at = false, csWake
		return []closeWorld{w}
	}
	return e.gone(w, i, w.locker[i].sent)
}

// gone ends locker i; sent: with ErrClosed.
func (e *closeExplorer) gone(w closeWorld, i int, sent bool) []closeWorld {
	if sent && !w.closing {
		e.Fail("locker %d is sent away, and the handle is not closed", i)
	}
	w.locker[i] = closeLocker{at: csEnd}
	return []closeWorld{w}
}

// closeNext is the closer's next step.
func (e *closeExplorer) closeNext(w closeWorld) []closeWorld {
	a := w.locker[closeA1 : closeA2+1]
	users := 0
	for _, l := range a {
		if l.using {
			users++
		}
	}
	switch w.closer {
	case ccHide:
		w.locked, w.hidden, w.closer = true, e.without != noHide, ccLook
	case ccLook:
		if w.closer = ccShut; w.word.owner == 1 {
			w.closer = ccRefused
		}
	case ccRefused:
		w.hidden, w.locked, w.closer = false, false, ccHide
	case ccShut:
		w.hidden, w.closing, w.locked, w.closer = true, true, false, ccWait
	case ccWait:
		switch {
		case users == 0 || e.without == noUserWait:
			w.closer = ccLeave
		case e.without == noRecall || e.without == recallOnce && w.once:
			return nil
		default:
			w.closer = ccRecall
		}
	case ccRecall:
		for i := range a {
			if l := &w.locker[closeA1+i]; l.at >= csLook && l.at <= csAsleep {
				l.recalled = true
			}
		}
		w.once = e.without == recallOnce
		w.closer = ccWakeAll
	case ccWakeAll:
		for i := range w.locker {
			if l := &w.locker[i]; l.at == csAsleep && e.without != recallNoWake {
				l.at, l.recalled = csLook, false
			}
		}
		w.closer = ccWait
	case ccLeave:
		w.left, w.closer = true, ccClosed
		for i, l := range a {
			switch {
			case l.at == csHeld:
				e.Fail("the handle has left, and locker %d holds the lock", i)
			case l.using:
				e.Fail("the handle has left, and locker %d is at work on its record", i)
			}
		}
	default:
		return nil
	}
	return []closeWorld{w}
}

// next returns all that can come next of w, and whether everybody is at the end.
func (e *closeExplorer) next(w closeWorld) (all []closeWorld, ended bool) {
	ended = w.closer == ccClosed || w.dead
	for i := range w.locker {
		if w.locker[i].at != csEnd {
			ended = false
			all = append(all, e.step(w, i)...)
		}
	}
	if !w.dead {
		all = append(all, e.closeNext(w)...)
	}
	if w.left {
		for i := range w.locker[:closeB1] {
			if w.locker[i].at == csHeld {
				e.Fail("the handle has left, and locker %d holds the lock", i)
			}
		}
	}
	if ended && w.word.owner != 0 && !w.dead {
		e.Fail("nobody holds the lock in the end, and the word says %d", w.word.owner)
	}
	if e.kill && !w.dead {
		n := w
		n.dead, n.locked = true, false
		for i := range n.locker[:closeB1] {
			n.dirty = n.dirty || n.locker[i].at == csHeld
			n.locker[i] = closeLocker{at: csEnd}
		}
		all = append(all, n)
	}
	return all, ended
}

// closeCase is what an exploration has.
type closeCase struct {
	kill   bool
	absent []int // lockers
	held   bool  // A's second locker holds the lock already
}

var closeCases = []closeCase{
	{absent: []int{closeB2}}, {absent: []int{closeA2}}, {held: true},
	{kill: true, absent: []int{closeB2}}, {kill: true, absent: []int{closeA2}},
}

// exploreClose returns what is wrong, "" if nothing is.
func exploreClose(without string, c closeCase) (fault string, states int) {
	e := &closeExplorer{without: without, kill: c.kill}
	e.Next = e.next
	var first closeWorld
	first.closer = ccHide
	for _, i := range c.absent {
		first.locker[i].at = csEnd
	}
	if c.held {
		first.word.owner, first.locker[closeA2].at = 1, csHeld
	}
	return e.Run(first)
}

func TestCloseIsRightInEveryOrder(t *testing.T) {
	cases := closeCases
	if shmtest.Soaking() {
		cases = append(cases, closeCase{kill: true})
	}
	for _, c := range cases {
		fault, states := exploreClose("", c)
		if fault != "" {
			t.Errorf("%+v: %s", c, fault)
		}
		if states < 1000 {
			t.Errorf("only %d states", states)
		}
		t.Logf("%+v: %d states", c, states)
	}
}

func TestEveryStepOfCloseIsNeeded(t *testing.T) {
	for _, without := range []string{
		noHide, noSecondLook, noDecision, noGiveBack, noUserWait, noRecall, recallOnce, recallNoWake, askFirst, leftIsDead, leftUnmarked, deadIsLeft,
	} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault := ""
			for _, c := range closeCases {
				if fault == "" {
					fault, _ = exploreClose(without, c)
				}
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
