package pshared

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of CountingSemaphore at small size: two tokens, that the first member has taken and
// posts one by one, and two more that each wait for one, perhaps give up, and settle it; whoever
// is told of lost tokens posts them. Sweepers, as many as there may be dead, clean records,
// and may be stopped for ever once
// their tag is set. What must hold, in every order, with up to two kills of anybody:
//
//   - a member that is at rest has in its account what it has, and never less;
//   - there are never fewer tokens, with all that is in accounts of the dead or among the lost,
//     than there were, and no more but for what dying in the middle of a step entered in an
//     account in advance: no death is told of twice or not at all;
//   - with the tick, everybody who lives gets to the end from every state;
//   - without deaths, also without the tick.
//
// Every step that is taken out must break one of these.

const (
	cwMembers  = 3
	cwSweepers = 2
	cwTokens   = 2
	cwStopped  = -1
)

type cwStep uint8

const (
	cwLook cwStep = iota
	cwEnter
	cwTake
	cwLate // cwNoIntent
	cwUndo
	cwPassOn // it has a token, and others may want the rest
	cwMark
	cwSleep
	cwAsleep
	cwQuit
	cwHold
	cwSettle
	cwWake
	cwTell
	cwTellSwap
	cwTellUndo
	cwHelp // the first of four
	cwHelp2
	cwHelp3
	cwHelp4
	cwEnd
)

// A cwHelper is what who clears an account with a tag knows.
type cwHelper struct {
	lost    cwLost // as it was seen
	account int8
}

type cwLost struct {
	n, tag int8 // tag: slot + 1
}

type cwMember struct {
	at    cwStep
	has   int8 // tokens that it took, or was told of, and has not posted
	done  bool // it took one itself
	slept bool
	wake  bool
	dead  bool
	cwHelper
}

type cwSweeper struct {
	at   int8 // 0 idle, or cwStopped
	slot int8
	cwHelper
}

type cwWorld struct {
	tokens  int8
	waiters bool
	lost    cwLost
	settled int8
	kills   int8
	slack   int8 // what the dead had entered in advance
	account [cwMembers]int8
	cleaned [cwMembers]bool
	m       [cwMembers]cwMember
	s       [cwSweepers]cwSweeper
}

type cwExplorer struct {
	testenv.Search[cwWorld]
	without string
	tick    bool
	kills   int8
}

// The steps that can be left out.
const (
	cwNoIntent   = "taking before the account"
	cwPostLate   = "posting after the account"
	cwNoTag      = "adding a dead member's account without a tag"
	cwClearFirst = "clearing a dead member's account before it is added"
	cwNoHelp     = "no clearing by who finds the tag of another"
	cwNoBit      = "sleeping without the mark"
	cwNoSame     = "sleeping without comparing the word"
	cwNoWake     = "posting without waking"
	cwNoPassOn   = "taking after a sleep without waking the next"
	cwNoBitAgain = "taking after a sleep without the mark"
	cwQuitMute   = "being sent away without waking the next"
	cwToldMute   = "being told of lost tokens without entering them"
	cwNoSweep    = "no sweeping"
	cwNobodyTold = "telling nobody"
	cwTellStore  = "being told without comparing what is lost"
)

// wake returns what waking one of the sleepers, any, can lead to.
func (w cwWorld) wake() (to []cwWorld) {
	for i := range w.m {
		if w.m[i].at == cwAsleep {
			n := w
			n.m[i].at, n.m[i].slept = cwLook, true
			to = append(to, n)
		}
	}
	if to == nil {
		to = append(to, w)
	}
	return to
}

// help does step k of clearing the account of the one with the tag; done: the last, or it is
// not needed.
func (e *cwExplorer) help(w *cwWorld, h *cwHelper, k int) (done bool) {
	slot := h.lost.tag - 1
	switch k {
	case 0:
		h.account = w.account[slot]
	case 1:
		return w.lost != h.lost
	case 2:
		if h.account > 0 {
			if w.account[slot] != h.account {
				return true
			}
			w.account[slot] = 0
		}
	case 3:
		if w.lost == h.lost {
			w.lost.tag = 0
		}
		return true
	}
	return false
}

