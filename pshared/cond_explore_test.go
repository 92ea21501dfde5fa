package pshared

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of Cond at small size: one process with two goroutines and one with one wait for a
// token each, a third process puts three of them and signals each, or puts them at once and
// broadcasts; in every order, with up to two kills of processes between any two steps. The mutex
// is one step here; explore_test.go has its own. Goroutines may give up. What must hold:
//
//   - nobody takes a signal that was given before it came, but from who gave up;
//   - no member has more signals than goroutines that wait;
//   - with the tick, who lives sleeps at the end only if there is no token, or if the mutex
//     tells the next one of a death, or the signal that was due was never begun;
//   - without deaths, also without the tick.

const (
	coWaiters = 3 // of them two are of process 0
	coProcs   = 3 // the last one signals
	coSignals = coProcs - 1
)

var coProcOf = [coWaiters]int{0, 0, 1}

type condStep uint8

const (
	coLock condStep = iota
	coCheck
	coCount
	coUnlock
	coLook
	coMark
	coSleep
	coAsleep
	coParked
	coGiveUp
	coRelock
	coTake
	coEnd
)

// The signaller.
const (
	cgLock uint8 = iota
	cgPut
	cgUnlock
	cgBegin
	cgTry
	cgWake
	cgGive
	cgNext
	cgEnd
)

// What a process with sleepers does every tick.
const (
	ctIdle uint8 = iota
	ctClosed
	ctGiven
)

type condEntry struct {
	waiting, signals int8
	sleeps           bool
	broadcast        bool
}

type condWaiter struct {
	at     condStep
	v      condEntry
	place  int8 // in the queue, from 1; 0: it is not in it
	heard  bool // a signal was given while it waited
	gaveUp bool
}

type condWorld struct {
	tokens, left int8
	owner        int8 // of the mutex: waiter + 1, or coWaiters + 1
	excused      bool
	kills        int8
	patience     int8 // who will still give up
	e            [coProcs]condEntry
	dead         [coProcs]bool
	tick         [coProcs]uint8
	cleaner      [coProcs]int8 // who cleans it, process + 1
	m            [coWaiters]condWaiter
	s            uint8
	sv           condEntry
	si           int8
	given        bool
}

type condExplorer struct {
	without   string
	broadcast bool
	tick      bool
	kills     int8
	testenv.Search[condWorld]
}

const (
	coNoQueue     = "taking a signal out of turn"
	coEarly       = "taking the signal before the mutex"
	coUnlockFirst = "unlocking before being counted"
	coNoMark      = "sleeping without the mark"
	coNoCompare   = "sleeping without comparing the word"
	coNoWake      = "signalling without waking"
	coWakeFirst   = "waking before the signal is given"
	coBlindGiveUp = "giving up without a look at the signals"
	coNoTick      = "no tick"
	coNoSweep     = "a tick that does not look after the dead"
	coNoClose     = "cleaning without an end of being given signals"
	coNoInherit   = "cleaning without giving signals away"
	coClearFirst  = "cleaning before giving signals away"
	coNoBroadcast = "broadcasting without saying so"
)

// first reports whether waiter i is the first of its process's queue.
func (w *condWorld) first(i int) bool {
	for j, o := range w.m {
		if j != i && coProcOf[j] == coProcOf[i] && o.place > 0 && o.place < w.m[i].place {
			return false
		}
	}
	return true
}

func (w *condWorld) leave(i int) {
	for j := range w.m {
		if coProcOf[j] == coProcOf[i] && w.m[j].place > w.m[i].place {
			w.m[j].place--
		}
	}
	w.m[i].place, w.m[i].heard = 0, false
}

// wake wakes the first of a process, if it sleeps.
func (w *condWorld) wake(proc int) {
	for j := range w.m {
		if coProcOf[j] == proc && w.m[j].at == coAsleep {
			w.m[j].at = coLook
		}
	}
}

// free reports whether the mutex can be had.
func (w *condWorld) free() bool { return w.owner == 0 }

func (e *condExplorer) signalled(w *condWorld, proc int, n int8) {
	w.e[proc].signals, w.e[proc].sleeps = n, false
	for j := range w.m {
		if coProcOf[j] == proc && w.m[j].place > 0 {
			w.m[j].heard = true
		}
	}
}

