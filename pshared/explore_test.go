package pshared

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of Mutex at small size: three members that each take the lock, repair what a
// dead owner left, and give it back, in every order, with up to two kills between any
// two steps; and four, without kills. What must hold:
//
//   - at most one living member holds the lock, and it is told if the one before died;
//   - a lock that was given back to somebody in a hurry is not taken by who has not slept;
//   - with the tick, everybody who lives gets to the end from every state;
//   - without deaths, also without the tick.
//
// Every step that is taken out must break one of these.

const exploreMembers = 4 // at most

type lockStep uint8

const (
	lkFast lockStep = iota
	lkLook
	lkTake
	lkMark
	lkSleep
	lkAsleep
	lkNap // a newcomer's polite sleep, which ends by itself
	lkHeld
	lkRepair
	lkAbandon
	lkUnlock
	lkFree
	lkWake
	lkEnd
)

// lockWord is the state word, taken apart.
type lockWord struct {
	owner   int8 // member + 1
	waiters bool
	incons  bool
	lost    bool // not recoverable
}

type lockMember struct {
	at   lockStep
	v    lockWord // as it was seen
	told bool     // ErrOwnerDead
	slow bool     // it has slept
	dead bool
}

type lockWorld struct {
	word  lockWord
	hurry bool
	dirty bool // somebody died holding it, and nobody has repaired since
	gate  bool // it was given back while somebody was in a hurry, and not taken since
	kills int8
	m     [exploreMembers]lockMember
}

type lockExplorer struct {
	testenv.Search[lockWorld]
	without string
	tick    bool
	kills   int8
	quits   bool
}

// lockCase is what an exploration has.
type lockCase struct {
	members int
	tick    bool
	kills   int8
	quits   bool // the first may give up when it sleeps, or is about to
}

// The steps that can be left out.
const (
	noDeathLook  = "taking over without a look whether the owner is dead"
	noCAS        = "taking over by a store"
	noMark       = "sleeping without the waiters mark"
	noCompare    = "sleeping without comparing the word"
	noWake       = "unlocking without waking"
	wakeFirst    = "waking before the lock is free"
	dropMark     = "unlocking without keeping the waiters mark for who is in a hurry"
	noTell       = "taking over without a mark that the state is inconsistent"
	noTakeOver   = "no taking over"
	quitUnmarked = "giving up, after having been woken, without a mark"
	sleptNoMark  = "taking a free lock without a mark after having slept"
)

// step returns what member i's next step can lead to.
func (e *lockExplorer) step(w lockWorld, i int) (to []lockWorld) {
	me := &w.m[i]
	mine := int8(i + 1)
	cas := func(old, new lockWord) bool {
		if w.word == old {
			w.word = new
			return true
		}
		return false
	}
	take := func(incons bool) {
		if w.gate && !me.slow {
			e.Fail("member %d takes the lock before who is in a hurry", i)
		}
		me.told, me.at, w.gate = incons, lkHeld, false
		if me.slow {
			w.hurry = false
		}
		if w.dirty && !incons {
			e.Fail("member %d holds the lock and is not told that an owner died", i)
		}
	}
	switch me.at {
	case lkFast:
		if me.at = lkLook; cas(lockWord{}, lockWord{owner: mine}) {
			take(false)
		}
	case lkLook:
		me.v = w.word
		dead := me.v.owner > 0 && (w.m[me.v.owner-1].dead || e.without == noDeathLook)
		switch {
		case me.v.lost:
			me.at = lkEnd
		case me.v.owner == 0 && w.hurry && !me.slow:
			me.at = lkNap
		case me.v.owner == 0 || dead && e.without != noTakeOver:
			me.at = lkTake
		case me.v.waiters || e.without == noMark:
			me.at = lkSleep
		default:
			me.at = lkMark
			if e.quits && i == 0 && e.without == quitUnmarked {
				n := w
				n.m[i].at = lkEnd
				to = append(to, n)
			}
		}
	case lkTake:
		v := me.v
		n := lockWord{owner: mine, incons: v.incons, waiters: me.slow && e.without != sleptNoMark}
		if v.owner != 0 {
			n.incons, n.waiters = e.without != noTell, true
		}
		me.at = lkLook
		if v.owner != 0 && e.without == noCAS {
			w.word = n
			take(n.incons)
		} else if cas(v, n) {
			take(n.incons)
		}
	case lkMark:
		n := me.v
		n.waiters = true
		if me.at = lkLook; cas(me.v, n) {
			me.v, me.at = n, lkSleep
		}
	case lkSleep:
		if e.quits && i == 0 {
			n := w
			n.m[i].at = lkEnd
			to = append(to, n)
		}
		if me.at = lkLook; w.word == me.v || e.without == noCompare {
			me.at = lkAsleep
		}
	case lkAsleep:
		if e.quits && i == 0 {
			n := w
			n.m[i].at = lkEnd
			to = append(to, n)
		}
		if !e.tick {
			return to
		}
		me.at, me.slow = lkLook, true
		n := w
		n.hurry = true // it may have waited for long
		to = append(to, n)
	case lkNap:
		me.at, me.slow = lkLook, true
	case lkHeld:
		for j, o := range w.m {
			if j != i && !o.dead && (o.at == lkHeld || o.at == lkRepair) {
				e.Fail("members %d and %d hold the lock", i, j)
			}
		}
		if me.at = lkUnlock; me.told {
			n := w
			n.m[i].at = lkRepair // or not: then the lock is lost
			to = append(to, n)
			n.m[i].at = lkAbandon
			to = append(to, n)
		}
	case lkRepair:
		w.word.incons, w.dirty = false, false
		me.told, me.at = false, lkUnlock
	case lkAbandon:
		v := w.word
		w.word = lockWord{incons: true}
		me.told = false
		if me.at = lkEnd; v.waiters {
			me.at = lkWake
		}
	case lkUnlock:
		me.v = w.word
		if me.v.owner != mine {
			e.Fail("member %d holds the lock, and the word says %+v", i, me.v)
		}
		if me.at = lkFree; e.without == wakeFirst && me.v.waiters {
			to = append(to, e.wake(w, i, lkFree)...)
			return to
		}
	case lkFree:
		n := lockWord{waiters: me.v.waiters && w.hurry && e.without != dropMark, lost: me.v.incons}
		if n.lost {
			n = lockWord{lost: true}
		}
		me.at = lkUnlock
		if cas(me.v, n) {
			w.gate = me.v.waiters && w.hurry && !n.lost
			switch me.at = lkEnd; {
			case n.lost:
				for j := range w.m { // all are woken
					if w.m[j].at == lkAsleep {
						w.m[j].at, w.m[j].slow = lkLook, true
					}
				}
			case me.v.waiters && e.without != noWake && e.without != wakeFirst:
				me.at = lkWake
			}
		}
	case lkWake:
		return e.wake(w, i, lkEnd)
	default:
		return nil
	}
	return append(to, w)
}

