package topic

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A lane of two slots, seats, and subscribers that join late, read, leave, or are killed and
// evicted; a publisher that sleeps for room, leaves or is killed, and the next one. What must hold:
//
//   - a reliable subscriber finds nothing erased or overwritten from its first cursor on;
//   - who joins has the history, as far as the tail is then; the history up to the tail is there;
//   - nobody who is dead, evicting or evicted, is in anybody's way for ever;
//   - nobody takes a seat from somebody who lives, nor what stands in it;
//   - without deaths no tick is needed: nobody sleeps while there is room.
//
// A message is its slot's word, and nothing else. That reclaimed must not go back is shown by xLane,
// at smaller size.

const (
	xJoinSlots   = 2
	xJoinSeats   = 2
	xJoinMembers = 3 // subscribers at most
	xJoinFirst   = 5 // the id of the first subscriber; publishers have those below
)

type xJoinSeat struct{ owner, mode, cursor int8 }

type xJoinWorld struct {
	word      [xJoinSlots]int8
	tail      int8
	reclaimed int8
	erased    int8
	joins     int8
	highest   int8
	room      bool // bit 0
	seat      [xJoinSeats]xJoinSeat
	p         xJoinPublisher
	s         [xJoinMembers]xJoinSubscriber
	kills     int8
}

type xJoinPublisher struct {
	at                    xJoinStep
	id                    int8
	tail, bound, m, joins int8
	said                  int8 // that is reclaimed
	high, i, mode         int8
	holds                 uint8 // seats that hold it up
	look                  int8  // 0 adopting, 1 first, 2 once more
	bit                   bool  // it has set bit 0
	same                  bool  // and the word is as it was
	left                  bool  // somebody has left the lane
	evicted               bool
}

type xJoinSubscriber struct {
	at         xJoinStep
	dead       bool
	seat, seen int8
	m          int8
	ends       bool
}

type xJoinStep uint8

const (
	xJoinAdopt xJoinStep = iota
	xJoinReclaimedRead
	xJoinHigh
	xJoinMode
	xJoinCursor
	xJoinIdle
	xJoinRoom
	xJoinReclaim
	xJoinLate
	xJoinReclaimed
	xJoinJoins
	xJoinFull
	xJoinEvict
	xJoinEvictMode
	xJoinEvictOwner
	xJoinBit
	xJoinSleep
	xJoinAsleep
	xJoinErase
	xJoinDone
	xJoinTail
	xJoinEnd

	xJoinSeen
	xJoinClaim
	xJoinUnbind
	xJoinTailRead
	xJoinStore
	xJoinRaise
	xJoinBind
	xJoinCount
	xJoinCompare
	xJoinUp
	xJoinUpRing
	xJoinLook
	xJoinAgain
	xJoinTake
	xJoinRing
	xJoinWake
	xJoinLeave
	xJoinFree
)

const (
	xJoinNoJoins      = "joining without counting"
	xJoinNoteLate     = "noting joins after the cursors"
	xJoinNoHighest    = "joining without raising highest"
	xJoinHighestOnce  = "a second look at as many seats as before"
	xJoinNoJoinsLook  = "reclaiming without a second look"
	xJoinLookFirst    = "the second look before reclaimed is stored"
	xJoinNoUp         = "joining without a look at reclaimed"
	xJoinUpEarly      = "a look at reclaimed before the cursor is stored"
	xJoinNoReclaimed  = "reclaiming without storing reclaimed"
	xJoinAdoptTrust   = "adopting without a look at cursors"
	xJoinNoHistory    = "reclaiming without a look at the history"
	xJoinNoEvict      = "nobody evicts"
	xJoinEvictPlain   = "evicting without taking the seat"
	xJoinEvictSwapped = "evicting owner first"
	xJoinLeaveSwapped = "leaving owner first"
	xJoinClaimPlain   = "claiming without comparing"
	xJoinNoBit        = "sleeping without the bit"
	xJoinNoLook       = "sleeping without looking once more"
	xJoinNoSame       = "sleeping without comparing the word"
	xJoinNoRing       = "reading without ringing"
	xJoinNoLeaveRing  = "leaving without ringing"
	xJoinNoUpRing     = "moving a cursor up without ringing"
	xJoinModeFirst    = "the mode before the cursor"
)

type xJoin struct {
	testenv.Search[xJoinWorld]
	without        string
	history, items int8
	seats, members int8
	effort         bool // the last subscriber is of best effort
	begins         int8 // messages there are before anybody joins
	kills          int8
	tick           bool
}

