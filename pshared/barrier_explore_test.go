package pshared

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of Barrier at small size: three members, of which two complete a phase. Each waits
// twice, may give up, and resets a barrier that is broken; in every order, with up to two
// kills between any two steps. What must hold:
//
//   - who is told that the phase is complete was in one that so many arrived in, and who is
//     told anything else was not;
//   - one death breaks one phase;
//   - with the tick, who lives sleeps at the end only if all parties live and too few arrive;
//   - without deaths, also without the tick.

const (
	baMembers = 3
	baParties = 2
	baRounds  = 2
)

type barrierStep uint8

const (
	baInside barrierStep = iota
	baLook
	baArrive
	baWake
	baSeen // waiting, before a look
	baMark
	baSleep
	baAsleep
	baGiveUp
	baLeave
	baSweep
	baResetLook
	baQuiet
	baReset
	baEnd
)

// What a goroutine's process does every tick while it sleeps.
const (
	tkIdle uint8 = iota
	tkFound
	tkWake
)

type barrierState struct {
	arrived, phase int8
	broken, sleeps bool
}

type barrierMember struct {
	at     barrierStep
	ticks  uint8
	v      barrierState
	seen   int8 // the phase in which a dead party was found
	phase  int8 // it arrived in
	period int8 // the same, counted also if the protocol does not; -1: it has not arrived
	rounds int8
	told   bool // ErrBroken
	inside bool
	dead   bool
	party  bool // until its record is cleaned
}

type barrierWorld struct {
	word   barrierState
	period int8 // ends of phases
	full   int8 // which periods were complete, as bits
	breaks int8
	kills  int8
	m      [baMembers]barrierMember
}

type barrierExplorer struct {
	without string
	tick    bool
	kills   int8
	testenv.Search[barrierWorld]
}

const (
	baNoBrokenLook = "arriving without a look whether it is broken"
	baNoCompare    = "sleeping without comparing the state"
	baNoMark       = "sleeping without the mark"
	baNoWake       = "completing without waking"
	baNoTake       = "giving up without taking the arrival back"
	baBlindTake    = "giving up without a look at the phase"
	baNoTick       = "no tick"
	baNoAsking     = "a tick that does not ask for the dead"
	baNoBrokenTick = "a tick that does not look whether it is broken"
	baBlindBreak   = "breaking whatever phase there is"
	baNoQuiet      = "resetting before all have been told"
	baSamePhase    = "resetting without a new phase"
	baNoSweep      = "resetting without cleaning the records of the dead"
	baKeepArrived  = "resetting without forgetting who had arrived"
)

// end ends the period.
func (e *barrierExplorer) endPeriod(w *barrierWorld, complete bool) {
	if complete {
		w.full |= 1 << w.period
	}
	w.period++
}

// done ends a Wait: it is told that the phase is complete, that it is broken, or has given up.
func (e *barrierExplorer) done(w *barrierWorld, i int, complete, broken bool) {
	me := &w.m[i]
	if was := me.period >= 0 && w.full&(1<<me.period) != 0; was != complete {
		e.Fail("member %d was in a phase that is complete (%t), and is told %t", i, was, complete)
	}
	me.told, me.at = broken, baLeave
}

func (e *barrierExplorer) breaks(w *barrierWorld) {
	if w.word.broken {
		return
	}
	w.word.broken, w.word.sleeps = true, false
	if w.breaks++; w.breaks > w.kills {
		e.Fail("%d phases are broken, and %d were killed", w.breaks, w.kills)
	}
}

func (e *barrierExplorer) wakeAll(w *barrierWorld) {
	for j := range w.m {
		if w.m[j].at == baAsleep {
			w.m[j].at = baSeen
		}
	}
}

