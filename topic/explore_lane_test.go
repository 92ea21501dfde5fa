package topic

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A lane whose messages stand in their slots, of two words each; a publisher, and who adopts the
// lane when it is killed; a reliable subscriber and one of best effort. What must hold:
//
//   - what is read is whole, and is what was published under its number;
//   - a number is published once, a batch all at once;
//   - a reliable subscriber finds nothing overwritten; one of best effort counts as missed
//     what was published, and nothing else;
//   - the history up to the tail is there, always;
//   - whatever happens, all that is left gets published, and everybody gets to its end.

const (
	xLaneRing  = 4 // at most
	xLaneItems = 6 // at most
)

type xLaneSlot struct{ word, a, b int8 }

type xLaneWorld struct {
	slot      [xLaneRing]xLaneSlot
	tail      int8
	reclaimed int8
	p         xLanePublisher
	s         [2]xLaneSubscriber // reliable, best effort
	kills     int8
	items     int8                 // that were begun to be published
	published [xLaneItems + 2]int8 // by number, what was; only known to the explorer
}

type xLanePublisher struct {
	at                xLaneStep
	tail, bound, m    int8
	k, j, first, slot int8
}

type xLaneSubscriber struct {
	at     xLaneStep
	cursor int8
	v      int8 // that it reads
	a, b   int8
}

type xLaneStep uint8

const (
	xLaneAdopt xLaneStep = iota
	xLaneForward
	xLaneForwardStore
	xLaneCheck
	xLaneClear
	xLaneBound
	xLaneBoundCursor
	xLaneIdle
	xLaneRoom
	xLaneReclaim
	xLaneReclaimed
	xLaneWord
	xLaneA
	xLaneB
	xLaneDone
	xLaneTail
	xLaneEnd

	xLaneLook
	xLaneReadA
	xLaneReadB
	xLaneAgain
	xLaneCursor
	xLaneSkip
)

const (
	xLaneNoWord      = "writing without saying so in the word first"
	xLaneDoneFirst   = "the word before the message"
	xLaneNoAgain     = "copying without a second look"
	xLaneBatchOrder  = "a batch from its first message on"
	xLaneNoForward   = "adopting without going forward"
	xLaneNoClear     = "adopting without clearing"
	xLaneNoTail      = "publishing without a tail"
	xLaneNoStore     = "adopting without storing the tail"
	xLaneNoCursors   = "room without a look at cursors"
	xLaneSkipFar     = "skipping beyond the tail"
	xLaneSkipShort   = "skipping to the tail at most"
	xLaneCursorFirst = "the cursor before the copy"
)

type xLane struct {
	testenv.Search[xLaneWorld]
	without              string
	ring, history, items int8
	batches              []int8
	kills                int8
}

func (e *xLane) next(w xLaneWorld) (to []xLaneWorld, ended bool) {
	e.last(&w)
	ended = w.p.at == xLaneEnd
	for i, s := range w.s {
		ended = ended && s.at == xLaneLook && w.published[s.cursor/2] == 0
		to = append(to, e.take(w, i)...)
	}
	to = append(to, e.publish(w)...)
	if w.kills < e.kills && w.p.at != xLaneEnd {
		n := w
		n.kills++
		n.p = xLanePublisher{at: xLaneAdopt}
		to = append(to, n)
	}
	return to, ended
}

func xLaneCase(name string, long bool, ring, history, items, kills int8, batches ...int8) xCase {
	return xCase{name, long, func(without string) (string, int) {
		e := &xLane{without: without, ring: ring, history: history, items: items, kills: kills, batches: batches}
		e.Next = e.next
		w := xLaneWorld{reclaimed: 2}
		w.s[0] = xLaneSubscriber{at: xLaneLook, cursor: 2}
		w.s[1] = w.s[0]
		return e.Run(w)
	}}
}

var xLaneCases = []xCase{
	xLaneCase("two slots, no kill", false, 2, 0, 4, 0, 1, 2),
	xLaneCase("two slots, a kill", false, 2, 0, 4, 1, 1, 2),
	xLaneCase("two slots, two kills", false, 2, 0, 4, 2, 1, 2),
	xLaneCase("two slots, history of one, two kills", false, 2, 1, 4, 2, 1),
	xLaneCase("four slots, history of one, a kill", false, 4, 1, 5, 1, 1, 3),
	xLaneCase("four slots, history of one, two kills", true, 4, 1, 6, 2, 1, 2, 3),
}

func TestALaneIsRightInEveryOrder(t *testing.T) { xRight(t, xLaneCases) }

func TestEveryStepOfALaneIsNeeded(t *testing.T) {
	xNeeded(t, xLaneCases, xLaneNoWord, xLaneDoneFirst, xLaneNoAgain, xLaneBatchOrder, xLaneNoForward, xLaneNoClear,
		xLaneNoTail, xLaneNoStore, xLaneNoCursors, xLaneSkipFar, xLaneSkipShort, xLaneCursorFirst)
}