func (e *condExplorer) take(w *condWorld, i int) {
	p := &w.e[coProcOf[i]]
	if p.signals == 0 {
		e.Fail("waiter %d takes a signal, and there is none", i)
		return
	}
	p.waiting--
	p.signals--
	if !w.m[i].heard {
		e.Fail("waiter %d takes a signal that was given before it came", i)
	}
}

func (e *condExplorer) step(w condWorld, i int) (to []condWorld) {
	me := &w.m[i]
	proc := coProcOf[i]
	p := &w.e[proc]
	giveUp := func() {
		if w.patience == 0 {
			return
		}
		n := w
		n.patience--
		n.m[i].at = coGiveUp
		to = append(to, n)
	}
	switch me.at {
	case coLock:
		if !w.free() {
			return nil
		}
		w.owner, me.at = int8(i+1), coCheck
	case coCheck:
		switch me.at = coCount; {
		case w.tokens > 0:
			w.tokens--
			w.owner, me.at = 0, coEnd
		case me.gaveUp:
			w.owner, me.at = 0, coEnd
		case e.without == coUnlockFirst:
			w.owner = 0
		}
	case coCount:
		p.waiting++
		me.place = 1
		for j, o := range w.m {
			if j != i && coProcOf[j] == proc && o.place >= me.place {
				me.place = o.place + 1
			}
		}
		me.at = coUnlock
	case coUnlock:
		if w.owner == int8(i+1) {
			w.owner = 0
		}
		me.at = coLook
	case coLook:
		giveUp()
		me.v = *p
		first := w.first(i) || e.without == coNoQueue
		switch {
		case first && p.signals > 0 && e.without == coEarly:
			e.take(&w, i)
			w.leave(i)
			me.at = coRelock
		case first && p.signals > 0:
			me.at = coRelock
		case !first:
			me.at = coParked
		case p.sleeps || e.without == coNoMark:
			me.at = coSleep
		default:
			me.at = coMark
		}
	case coMark:
		if me.at = coLook; p.waiting == me.v.waiting && p.signals == me.v.signals && p.sleeps == me.v.sleeps {
			p.sleeps, me.at = true, coSleep
		}
	case coSleep:
		if me.at = coLook; p.signals == 0 && (p.sleeps || e.without == coNoMark) || e.without == coNoCompare {
			me.at = coAsleep
		}
	case coAsleep, coParked:
		giveUp()
		if me.at == coParked && w.first(i) {
			me.at = coLook
			to = append(to, w)
		}
		return to
	case coGiveUp:
		me.gaveUp = true
		if p.signals >= p.waiting && e.without != coBlindGiveUp {
			me.at = coRelock // it has one
			break
		}
		p.waiting--
		for j := range w.m { // what it may have been given is theirs
			w.m[j].heard = w.m[j].heard || me.heard && coProcOf[j] == proc && w.m[j].place > 0
		}
		w.leave(i)
		me.at = coEnd
	case coRelock:
		if !w.free() {
			return nil
		}
		w.owner = int8(i + 1)
		if me.at = coTake; e.without == coEarly && me.place == 0 {
			me.at = coCheck
		}
	case coTake:
		e.take(&w, i)
		w.leave(i)
		me.at = coCheck
	default:
		return nil
	}
	return append(to, w)
}