// step returns what member i's next step can lead to.
func (e *cwExplorer) step(w cwWorld, i int) (to []cwWorld) {
	me, account := &w.m[i], &w.account[i]
	switch me.at {
	case cwLook:
		if i == 1 && me.slept { // the handle is closed, perhaps
			n := w
			n.m[i].at = cwQuit
			to = append(to, n)
		}
		me.lost = w.lost
		switch {
		case w.lost.tag != 0 && e.without == cwNoHelp:
			me.at = cwMark
		case w.lost.tag != 0:
			me.at = cwHelp
		case w.lost.n != 0 && e.without != cwNobodyTold:
			me.at = cwTell
		case w.tokens > 0:
			me.at = cwEnter
		default:
			me.at = cwMark
		}
		if me.at != cwHelp && me.at != cwTell {
			me.lost = cwLost{}
		}
	case cwEnter:
		if me.at = cwTake; e.without != cwNoIntent {
			*account++
		}
	case cwTake:
		if w.tokens == 0 {
			me.at = cwUndo
			break
		}
		w.tokens--
		me.has, me.done = me.has+1, true
		w.waiters = w.waiters || me.slept && e.without != cwNoBitAgain
		switch {
		case e.without == cwNoIntent:
			me.at = cwLate
		case me.slept && w.tokens > 0 && e.without != cwNoPassOn:
			me.at = cwPassOn
		default:
			me.at = cwHold
		}
	case cwLate:
		*account++
		me.at = cwHold
	case cwUndo:
		if me.at = cwLook; e.without != cwNoIntent {
			*account--
		}
	case cwPassOn:
		me.at = cwHold
		return w.wake()
	case cwMark:
		if me.at = cwLook; w.tokens == 0 {
			w.waiters = w.waiters || e.without != cwNoBit
			me.at = cwSleep
		}
	case cwSleep:
		if me.at = cwLook; w.tokens == 0 && (w.waiters || e.without == cwNoBit) || e.without == cwNoSame {
			me.at = cwAsleep
		}
		me.slept = true
	case cwAsleep:
		if i == 1 { // gives up, perhaps; the other has the patience to be stuck
			n := w
			n.m[i] = cwMember{at: cwEnd}
			to = append(to, n)
		}
		if e.tick && (w.tokens > 0 || w.lost.n > 0) { // look
			to = append(to, w.wake()...)
		}
		return to
	case cwQuit:
		if me.at = cwEnd; e.without != cwQuitMute {
			*me = cwMember{at: cwEnd}
			return w.wake()
		}
	case cwHold:
		me.slept = false
		switch {
		case me.has == 0 && me.done:
			me.at = cwEnd
		case me.has == 0:
			me.at = cwLook
		case i != 0 && me.done:
			*account -= me.has
			w.settled += me.has
			me.has, me.at = 0, cwEnd
		default:
			if me.at = cwSettle; e.without == cwPostLate {
				*account--
				break
			}
			w.tokens++
			me.has--
			me.wake, w.waiters = w.waiters && e.without != cwNoWake, false
		}
	case cwSettle:
		if me.at = cwHold; e.without == cwPostLate {
			w.tokens++
			me.has--
			me.wake, w.waiters = w.waiters, false
		} else {
			*account--
		}
		if me.wake {
			me.at = cwWake
		}
	case cwWake:
		me.wake, me.at = false, cwHold
		return w.wake()
	case cwTell:
		if me.at = cwTellSwap; e.without != cwToldMute {
			*account += me.lost.n
		}
	case cwTellSwap:
		if me.at = cwTellUndo; w.lost == me.lost || e.without == cwTellStore {
			w.lost = cwLost{}
			me.has += me.lost.n
			slept := me.slept
			me.lost, me.at = cwLost{}, cwHold
			if slept {
				return w.wake()
			}
		}
	case cwTellUndo:
		if e.without != cwToldMute {
			*account -= me.lost.n
		}
		me.lost, me.at = cwLost{}, cwLook
	case cwHelp, cwHelp2, cwHelp3, cwHelp4:
		if done := e.help(&w, &me.cwHelper, int(me.at-cwHelp)); done {
			me.cwHelper, me.at = cwHelper{}, cwLook
		} else {
			me.at++
		}
	default:
		return nil
	}
	if me.at == cwEnd {
		*me = cwMember{at: cwEnd}
	}
	return append(to, w)
}

// sweep returns what sweeper k's next step can lead to. At rest it begins with any dead
// member's record that nobody is at.
func (e *cwExplorer) sweep(w cwWorld, k int) (to []cwWorld) {
	s := &w.s[k]
	switch s.at {
	case 0:
		if !e.tick || e.without == cwNoSweep || k > 0 && w.s[k-1].at == 0 {
			return nil
		}
		for j := range w.m {
			taken := w.cleaned[j] || !w.m[j].dead
			for _, o := range w.s {
				taken = taken || o.at != 0 && int(o.slot) == j
			}
			if !taken {
				n := w
				n.s[k] = cwSweeper{at: 1, slot: int8(j)}
				to = append(to, n)
			}
		}
		return to
	case 1:
		if s.lost = w.lost; s.lost.tag != 0 && (int(s.lost.tag-1) == int(s.slot) || e.without != cwNoHelp) {
			s.at = 10
		} else if s.lost.tag == 0 {
			s.at = 2
		} else {
			return nil
		}
	case 2:
		s.account = w.account[s.slot]
		if s.at = 3; s.account <= 0 {
			s.at = 20
		}
	case 3:
		if e.without == cwClearFirst {
			w.account[s.slot] = 0
			s.at = 4
			break
		}
		s.at = 1
		if w.lost == s.lost {
			w.lost = cwLost{s.lost.n + s.account, s.slot + 1}
			if e.without == cwNoTag {
				w.lost.tag = 0
				s.at = 5
			}
		}
		if s.at == 1 {
			s.cwHelper = cwHelper{}
		}
	case 4: // cwClearFirst
		w.lost.n += s.account
		s.cwHelper, s.at = cwHelper{}, 1
	case 5: // cwNoTag
		w.account[s.slot] = 0
		s.cwHelper, s.at = cwHelper{}, 1
	case 10, 11, 12, 13:
		if done := e.help(&w, &s.cwHelper, int(s.at-10)); done {
			s.cwHelper, s.at = cwHelper{}, 1
		} else {
			s.at++
		}
	case 20:
		w.cleaned[s.slot] = true
		w.account[s.slot] = 0
		*s = cwSweeper{}
		if w.lost.n > 0 {
			return w.wake()
		}
	}
	return append(to, w)
}

