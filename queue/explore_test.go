package queue

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of docs/abi/queue.md at small size: room for one item and one dead letter, producers
// that push an item or two, and consumers of which each may say Retry, or give up when it was
// woken. What must hold, in every order, with up to two kills of anybody:
//
//   - an item that was pushed is in exactly one cell until it is done, or dropped as a dead letter;
//   - a consumer has its item alone, and it has been delivered as often as it says;
//   - what is popped has the lowest sequence that is ready;
//   - there are never more items, nor more dead letters, than there is room for;
//   - with the tick, from every state everybody who lives gets to the end, and all cells are free
//     then, or dead letters;
//   - without deaths, also without the tick.
//
// Every step that is taken out must break one of these.

const (
	xCapacity   = 1
	xLetters    = 1
	xCells      = xCapacity + xLetters
	xMembers    = 3
	xItems      = 2
	xDeliveries = 2
)

type xStep uint8

const (
	xLock xStep = iota
	xRepairBegin
	xRepairCell
	xRepairLists
	xRepairEnd
	xLook
	xTake
	xOff
	xMark
	xUnlock
	xWake
	xSleep
	xAsleep
	xWrite
	xNumber
	xReady
	xList
	xSettle
	xWork
	xFree
	xFreeList
	xFreeEnd
	xRetry
	xDrop
	xBury
	xNext
	xEnd
)

type xCell struct {
	state, owner, deliveries, sequence, item int8 // owner and item: + 1
}

// xOrder is cells + 1, in order.
type xOrder [xCells]int8

func (l *xOrder) remove() {
	copy(l[:], l[1:])
	l[xCells-1] = 0
}

func (l *xOrder) insert(w *xWorld, i int8) {
	for k := range l {
		if l[k] == 0 || w.cells[l[k]-1].sequence > w.cells[i].sequence {
			copy(l[k+1:], l[k:])
			l[k] = i + 1
			return
		}
	}
}

type xMember struct {
	at, then xStep
	consumer bool
	left     int8 // items to push
	cell     int8
	count    int8
	due      wakes
	slept    bool
	same     bool // the word is as it was marked
	dead     bool
	taken    bool // somebody who cleans its record has its byte: it looks alive
	said     bool // that one has said so
	cleaned  bool
}

type xWorld struct {
	cells           [xCells]xCell
	free            [xCells]bool // the free list, whose order does not matter
	ready, letters  xOrder
	live, buried    int8
	sequence        int8
	mu              int8 // member + 1
	told, orphans   bool
	filled, emptied bool // bit 0
	kills           int8
	items           int8
	pushed, done    [xItems]bool
	claims          [xItems]int8
	numbers         [xItems]int8 // their sequences
	m               [xMembers]xMember
}

// The steps that can be left out.
const (
	xNoRepair      = "being told of a death without a repair"
	xNoOrphans     = "cleaning a record without saying orphans"
	xNoMark        = "cleaning a record without taking its generation away"
	xOrphansLate   = "orphans set back at the end of a repair"
	xNoCountRepair = "repairing without a count"
	xCountLate     = "counting a cell after it is taken"
	xCountEarly    = "counting a cell off before it is listed"
	xNoBit         = "sleeping without the bit"
	xNoSame        = "sleeping without comparing the word"
	xNoRingPush    = "pushing without ringing"
	xNoRingDone    = "being done without ringing"
	xNoRingRetry   = "retrying without ringing"
	xNoRingBury    = "burying without ringing"
	xNoRingRepair  = "repairing without ringing"
	xNoBitAgain    = "taking after a sleep without the bit"
	xQuitMute      = "giving up after being woken without waking the next"
	xToTheEnd      = "a retried item goes to the end"
	xReadyFirst    = "ready before it is numbered"
	xUnlockReady   = "ready before it is written"
	xNoDrop        = "burying without dropping the oldest"
	xForget        = "a retry that forgets the deliveries"
)

type xExplorer struct {
	testenv.Search[xWorld]
	without string
	tick    bool
	kills   int8
}

func TestQueueIsRightInEveryOrder(t *testing.T) {
	if race.Enabled {
		t.Skip("it is one goroutine, and slow")
	}
	for _, c := range []struct {
		tick      bool
		kills     int8
		producers int
	}{{false, 0, 1}, {false, 0, 2}, {true, 0, 1}, {true, 1, 1}, {true, 1, 2}, {true, 2, 1}, {true, 2, 2}} {
		if c.kills > 0 && c.producers == 1 && !testenv.Soaking() || c.kills > 1 && testing.Short() {
			continue // two million states, and half a million
		}
		fault, states := explore("", c.tick, c.kills, c.producers)
		if fault != "" {
			t.Errorf("tick %t, %d kills, %d producers: %s", c.tick, c.kills, c.producers, fault)
		}
		if states < 200 {
			t.Errorf("only %d states", states)
		}
		t.Logf("tick %t, %d kills, %d producers: %d states", c.tick, c.kills, c.producers, states)
	}
}

func TestQueueNeedsTheTickForDeaths(t *testing.T) {
	if fault, _ := explore("", false, 1, 2); !strings.Contains(fault, "stuck") {
		t.Errorf("without the tick: %q", fault)
	}
}

func TestEveryStepOfTheQueueIsNeeded(t *testing.T) {
	if race.Enabled {
		t.Skip("it is one goroutine, and slow")
	}
	for _, without := range []string{
		xNoRepair, xNoOrphans, xNoMark, xOrphansLate, xNoCountRepair, xCountLate, xCountEarly, xNoBit, xNoSame, xNoRingPush, xNoRingDone, xNoRingRetry,
		xNoRingBury, xNoBitAgain, xQuitMute, xToTheEnd, xReadyFirst, xUnlockReady, xNoDrop, xForget,
	} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault := ""
			for kills := int8(0); kills <= 2 && fault == ""; kills++ {
				if fault, _ = explore(without, kills > 0, kills, 2); fault == "" && kills == 0 {
					fault, _ = explore(without, false, 0, 1)
				}
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