// signaller is a step of who puts tokens.
func (e *condExplorer) signaller(w condWorld) []condWorld {
	const mine = coWaiters + 1
	found := func() {
		w.s = cgWake
		if !w.sv.sleeps || e.without == coNoWake {
			w.s = cgNext
		}
	}
	switch w.s {
	case cgLock:
		if !w.free() {
			return nil
		}
		w.owner, w.s = mine, cgPut
	case cgPut:
		n := int8(1)
		if e.broadcast {
			n = w.left
		}
		w.tokens += n
		w.left -= n
		w.s = cgUnlock
	case cgUnlock:
		w.owner, w.s, w.si, w.given = 0, cgBegin, 0, false
	case cgBegin:
		if w.s = cgTry; e.broadcast && e.without != coNoBroadcast {
			w.e[coSignals].broadcast = true
		}
		if e.broadcast {
			w.given = true // it is begun
		}
	case cgTry:
		p := &w.e[w.si]
		switch w.sv = *p; {
		case p.signals >= p.waiting:
			w.s = cgNext
		case e.without == coWakeFirst && p.sleeps:
			w.wake(int(w.si))
			w.s = cgGive
		default:
			n := p.signals + 1
			if e.broadcast {
				n = p.waiting
			}
			e.signalled(&w, int(w.si), n)
			w.given = true
			found()
			if w.s == cgNext && !e.broadcast {
				w.si = coSignals // done
			}
		}
	case cgGive: // out of order
		w.s = cgTry
		if w.e[w.si] == w.sv {
			e.signalled(&w, int(w.si), w.sv.signals+1)
			if w.given, w.s = true, cgNext; !e.broadcast {
				w.si = coSignals
			}
		}
	case cgWake:
		asleep := false
		for j, o := range w.m {
			asleep = asleep || coProcOf[j] == int(w.si) && o.at == coAsleep
		}
		w.wake(int(w.si))
		w.s = cgNext
		if !e.broadcast && (asleep || !w.dead[w.si] || w.cleaner[w.si] != 0) {
			w.si = coSignals
		}
	case cgNext:
		w.sv = condEntry{}
		if w.si++; w.si < coSignals {
			w.s = cgTry
			break
		}
		w.e[coSignals].broadcast = false
		if w.s, w.si = cgLock, 0; w.left == 0 {
			w.s = cgEnd
		}
	}
	return []condWorld{w}
}

// inherit gives to others what a dead process was to do.
func (e *condExplorer) inherit(w *condWorld, proc int) {
	for q := range coSignals {
		if q == proc {
			continue
		}
		for p := w.e[q]; p.signals < p.waiting && (w.e[proc].broadcast || w.e[proc].signals > 0); p = w.e[q] {
			e.signalled(w, q, p.signals+1)
			w.wake(q)
			if !w.e[proc].broadcast {
				break
			}
		}
	}
}

// ticks is what process proc does while somebody sleeps, or has to be cleaned up after.
func (e *condExplorer) ticks(w condWorld, proc int) (to []condWorld) {
	if !e.tick || e.without == coNoTick || w.dead[proc] {
		return nil
	}
	asleep := false
	for j, o := range w.m {
		asleep = asleep || coProcOf[j] == proc && o.at == coAsleep
	}
	if asleep && w.e[proc].signals > 0 {
		n := w
		n.wake(proc)
		to = append(to, n)
	}
	for d := range w.dead {
		p := &w.e[d]
		switch {
		case !w.dead[d] || e.without == coNoSweep:
		case w.cleaner[d] == 0 && (asleep && (p.signals > 0 || p.broadcast) || p.waiting > 0): // or for who joins
			n := w
			n.cleaner[d] = int8(proc + 1)
			n.tick[d] = ctClosed
			if e.without != coNoClose {
				n.e[d].waiting = n.e[d].signals
			}
			to = append(to, n)
		case w.cleaner[d] != int8(proc+1):
		case w.tick[d] == ctClosed:
			n := w
			if n.tick[d] = ctGiven; e.without == coClearFirst {
				// The same two steps, the other way round, with what was read in sv's place.
				kept := n.e[d]
				n.e[d] = condEntry{}
				n.cleaner[d], n.tick[d] = 0, ctIdle
				lost := n // killed here
				if lost.kills < e.kills {
					e.kill(&lost, proc)
					to = append(to, lost)
				}
				n.e[d] = kept
				e.inherit(&n, d)
				n.e[d] = condEntry{}
			} else if e.without != coNoInherit {
				e.inherit(&n, d)
			}
			to = append(to, n)
		case w.tick[d] == ctGiven:
			n := w
			n.e[d] = condEntry{}
			n.cleaner[d], n.tick[d] = 0, ctIdle
			to = append(to, n)
		}
	}
	return to
}