func (e *barrierExplorer) step(w barrierWorld, i int) (to []barrierWorld) {
	me := &w.m[i]
	switch me.at {
	case baInside:
		me.inside, me.period, me.at = true, -1, baLook
	case baLook:
		me.v = w.word
		if me.at = baArrive; me.v.broken && e.without != baNoBrokenLook {
			e.done(&w, i, false, true)
		}
	case baArrive:
		if w.word != me.v {
			me.at = baLook
			break
		}
		me.phase, me.period = w.word.phase, w.period
		if me.v.arrived+1 < baParties {
			w.word.arrived++
			me.at = baSeen
			break
		}
		in := 0
		for _, o := range w.m {
			if o.period == w.period {
				in++
			}
		}
		if in != baParties {
			e.Fail("a phase is complete with %d in it", in)
		}
		w.word = barrierState{phase: me.v.phase + 1}
		e.endPeriod(&w, true)
		if me.at = baWake; !me.v.sleeps || e.without == baNoWake {
			e.done(&w, i, true, false)
		}
	case baWake:
		e.wakeAll(&w)
		e.done(&w, i, true, false)
	case baSeen:
		n := w // it gives up
		n.m[i].at = baGiveUp
		to = append(to, n)
		me.v = w.word
		switch {
		case me.v.phase != me.phase:
			e.done(&w, i, true, false)
		case me.v.broken:
			e.done(&w, i, false, true)
		case me.v.sleeps || e.without == baNoMark:
			me.at = baSleep
		default:
			me.at = baMark
		}
	case baMark:
		if me.at = baSeen; w.word == me.v {
			w.word.sleeps, me.v.sleeps, me.at = true, true, baSleep
		}
	case baSleep:
		now, seen := w.word, me.v
		now.arrived, seen.arrived = 0, 0
		if me.at = baSeen; now == seen || e.without == baNoCompare {
			me.at = baAsleep
		}
	case baAsleep:
		return nil
	case baGiveUp:
		switch {
		case w.word.phase != me.phase && e.without != baBlindTake:
			e.done(&w, i, true, false)
		case w.word.broken:
			e.done(&w, i, false, true)
		default:
			if e.without != baNoTake {
				w.word.arrived--
			}
			if me.period == w.period {
				me.period = -1
			}
			e.done(&w, i, false, false)
		}
	case baLeave:
		me.inside = false
		me.rounds++
		switch {
		case me.told:
			me.told, me.at = false, baSweep
		case me.rounds == baRounds:
			me.at = baEnd
		default:
			me.at = baInside
		}
	case baSweep:
		me.at = baResetLook
		for j := range w.m {
			if o := &w.m[j]; o.party && o.dead && e.without != baNoSweep {
				e.breaks(&w)
				e.wakeAll(&w)
				o.party, o.inside = false, false
			}
		}
	case baResetLook:
		me.v = w.word
		if me.at = baQuiet; !me.v.broken {
			if me.at = baInside; me.rounds >= baRounds {
				me.at = baEnd
			}
		}
	case baQuiet:
		me.at = baReset
		for j, o := range w.m {
			if j != i && o.inside && !o.dead && e.without != baNoQuiet {
				me.at = baSweep
			}
		}
	case baReset:
		if me.at = baSweep; w.word == me.v {
			n := barrierState{phase: w.word.phase + 1}
			if e.without == baSamePhase {
				n.phase--
			}
			if e.without == baKeepArrived {
				n.arrived = w.word.arrived
			}
			w.word = n
			e.endPeriod(&w, false)
		}
	default:
		return nil
	}
	return append(to, w)
}

// tickStep is what the process of member i does meanwhile. It may be late.
func (e *barrierExplorer) tickStep(w barrierWorld, i int) (to []barrierWorld) {
	me := &w.m[i]
	switch me.ticks {
	case tkIdle:
		if !e.tick || e.without == baNoTick || me.at != baAsleep {
			return nil
		}
		if w.word.broken {
			if e.without == baNoBrokenTick {
				return nil
			}
			me.ticks = tkWake
			break
		}
		for _, o := range w.m {
			if o.party && o.dead && e.without != baNoAsking {
				me.seen, me.ticks = w.word.phase, tkFound
			}
		}
		if me.ticks == tkIdle {
			return nil
		}
	case tkFound:
		if me.ticks = tkIdle; !w.word.broken && (w.word.phase == me.seen || e.without == baBlindBreak) {
			e.breaks(&w)
			me.ticks = tkWake
		}
	case tkWake:
		me.ticks = tkIdle
		e.wakeAll(&w)
	}
	return []barrierWorld{w}
}

