package pshared

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of Event at small size: three waiters of a process each, one who sets it twice,
// and one who resets it once, in every order, with kills between any two steps. What must
// hold:
//
//   - auto: of each setting at most one waiter goes on;
//   - manual: nobody goes on before it was set;
//   - with the tick, who lives sleeps at the end only if there is nothing to wake it for;
//   - without deaths, also without the tick.

const (
	evWaiters = 3
	evSetter  = evWaiters
	evReset   = evWaiters + 1
	evMembers = evWaiters + 2
)

type eventStep uint8

const (
	evBegin eventStep = iota // waiter: notes the count
	evLook
	evTake
	evMark
	evSleep
	evAsleep
	evLoad // setter
	evCAS
	evWake
	evClear
	evDoReset // resetter
	evEnd
)

type eventState struct {
	set, sleeps bool
	count       int8
}

type eventMember struct {
	at     eventStep
	v      eventState
	noted  int8
	since  int8 // as noted, whatever the protocol makes of it
	looked int8 // by its process's tick
}

type eventWorld struct {
	word  eventState
	left  int8 // what the setter will still set
	sets  int8 // from not set
	taken int8
	kills int8
	m     [evMembers]eventMember
}

type eventExplorer struct {
	without string
	auto    bool
	tick    bool
	kills   int8
	testenv.Search[eventWorld]
}

const (
	evNoCAS      = "taking it by a store"
	evNoMark     = "sleeping without the mark"
	evNoCompare  = "sleeping without comparing the word"
	evNoWake     = "setting without waking"
	evWakeFirst  = "waking before it is set"
	evOneWoken   = "waking one of those who wait for a manual event"
	evDropMark   = "setting an auto event without keeping the mark"
	evTakeMark   = "taking it without keeping the mark"
	evBlindClear = "clearing the mark by a store"
	evNoCount    = "waiting for the bit alone"
	evBitLook    = "a tick that looks at the bit alone"
	evNoLook     = "no tick"
)

// idle reports whether waiter i has nothing to wait for but another setting.
func (e *eventExplorer) idle(w *eventWorld, i int) bool {
	me := &w.m[i]
	return me.at == evAsleep && !w.word.set && (e.auto || me.since == w.sets)
}

func (e *eventExplorer) step(w eventWorld, i int) (to []eventWorld) {
	me := &w.m[i]
	switch me.at {
	case evBegin:
		me.noted, me.since, me.at = w.word.count, w.sets, evLook
	case evLook:
		me.v = w.word
		switch {
		case me.v.set && e.auto:
			if me.at = evTake; e.without != evNoCAS {
				return e.step(w, i) // at once
			}
		case me.v.set, !e.auto && e.without != evNoCount && me.v.count != me.noted:
			if w.sets == 0 {
				e.Fail("waiter %d goes on, and nobody has set it", i)
			}
			me.at = evEnd
		case me.v.sleeps || e.without == evNoMark:
			me.at = evSleep
		default:
			me.at = evMark
		}
	case evTake:
		w.word.set = false
		if e.without == evTakeMark {
			w.word.sleeps = false
		}
		w.taken++
		me.at = evEnd
	case evMark:
		n := me.v
		n.sleeps = true
		if me.at = evLook; w.word == me.v {
			w.word, me.v, me.at = n, n, evSleep
		}
	case evSleep:
		if me.at = evLook; w.word == me.v || e.without == evNoCompare {
			me.at = evAsleep
		}
	case evAsleep:
		if !e.tick {
			return nil
		}
		see := w.word.set
		if !e.auto && e.without != evBitLook {
			see = see || !w.word.sleeps || w.word.count != me.looked
		}
		me.looked = w.word.count
		if see {
			me.at = evLook
		}
	case evLoad:
		me.v = w.word
		switch {
		case w.left == 0:
			me.at = evEnd
		case me.v.set:
			w.left--
		case e.without == evWakeFirst && me.v.sleeps:
			return e.wake(w, i, evCAS)
		default:
			me.at = evCAS
		}
	case evCAS:
		n := eventState{set: true, sleeps: me.v.sleeps && e.auto && e.without != evDropMark, count: me.v.count + 1}
		if me.at = evLoad; w.word == me.v {
			w.word = n
			w.left--
			w.sets++
			if me.v.sleeps && e.without != evNoWake && e.without != evWakeFirst {
				me.v, me.at = n, evWake
			}
		}
	case evWake:
		return e.wake(w, i, evLoad)
	case evClear:
		if me.at = evLoad; w.word == me.v || e.without == evBlindClear {
			w.word.sleeps = false
		}
	case evDoReset:
		w.word.set = false
		me.at = evEnd
	default:
		return nil
	}
	if w.taken > w.sets {
		e.Fail("taken %d times, set %d times", w.taken, w.sets)
	}
	return append(to, w)
}