// wake wakes one of those who sleep, any, and goes on at then.
func (e *lockExplorer) wake(w lockWorld, i int, then lockStep) (to []lockWorld) {
	for j := range w.m {
		if w.m[j].at == lkAsleep || w.m[j].at == lkNap {
			for _, hurry := range []bool{w.hurry, true} {
				n := w
				n.hurry = hurry
				n.m[j].at, n.m[j].slow = lkLook, true
				n.m[i].at = then
				to = append(to, n)
			}
		}
	}
	if to == nil {
		w.m[i].at = then
		to = append(to, w)
	}
	return to
}

// next returns what can come of w, deaths included.
func (e *lockExplorer) next(w lockWorld) (to []lockWorld, ended bool) {
	ended = true
	for i := range w.m {
		if w.m[i].at == lkEnd {
			continue
		}
		ended = false
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills {
			n := w
			n.m[i].dead, n.m[i].at = true, lkEnd
			n.kills++
			n.dirty = n.dirty || n.word.owner == int8(i+1)
			to = append(to, n)
		}
	}
	return to, ended
}

// exploreLock returns what is wrong, "" if nothing is.
func exploreLock(without string, c lockCase) (fault string, states int) {
	e := &lockExplorer{without: without, tick: c.tick, kills: c.kills, quits: c.quits}
	e.Next = e.next
	var first lockWorld
	for i := c.members; i < exploreMembers; i++ {
		first.m[i].at = lkEnd
	}
	return e.Run(first)
}

func TestMutexIsRightInEveryOrder(t *testing.T) {
	for _, c := range []lockCase{
		{members: 3}, {members: 4}, {members: 4, quits: true},
		{members: 3, tick: true}, {members: 3, tick: true, kills: 1}, {members: 3, tick: true, kills: 2},
	} {
		fault, states := exploreLock("", c)
		if fault != "" {
			t.Errorf("%+v: %s", c, fault)
		}
		if states < 500 {
			t.Errorf("only %d states", states)
		}
		t.Logf("%+v: %d states", c, states)
	}
}

// The tick is what frees those whom a death leaves asleep.
func TestMutexNeedsTheTickForDeaths(t *testing.T) {
	if fault, _ := exploreLock("", lockCase{members: 3, kills: 1}); !strings.Contains(fault, "stuck") {
		t.Errorf("without the tick: %q", fault)
	}
}

func TestEveryStepOfMutexIsNeeded(t *testing.T) {
	for _, without := range []string{
		noDeathLook, noCAS, noMark, noCompare, noWake, wakeFirst, dropMark, noTell, noTakeOver, quitUnmarked, sleptNoMark,
	} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault := ""
			for _, c := range []lockCase{{members: 3}, {members: 3, tick: true, kills: 2}, {members: 4, quits: true}} {
				if fault == "" {
					fault, _ = exploreLock(without, c)
				}
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