func (e *xJoin) next(w xJoinWorld) (to []xJoinWorld, ended bool) {
	e.check(&w)
	ended = w.p.at == xJoinEnd
	quiet := true
	for i := range e.members {
		s := w.s[i]
		if s.dead {
			continue
		}
		look := s.at == xJoinLook && w.word[w.seat[s.seat].cursor/2%xJoinSlots] < w.seat[s.seat].cursor+1
		quiet = quiet && (s.at == xJoinLook || s.at == xJoinEnd || s.at == xJoinSeen)
		ended = ended && (look || s.at == xJoinEnd || s.at == xJoinSeen)
		to = append(to, e.subscribe(w, i)...)
		if w.kills < e.kills && s.at != xJoinEnd {
			n := w
			n.kills++
			n.s[i] = xJoinSubscriber{at: xJoinEnd, dead: true}
			to = append(to, n)
		}
	}
	to = append(to, e.publish(w)...)
	if w.kills < e.kills && w.p.at != xJoinEnd {
		n := w
		n.kills++
		n.p = xJoinPublisher{at: xJoinAdopt, id: w.p.id + 1, left: w.p.left}
		to = append(to, n)
	}
	if w.p.at == xJoinAsleep && e.there(&w) {
		if e.tick {
			n := w
			n.wake()
			to = append(to, n)
		} else if quiet {
			e.Fail("the publisher sleeps, and there is room")
		}
	}
	return to, ended
}

func xJoinCase(name string, long bool, e xJoin) xCase {
	return xCase{name, long, func(without string) (string, int) {
		e := e
		e.without = without
		e.Next = e.next
		w := xJoinWorld{reclaimed: 2, erased: 2}
		for v := int8(2); v <= 2*e.begins; v += 2 {
			w.word[v/2%xJoinSlots], w.tail = v+1, v
		}
		w.p = xJoinPublisher{at: xJoinAdopt, id: 1}
		for i := range e.members {
			w.s[i].at = xJoinSeen
		}
		for i := e.members; i < xJoinMembers; i++ {
			w.s[i].at = xJoinEnd
		}
		return e.Run(w)
	}}
}

// xJoinOfFour has as many messages as it takes to see a new subscriber unbound by who evicts the last.
func xJoinOfFour(long bool) xCase {
	return xJoinCase("history of one, two at one seat, a kill, four messages", long,
		xJoin{history: 1, items: 4, seats: 1, members: 2, begins: 1, kills: 1, tick: true})
}

var xJoinCases = []xCase{
	xJoinCase("no history, one, no kill", false, xJoin{items: 4, seats: 1, members: 1}),
	xJoinCase("history of one, one, no kill", false, xJoin{history: 1, items: 4, seats: 1, members: 1}),
	xJoinCase("history of one, two at one seat, no kill", false, xJoin{history: 1, items: 4, seats: 1, members: 2, begins: 1}),
	xJoinCase("no history, two at one seat, two kills", false, xJoin{items: 3, seats: 1, members: 2, begins: 1, kills: 2, tick: true}),
	xJoinCase("history of one, two at one seat, a kill", false, xJoin{history: 1, items: 3, seats: 1, members: 2, begins: 1, kills: 1, tick: true}),
	xJoinOfFour(true),
	xJoinCase("history of one, two at one seat, one of best effort, a kill", true, xJoin{history: 1, items: 4, seats: 1, members: 2, begins: 1, kills: 1, tick: true, effort: true}),
	xJoinCase("history of one, two at one seat, two kills", true, xJoin{history: 1, items: 4, seats: 1, members: 2, begins: 1, kills: 2, tick: true}),
	xJoinCase("history of one, two at two seats, no kill", true, xJoin{history: 1, items: 3, seats: 2, members: 2, begins: 1}),
	xJoinCase("history of one, two at two seats, a kill", true, xJoin{history: 1, items: 3, seats: 2, members: 2, begins: 1, kills: 1, tick: true}),
}

func TestJoiningIsRightInEveryOrder(t *testing.T) { xRight(t, xJoinCases) }

func TestEveryStepOfEvictingIsNeeded(t *testing.T) {
	xNeeded(t, xJoinCases[3:], xJoinNoEvict, xJoinEvictPlain)
	xNeeded(t, []xCase{xJoinOfFour(false)}, xJoinEvictSwapped)
}

func TestEveryStepOfJoiningIsNeeded(t *testing.T) {
	xNeeded(t, xJoinCases, xJoinNoJoins, xJoinNoteLate, xJoinNoHighest, xJoinHighestOnce, xJoinNoJoinsLook, xJoinLookFirst, xJoinNoUp, xJoinUpEarly, xJoinNoReclaimed,
		xJoinAdoptTrust, xJoinNoHistory, xJoinLeaveSwapped, xJoinClaimPlain,
		xJoinNoBit, xJoinNoLook, xJoinNoSame, xJoinNoRing, xJoinNoLeaveRing, xJoinNoUpRing, xJoinModeFirst)
}
