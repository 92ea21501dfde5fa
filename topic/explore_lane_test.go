package topic

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A lane whose messages stand in their slots, of two words each; a publisher, and who adopts the
// lane when it is killed; a reliable subscriber and one of best effort; and others that join, and are
// gone again. What must hold:
//
//   - what is read is whole, and is what was published under its number;
//   - a number is published once, a batch all at once;
//   - a reliable subscriber finds nothing erased, also not who has just joined; one of best effort
//     counts as missed what was published, and nothing else;
//   - the history up to the tail is there, and not erased, always;
//   - whatever happens, all that is left gets published, and everybody gets to its end.

const (
	xLaneRing  = 4 // at most
	xLaneItems = 7 // at most
)

type xLaneSlot struct{ word, a, b int8 }

type xLaneWorld struct {
	slot                    [xLaneRing]xLaneSlot
	tail, reclaimed, erased int8
	joins                   int8
	p                       xLanePublisher
	s                       [2]xLaneSubscriber // reliable, best effort
	j                       [2]xLaneJoiner
	kills, fails            int8
	items                   int8                 // that were begun to be published
	published               [xLaneItems + 2]int8 // by number, what was; only known to the explorer
}

type xLanePublisher struct {
	at                             xLaneStep
	tail, bound, reclaimed, erased int8
	m, joins                       int8
	k, j, first, slot              int8
	behind                         int8 // words that a batch that failed may have left
	again                          bool // the second look at cursors
}

type xLaneSubscriber struct {
	at     xLaneStep
	cursor int8
	n      int8    // messages that it has copied, from the cursor on
	a, b   [2]int8 // them
	m      int8    // an end, or what erased was
}

// An xLaneJoiner is a seat of somebody reliable that joins, reads nothing, and leaves.
type xLaneJoiner struct {
	at     xLaneStep
	binds  bool
	cursor int8
}

type xLaneStep uint8

const (
	xLaneAdopt xLaneStep = iota
	xLaneForward
	xLaneReclaimedRead
	xLaneErasedRead
	xLaneCursors
	xLaneCheck
	xLaneClear
	xLaneIdle
	xLaneRoom
	xLaneReclaim
	xLaneReclaimed
	xLaneJoins
	xLaneForget
	xLaneErase
	xLaneA
	xLaneB
	xLaneDone
	xLaneTail
	xLaneEnd

	xLaneLook
	xLaneReadA
	xLaneReadB
	xLaneNext
	xLaneAgain
	xLaneCursor
	xLaneSkip
	xLaneSkipTo

	xLaneOut
	xLaneBind
	xLaneCount
	xLaneUp
	xLaneJoined
	xLaneGone
)

const (
	xLaneNoErase     = "writing without erasing first"
	xLaneEraseLate   = "erasing after writing"
	xLaneEraseHalf   = "erasing in the middle of writing"
	xLaneEraseFirst  = "erasing the slot of a batch's first message only"
	xLaneEraseShort  = "erasing up to the message before"
	xLaneEraseBeyond = "erasing above the bound"
	xLaneDoneFirst   = "the word before the message"
	xLaneNoAgain     = "copying without a look at erased"
	xLaneAgainFirst  = "a look at erased before copying"
	xLaneSeveralLast = "of several messages a look at the last"
	xLaneBatchOrder  = "a batch from its first message on"
	xLaneLeft        = "leaving what a batch that failed has written"
	xLaneNoForward   = "adopting without going forward"
	xLaneNoClear     = "adopting without clearing"
	xLaneNoTail      = "publishing without a tail"
	xLaneNoStore     = "adopting without storing the tail"
	xLaneNoCursors   = "room without a look at cursors"
	xLaneErasedBack  = "adopting with erased set back to the bound"
	xLaneReclaimBack = "reclaimed set back"
	xLaneSkipFar     = "skipping beyond the tail"
	xLaneSkipShort   = "skipping to the tail at most"
	xLaneSkipEarly   = "skipping to a tail that was read before the word"
	xLaneCursorFirst = "the cursor before the copy"
)