// idle reports whether member i has nothing to wait for but arrivals.
func (e *barrierExplorer) idle(w *barrierWorld, i int) bool {
	me := &w.m[i]
	for _, o := range w.m {
		if o.party && o.dead {
			return false
		}
	}
	return me.at == baAsleep && me.period == w.period && !w.word.broken
}

// number is another for every state of a member.
func (m *barrierMember) number() (n uint64) {
	bit := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	for _, f := range []uint64{
		uint64(m.at), uint64(m.ticks), uint64(m.v.arrived), uint64(m.v.phase), bit(m.v.broken), bit(m.v.sleeps), uint64(m.seen), uint64(m.phase),
		uint64(m.period + 1), uint64(m.rounds), bit(m.told), bit(m.inside), bit(m.dead), bit(m.party),
	} {
		n = n*16 + f
	}
	return n
}

// plain is w without what nobody will look at any more, and with the members in an order
// that does not depend on which is which.
func (e *barrierExplorer) plain(w barrierWorld) barrierWorld {
	for i := range w.m {
		me := &w.m[i]
		switch me.at {
		case baArrive, baMark, baSleep, baReset, baQuiet:
		default:
			me.v = barrierState{}
		}
		switch me.at {
		case baSeen, baMark, baSleep, baAsleep, baGiveUp:
		default:
			me.phase = 0
		}
		if me.ticks != tkFound {
			me.seen = 0
		}
		if me.at == baEnd {
			me.rounds = 0
		}
		if me.period >= 0 && me.period < w.period && (me.at == baEnd || !me.inside) {
			me.period = -1
		}
	}
	slices.SortFunc(w.m[:], func(a, b barrierMember) int { return cmp.Compare(a.number(), b.number()) })
	return w
}

func (e *barrierExplorer) explore(w barrierWorld) (to []barrierWorld, ended bool) {
	ended = true
	for i := range w.m {
		to = append(to, e.tickStep(w, i)...)
		if w.m[i].at == baEnd {
			continue
		}
		ended = ended && e.idle(&w, i)
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills {
			n := w
			n.m[i].dead, n.m[i].at, n.m[i].ticks = true, baEnd, tkIdle
			n.kills++
			to = append(to, n)
		}
	}
	for i := range to {
		to[i] = e.plain(to[i])
	}
	return to, ended
}

func exploreBarrier(without string, tick bool, kills int8) (fault string, states int) {
	e := &barrierExplorer{without: without, tick: tick, kills: kills}
	e.Next = e.explore
	var w barrierWorld
	for i := range w.m {
		w.m[i].party, w.m[i].period = true, -1
	}
	return e.Run(w)
}

func TestBarrierIsRightInEveryOrder(t *testing.T) {
	for _, c := range []struct {
		tick  bool
		kills int8
	}{{false, 0}, {true, 0}, {true, 1}, {true, 2}} {
		fault, states := exploreBarrier("", c.tick, c.kills)
		if fault != "" {
			t.Errorf("tick %t, %d kills: %s", c.tick, c.kills, fault)
		}
		if states < 500 {
			t.Errorf("only %d states", states)
		}
		t.Logf("tick %t, %d kills: %d states", c.tick, c.kills, states)
	}
}

func TestEveryStepOfBarrierIsNeeded(t *testing.T) {
	for _, without := range []string{
		baNoBrokenLook, baNoCompare, baNoMark, baNoWake, baNoTake, baBlindTake, baNoTick, baNoAsking, baNoBrokenTick, baBlindBreak,
		baNoQuiet, baSamePhase, baNoSweep, baKeepArrived,
	} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault, _ := exploreBarrier(without, false, 0)
			for kills := int8(1); fault == "" && kills <= 2; kills++ {
				fault, _ = exploreBarrier(without, true, kills)
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