// check finds what must not be.
func (e *cwExplorer) check(w cwWorld) {
	total := w.tokens + w.lost.n + w.settled
	for i, m := range w.m {
		switch {
		case m.dead && int(w.lost.tag) != i+1:
			total += w.account[i]
		case !m.dead:
			total += m.has
		}
		switch m.at {
		case cwTake, cwUndo, cwSettle, cwTellSwap, cwTellUndo, cwLate:
			if w.account[i] < m.has {
				e.Fail("member %d has %d, and its account says %d", i, m.has, w.account[i])
			}
		default:
			if !m.dead && w.account[i] != m.has {
				e.Fail("member %d, at rest, has %d, and its account says %d", i, m.has, w.account[i])
			}
		}
	}
	switch {
	case total < cwTokens:
		e.Fail("%d tokens of %d are left", total, cwTokens)
	case total > cwTokens+w.slack:
		e.Fail("%d tokens came of %d, and the dead had entered %d in advance", total, cwTokens, w.slack)
	}
}

// steps returns what anybody's next step, or death, can lead to.
func (e *cwExplorer) steps(w cwWorld) (to []cwWorld) {
	e.check(w)
	for i, m := range w.m {
		if m.at == cwEnd {
			continue
		}
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills {
			n := w
			n.slack += max(n.account[i]-m.has, 0)
			n.m[i] = cwMember{dead: true, at: cwEnd}
			n.kills++
			to = append(to, n)
		}
	}
	for k := range w.s {
		to = append(to, e.sweep(w, k)...)
		if w.s[k].at > 0 && w.kills < e.kills { // another takes its place, or can't
			n := w
			n.s[k] = cwSweeper{}
			n.kills++
			to = append(to, n)
			if w.lost.tag == w.s[k].slot+1 {
				n.s[k] = cwSweeper{at: cwStopped, slot: w.s[k].slot}
				to = append(to, n)
			}
		}
	}
	return to
}

func (w cwWorld) ended() bool {
	for _, m := range w.m {
		if m.at != cwEnd {
			return false
		}
	}
	return true
}

// exploreCounting explores with so many members.
func exploreCounting(without string, tick bool, kills int8, members int) (fault string, states int) {
	e := &cwExplorer{without: without, tick: tick, kills: kills}
	e.Next = func(w cwWorld) ([]cwWorld, bool) { return e.steps(w), w.ended() }
	w := cwWorld{}
	w.account[0], w.m[0] = cwTokens, cwMember{at: cwHold, has: cwTokens, done: true}
	for i := members; i < cwMembers; i++ {
		w.m[i].at = cwEnd
	}
	return e.Run(w)
}

func TestCountingSemaphoreIsRightInEveryOrder(t *testing.T) {
	for _, c := range []struct {
		tick    bool
		kills   int8
		members int
	}{{false, 0, 3}, {true, 0, 3}, {true, 1, 3}, {true, 2, 2}, {true, 2, 3}} {
		if c.kills == 2 && c.members == 3 && !testenv.Soaking() {
			continue // two million states
		}
		fault, states := exploreCounting("", c.tick, c.kills, c.members)
		if fault != "" {
			t.Errorf("tick %t, %d kills, %d members: %s", c.tick, c.kills, c.members, fault)
		}
		if states < 200 {
			t.Errorf("only %d states", states)
		}
		t.Logf("tick %t, %d kills, %d members: %d states", c.tick, c.kills, c.members, states)
	}
}

func TestCountingSemaphoreNeedsTheTickForDeaths(t *testing.T) {
	if fault, _ := exploreCounting("", false, 1, 3); !strings.Contains(fault, "stuck") {
		t.Errorf("without the tick: %q", fault)
	}
}

func TestEveryStepOfCountingSemaphoreIsNeeded(t *testing.T) {
	for _, without := range []string{
		cwNoIntent, cwPostLate, cwNoTag, cwClearFirst, cwNoHelp, cwNoBit, cwNoSame, cwNoWake, cwNoPassOn, cwNoBitAgain,
		cwQuitMute, cwToldMute, cwNoSweep, cwNobodyTold, cwTellStore,
	} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault := ""
			for kills := int8(0); kills <= 2 && fault == ""; kills++ {
				fault, _ = exploreCounting(without, kills > 0, kills, 3)
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