// kill kills a process.
func (e *condExplorer) kill(w *condWorld, proc int) {
	w.kills++
	w.dead[proc] = true
	for j := range w.m {
		if coProcOf[j] == proc && proc != coSignals {
			if w.owner == int8(j+1) {
				w.owner, w.excused = 0, true // the mutex tells
			}
			w.m[j] = condWaiter{at: coEnd}
		}
	}
	if proc == coSignals {
		if w.owner == coWaiters+1 {
			w.owner, w.excused = 0, true
		}
		if w.s != cgEnd && (w.s > cgPut || w.left < 3) && !w.given {
			w.excused = true // the signal was not begun
		}
		w.s, w.sv, w.si = cgEnd, condEntry{}, 0
	}
	for d := range w.cleaner {
		if w.cleaner[d] == int8(proc+1) {
			w.cleaner[d], w.tick[d] = 0, ctIdle
		}
	}
}

// order puts the two goroutines of process 0 in an order that does not depend on which is
// which.
func (w *condWorld) order() {
	key := func(m condWaiter) (n int) {
		for _, f := range []int8{int8(m.at), m.place, m.v.waiting, m.v.signals} {
			n = n*16 + int(f)
		}
		for _, b := range []bool{m.heard, m.gaveUp, m.v.sleeps} {
			if n *= 2; b {
				n++
			}
		}
		return n
	}
	if key(w.m[0]) <= key(w.m[1]) {
		return
	}
	w.m[0], w.m[1] = w.m[1], w.m[0]
	if w.owner == 1 || w.owner == 2 {
		w.owner = 3 - w.owner
	}
}

func (e *condExplorer) explore(w condWorld) (to []condWorld, ended bool) {
	if w.excused {
		return nil, true
	}
	for q := range coSignals {
		if w.e[q].signals > w.e[q].waiting {
			e.Fail("process %d has %d signals for %d who wait", q, w.e[q].signals, w.e[q].waiting)
		}
	}
	ended = w.s == cgEnd
	if w.s != cgEnd {
		to = append(to, e.signaller(w)...)
	}
	for i := range w.m {
		switch w.m[i].at {
		case coEnd:
			continue
		case coAsleep, coParked:
			ended = ended && w.tokens == 0
		default:
			ended = false
		}
		to = append(to, e.step(w, i)...)
	}
	for proc := range w.dead {
		to = append(to, e.ticks(w, proc)...)
		if w.kills < e.kills && !w.dead[proc] {
			n := w
			e.kill(&n, proc)
			to = append(to, n)
		}
	}
	for i := range to {
		for j := range to[i].m {
			if m := &to[i].m[j]; m.at != coMark {
				m.v = condEntry{}
			}
		}
		to[i].order()
	}
	return to, ended
}

// exploreCond is with so many kills, and with so many who give up: a state that only a kill
// or giving up gets out of is stuck when there are none left.
func exploreCond(without string, broadcast, tick bool, kills, patience int8) (fault string, states int) {
	e := &condExplorer{without: without, broadcast: broadcast, tick: tick, kills: kills}
	e.Next = e.explore
	return e.Run(condWorld{left: 3, patience: patience})
}

func TestCondIsRightInEveryOrder(t *testing.T) {
	for _, broadcast := range []bool{false, true} {
		for _, c := range []struct {
			tick            bool
			kills, patience int8
		}{{false, 0, 0}, {false, 0, 1}, {true, 0, 1}, {true, 1, 1}, {true, 2, 0}, {true, 2, 1}} {
			fault, states := exploreCond("", broadcast, c.tick, c.kills, c.patience)
			if fault != "" {
				t.Errorf("broadcast %t, tick %t, %d kills, %d give up: %s", broadcast, c.tick, c.kills, c.patience, fault)
			}
			if states < 500 {
				t.Errorf("only %d states", states)
			}
			t.Logf("broadcast %t, tick %t, %d kills, %d give up: %d states", broadcast, c.tick, c.kills, c.patience, states)
		}
	}
}

func TestEveryStepOfCondIsNeeded(t *testing.T) {
	for _, without := range []string{
		coNoQueue, coEarly, coUnlockFirst, coNoMark, coNoCompare, coNoWake, coWakeFirst, coBlindGiveUp, coNoTick, coNoSweep, coNoClose,
		coNoInherit, coClearFirst, coNoBroadcast,
	} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault := ""
			for kills := int8(0); fault == "" && kills <= 2; kills++ {
				for n := 0; fault == "" && n < 4; n++ {
					fault, _ = exploreCond(without, n&1 != 0, kills > 0, kills, int8(n/2))
				}
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
