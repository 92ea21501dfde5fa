package topic

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// Lanes with room for one message, publishers that sleep for room, and subscribers that sleep
// for messages, of which some leave; the words they sleep at. What must hold:
//
//   - without deaths and without the tick, everybody gets to its end: all that is published is
//     read by everybody who is there;
//   - with deaths it needs the tick, and with it everybody who lives gets there.
//
// A lane is the number of messages that were published; a dead subscriber is evicted in one step.
//
// Words and cursors are stored without a fence: the processor keeps the store back, for who made it sees it, and
// others see it some time later. A fence waits for that, and so does whatever compares and changes a word. What the dead have
// stored is seen all the same.

const (
	xBellLanes = 2
	xBellSeats = 3
)

type xBellWorld struct {
	bell   int8 // bit 0, and twice the count
	room   [xBellLanes]int8
	word   [xBellLanes]int8
	cursor [xBellSeats][xBellLanes]int8
	mode   [xBellSeats]int8
	p      [xBellLanes]xBellPublisher
	s      [xBellSeats]xBellSubscriber
	kills  int8
}

type xBellPublisher struct {
	at, then xBellStep
	dead     bool
	i        int8
	once     bool // looks once more, and sleeps
	note     int8
	held     int8 // messages whose word others don't see yet
}

type xBellSubscriber struct {
	at, then xBellStep
	dead     bool
	i        int8
	once     bool
	note     int8
	seen     int8 // what it rings
	held     int8 // by how much a cursor is further than others see yet
	heldAt   int8 // of which lane
}

type xBellStep uint8

const (
	xBellIdle xBellStep = iota
	xBellRoom
	xBellMark
	xBellSleep
	xBellAsleep
	xBellWord
	xBellFence
	xBellRing
	xBellCompare
	xBellWake
	xBellEnd

	xBellLook
	xBellCursor
	xBellLeave
	xBellLeaveRing
)

const (
	xBellNoBit       = "sleeping without the bit"
	xBellNoOnce      = "sleeping without looking once more"
	xBellNoSame      = "sleeping without comparing the word"
	xBellNoCount     = "ringing without counting"
	xBellPlain       = "ringing without comparing"
	xBellNoFence     = "ringing without a fence behind the word"
	xBellRoomNoFence = "ringing without a fence behind the cursor"
	xBellNoRing      = "publishing without ringing"
	xBellRingFirst   = "ringing before publishing"
	xBellWakeOne     = "waking one"
	xBellRoomNoRing  = "reading without ringing"
	xBellRoomFirst   = "ringing before the cursor is stored"
	xBellLeaveNoRing = "leaving without ringing"
	xBellLeaveFirst  = "ringing before leaving"
	xBellLeaveOne    = "leaving, and ringing one lane"
)

type xBell struct {
	testenv.Search[xBellWorld]
	without              string
	lanes, effort, seats int8
	items                [xBellLanes]int8
	leaves               bool
	tick                 bool
	kills                int8
}

func (e *xBell) next(w xBellWorld) (to []xBellWorld, ended bool) {
	ended = true
	for l := range e.lanes {
		if w.p[l].held > 0 {
			n := w
			n.showWord(l)
			to = append(to, n)
		}
		p := w.p[l]
		ended = ended && p.at == xBellEnd
		if p.at == xBellEnd {
			continue
		}
		to = append(to, e.publish(w, l)...)
		if w.kills < e.kills {
			n := w
			n.kills++
			n.showWord(l)
			n.p[l] = xBellPublisher{at: xBellEnd, dead: true}
			to = append(to, n)
		}
		if e.tick && p.at == xBellAsleep && !e.full(&w, l) {
			n := w
			n.p[l].at = xBellIdle
			to = append(to, n)
		}
	}
	for i := range e.seats {
		if w.s[i].held > 0 {
			n := w
			n.showCursor(i)
			to = append(to, n)
		}
		s := w.s[i]
		if s.at == xBellEnd {
			continue
		}
		ended = ended && s.at == xBellAsleep && !e.behind(&w, i)
		to = append(to, e.subscribe(w, i)...)
		if w.kills < e.kills {
			n := w
			n.kills++
			n.showCursor(i)
			n.s[i] = xBellSubscriber{at: xBellEnd, dead: true}
			to = append(to, n)
		}
		if e.tick && s.at == xBellAsleep && e.behind(&w, i) {
			n := w
			n.s[i].at = xBellLook
			to = append(to, n)
		}
	}
	return to, ended
}

func xBellCase(name string, long bool, e xBell) xCase {
	return xCase{name, long, func(without string) (string, int) {
		e := e
		e.without = without
		e.Next = e.next
		var w xBellWorld
		for i := range e.seats {
			w.s[i].at = xBellLook
			if i >= e.effort {
				w.mode[i] = 1
			}
		}
		for l := e.lanes; l < xBellLanes; l++ {
			w.p[l].at = xBellEnd
		}
		return e.Run(w)
	}}
}

var xBellCases = []xCase{
	xBellCase("a lane, one, no kill", false, xBell{lanes: 1, seats: 1, items: [2]int8{3}}),
	xBellCase("a lane, two reliable, no kill", false, xBell{lanes: 1, seats: 2, items: [2]int8{2}, leaves: true}),
	xBellCase("two lanes, one, who leaves, no kill", false, xBell{lanes: 2, seats: 1, items: [2]int8{1, 2}, leaves: true}),
	xBellCase("two lanes, two, no kill", false, xBell{lanes: 2, seats: 2, effort: 1, items: [2]int8{1, 1}}),
	xBellCase("a lane, two, two kills", false, xBell{lanes: 1, seats: 2, effort: 1, items: [2]int8{2}, kills: 2, tick: true}),
	xBellCase("a lane, three, no kill", true, xBell{lanes: 1, seats: 3, effort: 1, items: [2]int8{2}}),
	xBellCase("two lanes, two, a kill", true, xBell{lanes: 2, seats: 2, effort: 1, items: [2]int8{2, 1}, kills: 1, tick: true}),
}

func TestSleepersAreWokenInEveryOrder(t *testing.T) { xRight(t, xBellCases) }

func TestEveryStepOfWakingIsNeeded(t *testing.T) {
	xNeeded(t, xBellCases, xBellNoBit, xBellNoOnce, xBellNoSame, xBellNoCount, xBellNoFence, xBellNoRing, xBellRingFirst, xBellWakeOne,
		xBellRoomNoFence, xBellRoomNoRing, xBellRoomFirst, xBellLeaveNoRing, xBellLeaveFirst, xBellLeaveOne)
}

// It takes two who publish, one of them twice, and two who sleep.
func TestRingingComparesTheWord(t *testing.T) {
	xNeeded(t, []xCase{
		xBellCase("two lanes, two of best effort", false, xBell{lanes: 2, seats: 2, effort: 2, items: [2]int8{1, 2}}),
	}, xBellPlain)
}

func TestSleepersNeedTheTickForDeaths(t *testing.T) {
	e := xBell{lanes: 1, seats: 2, effort: 1, items: [2]int8{2}, kills: 1}
	if fault, _ := xBellCase("", false, e).run(""); !strings.Contains(fault, "stuck") {
		t.Errorf("without the tick: %q", fault)
	}
}