// wake is all the results of the setter's wake-up, which goes on at then.
func (e *eventExplorer) wake(w eventWorld, i int, then eventStep) (to []eventWorld) {
	if !e.auto && e.without != evOneWoken {
		for j := range evWaiters {
			if w.m[j].at == evAsleep {
				w.m[j].at = evLook
			}
		}
		w.m[i].at = then
		return []eventWorld{w}
	}
	for j := range evWaiters {
		if w.m[j].at == evAsleep {
			n := w
			n.m[j].at, n.m[i].at = evLook, then
			to = append(to, n)
		}
	}
	if to == nil {
		if w.m[i].at = then; e.auto {
			w.m[i].at = evClear
		}
		to = append(to, w)
	}
	return to
}

// plain is w without what nobody will look at any more.
func (e *eventExplorer) plain(w eventWorld) eventWorld {
	for i := range w.m {
		switch me := &w.m[i]; me.at {
		case evEnd:
			*me = eventMember{at: evEnd}
		case evMark, evSleep, evCAS, evWake, evClear:
		default:
			me.v = eventState{}
		}
		if e.auto {
			w.m[i].noted, w.m[i].since, w.m[i].looked = 0, 0, 0
		}
	}
	return w
}

func (e *eventExplorer) explore(w eventWorld) (to []eventWorld, ended bool) {
	ended = true
	for i := range w.m {
		if w.m[i].at == evEnd {
			continue
		}
		ended = ended && e.idle(&w, i)
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills {
			n := w
			n.m[i] = eventMember{at: evEnd}
			n.kills++
			to = append(to, n)
		}
	}
	for i := range to {
		to[i] = e.plain(to[i])
	}
	return to, ended
}

func exploreEvent(without string, auto, tick bool, kills int8) (fault string, states int) {
	e := &eventExplorer{without: without, auto: auto, tick: tick, kills: kills}
	e.Next = e.explore
	w := eventWorld{left: 2}
	w.m[evSetter].at, w.m[evReset].at = evLoad, evDoReset
	return e.Run(w)
}

func TestEventIsRightInEveryOrder(t *testing.T) {
	for _, c := range []struct {
		auto, tick bool
		kills      int8
	}{{false, false, 0}, {true, false, 0}, {false, true, 0}, {true, true, 0}, {false, true, 2}, {true, true, 2}} {
		fault, states := exploreEvent("", c.auto, c.tick, c.kills)
		if fault != "" {
			t.Errorf("auto %t, tick %t, %d kills: %s", c.auto, c.tick, c.kills, fault)
		}
		if states < 500 {
			t.Errorf("only %d states", states)
		}
		t.Logf("auto %t, tick %t, %d kills: %d states", c.auto, c.tick, c.kills, states)
	}
}

func TestEveryStepOfEventIsNeeded(t *testing.T) {
	const manual, auto = 1, 2
	for without, where := range map[string]int{
		evNoCAS: auto, evNoMark: manual | auto, evNoCompare: manual | auto, evNoWake: manual | auto, evWakeFirst: manual | auto,
		evOneWoken: manual, evDropMark: auto, evTakeMark: auto, evBlindClear: auto, evNoCount: manual, evBitLook: manual, evNoLook: manual | auto,
	} {
		for _, which := range []int{manual, auto} {
			if where&which == 0 {
				continue
			}
			t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
				fault, _ := exploreEvent(without, which == auto, false, 0)
				if fault == "" {
					fault, _ = exploreEvent(without, which == auto, without != evNoLook, 2)
				}
				if fault == "" {
					t.Errorf("auto %t: nothing is wrong with %s", which == auto, without)
				}
				t.Log(fault)
			})
		}
	}
}