type xLane struct {
	testenv.Search[xLaneWorld]
	without              string
	ring, history, items int8
	batches              []int8
	kills, fails         int8 // fails: batches that are given up by who goes on living
	stride               int8 // of Erase
	far                  int8 // how far behind erased Skip goes at most
	several              int8 // messages that are copied at once at most
	joiners              int8
	alone                bool // nobody reads but those of the joiners who are there
}

func (e *xLane) next(w xLaneWorld) (to []xLaneWorld, ended bool) {
	e.check(&w)
	ended = w.p.at == xLaneEnd
	for i, s := range w.s {
		if e.alone {
			break
		}
		ended = ended && s.at == xLaneLook && w.published[s.cursor/2] == 0
		to = append(to, e.take(w, i)...)
	}
	for i := range w.j[:e.joiners] {
		to = append(to, e.join(w, i)...)
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

func xLaneCase(name string, long bool, e xLane, batches ...int8) xCase {
	return xCase{name, long, func(without string) (string, int) {
		e := e
		e.without, e.batches, e.several = without, batches, max(1, e.several)
		e.Next = e.next
		w := xLaneWorld{reclaimed: 2, erased: 2}
		w.s[0] = xLaneSubscriber{at: xLaneLook, cursor: 2}
		w.s[1] = w.s[0]
		for i := range w.j {
			w.j[i].at = xLaneOut
		}
		return e.Run(w)
	}}
}

var xLaneCases = []xCase{
	xLaneCase("one slot, two kills", false, xLane{ring: 1, items: 4, kills: 2, far: 2}, 1),
	xLaneCase("two slots, no kill", false, xLane{ring: 2, items: 4, far: 4}, 1, 2),
	xLaneCase("two slots, a kill", false, xLane{ring: 2, items: 4, kills: 1, far: 4, several: 2}, 1, 2),
	xLaneCase("two slots, a stride of two, two kills", false, xLane{ring: 2, items: 4, kills: 2, stride: 4, far: 2}, 1, 2),
	xLaneCase("two slots, history of one, two kills", false, xLane{ring: 2, history: 1, items: 4, kills: 2, stride: 2}, 1),
	xLaneCase("four slots, a batch fails, a kill", false, xLane{ring: 4, items: 4, kills: 1, fails: 1}, 1, 3),
	xLaneCase("four slots, a batch fails", false, xLane{ring: 4, items: 5, fails: 1, stride: 2}, 1, 3),
	xLaneCase("two slots, somebody joins, a kill", false, xLane{ring: 2, items: 4, kills: 1, stride: 2, joiners: 1}, 2),
	xLaneCase("two slots, two join, a kill", false, xLane{ring: 2, items: 5, kills: 1, joiners: 2, alone: true}, 1),
	xLaneCase("four slots, history of one, a kill", true, xLane{ring: 4, history: 1, items: 5, kills: 1, stride: 4, far: 2}, 1, 3),
	xLaneCase("four slots, history of one, two kills", true, xLane{ring: 4, history: 1, items: 6, kills: 2, stride: 4, far: 2, several: 2}, 1, 2, 3),
	xLaneCase("two slots, history of one, two join, a kill", true, xLane{ring: 2, history: 1, items: 5, kills: 1, stride: 2, joiners: 2, alone: true}, 1),
}

func TestALaneIsRightInEveryOrder(t *testing.T) { xRight(t, xLaneCases) }

func TestEveryStepOfALaneIsNeeded(t *testing.T) {
	xNeeded(t, xLaneCases, xLaneNoErase, xLaneEraseLate, xLaneEraseHalf, xLaneEraseFirst, xLaneEraseShort, xLaneEraseBeyond,
		xLaneDoneFirst, xLaneNoAgain, xLaneAgainFirst, xLaneSeveralLast, xLaneBatchOrder, xLaneLeft, xLaneNoForward, xLaneNoClear,
		xLaneNoTail, xLaneNoStore, xLaneNoCursors, xLaneErasedBack, xLaneReclaimBack, xLaneSkipFar, xLaneSkipShort, xLaneSkipEarly,
		xLaneCursorFirst)
}
