package topic

import (
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A lane whose messages are in chunks, as few as the page allows. The publisher takes chunks as
// loans, as many as it may, and publishes one, or all as a batch. Subscribers take views, and
// release them in any order, or copies; they may be killed, and another one come to their
// seat. What must hold:
//
//   - what is in a chunk under a view stays as it was published, also of a publisher that died;
//   - a copy is what was published;
//   - a publisher that takes a chunk gets one, with C = R + S × (H + 1) + L + B, and not with one less.
//
// What xLane shows is one step here: a publisher's look at its own slots.

const (
	xPoolRing    = 2 // at most, and so on
	xPoolSeats   = 2
	xPoolHazards = 2
	xPoolChunks  = 7
	xPoolItems   = 6
)

type xPoolWorld struct {
	word, chunk     [xPoolRing]int8 // chunk: + 1
	tail, reclaimed int8
	erased          int8
	content         [xPoolChunks]int8 // the item, -1 half of it
	p               xPoolPublisher
	s               [xPoolSeats]xPoolSubscriber
	kills, items    int8
	published       [xPoolItems + 2]int8 // known to the explorer alone, by number
}

type xPoolPublisher struct {
	at            xPoolStep
	tail, bound   int8
	erased, m     int8
	free, retired uint8
	named         uint8
	in            [xPoolRing]int8 // chunk + 1 of each slot
	loan          [2]int8         // chunk + 1
	i, j, k       int8
}

type xPoolSubscriber struct {
	at       xPoolStep
	dead     bool
	reliable bool
	copies   bool
	cursor   int8               // in its seat
	hazard   [xPoolHazards]int8 // in its seat: chunk + 1
	view, of [xPoolHazards]int8 // the v of those that it holds, and the chunk + 1
	v, c, h  int8               // what it takes
	is       int8               // half of what it copies
}

type xPoolStep uint8

const (
	xPoolAdopt xPoolStep = iota
	xPoolErasedRead
	xPoolClear
	xPoolBound
	xPoolIdle
	xPoolTake
	xPoolScan
	xPoolHalf
	xPoolItem
	xPoolRoom
	xPoolReclaim
	xPoolReclaimed
	xPoolErase
	xPoolChunk
	xPoolDone
	xPoolTail
	xPoolEnd

	xPoolLook
	xPoolRead
	xPoolHazard
	xPoolAgain
	xPoolUnname
	xPoolCopy
	xPoolCopied
	xPoolCursor
	xPoolSkip
	xPoolJoin
)

const (
	xPoolNoScan       = "freeing chunks without a look at hazards"
	xPoolNoHazard     = "a view without a hazard"
	xPoolNoCopyHazard = "a copy without a hazard"
	xPoolNoAgain      = "a hazard without a look at erased"
	xPoolAgainFirst   = "a look at erased before the hazard"
	xPoolFreeFirst    = "no hazard any more before copying"
	xPoolCursorFirst  = "the cursor before the hazard"
	xPoolEarly        = "retiring a chunk before erasing its message"
	xPoolNoErase      = "overwriting without erasing"
	xPoolEraseLate    = "erasing after the chunk's number"
	xPoolAdoptFree    = "adopting what is in no slot as free"
	xPoolAdoptAll     = "adopting what is in slots as retired"
	xPoolAdoptNone    = "adopting nothing as retired"
	xPoolAdoptNoClear = "adopting without clearing"
	xPoolNoRetire     = "overwriting without retiring"
)

type xPool struct {
	testenv.Search[xPoolWorld]
	without                      string
	ring, hazards, loans, chunks int8
	seats                        int8
	items, kills                 int8
	stride                       int8 // of Erase
	batch                        bool
	copies                       bool
}

func (e *xPool) next(w xPoolWorld) (to []xPoolWorld, ended bool) {
	e.check(&w)
	ended = w.p.at == xPoolEnd
	for i := range e.seats {
		s := &w.s[i]
		if s.dead {
			if !s.reliable && w.p.at != xPoolEnd { // somebody else comes
				n := w
				n.s[i] = xPoolSubscriber{at: xPoolJoin, hazard: s.hazard}
				to = append(to, n)
			}
			continue
		}
		ended = ended && s.at == xPoolLook && s.view == [xPoolHazards]int8{} && w.published[s.cursor/2] == 0
		to = append(to, e.take(w, i)...)
		if w.kills < e.kills && w.p.at != xPoolEnd {
			n := w
			n.kills++
			n.s[i] = xPoolSubscriber{dead: true, hazard: s.hazard, reliable: s.reliable}
			to = append(to, n)
		}
	}
	to = append(to, e.publish(w)...)
	if w.kills < e.kills && w.p.at != xPoolEnd {
		n := w
		n.kills++
		n.p = xPoolPublisher{at: xPoolAdopt}
		to = append(to, n)
	}
	return to, ended
}

// xPoolCase has so many of best effort, then reliable subscribers, and less chunks than there must be;
// batches, copies, and a stride, if it says so.
func xPoolCase(name string, long bool, ring, effort, reliable, hazards, loans, less, items, kills int8, how ...string) xCase {
	return xCase{name, long, func(without string) (string, int) {
		e := &xPool{without: without, ring: ring, seats: effort + reliable, hazards: hazards, loans: loans, items: items, kills: kills,
			batch: slices.Contains(how, "batch"), copies: slices.Contains(how, "copies")}
		if slices.Contains(how, "stride") {
			e.stride = 2 * ring
		}
		e.chunks = ring + e.seats*hazards + loans - less
		e.Next = e.next
		w := xPoolWorld{reclaimed: 2, erased: 2}
		for i := range e.seats {
			w.s[i] = xPoolSubscriber{at: xPoolLook, cursor: 2, reliable: i >= effort}
		}
		return e.Run(w)
	}}
}

var xPoolCases = []xCase{
	xPoolCase("a slot, one of each", false, 1, 1, 1, 1, 1, 0, 5, 0),
	xPoolCase("a slot, best effort, two views, a kill", false, 1, 1, 0, 2, 1, 0, 5, 1),
	xPoolCase("a slot, reliable, two views, a kill", false, 1, 0, 1, 2, 1, 0, 5, 1),
	xPoolCase("a slot, best effort, a view and copies, a kill", false, 1, 1, 0, 2, 1, 0, 4, 1, "copies"),
	xPoolCase("two slots, best effort, two loans, two kills", false, 2, 1, 0, 1, 2, 0, 5, 2),
	xPoolCase("two slots, best effort, batches, two kills", false, 2, 1, 0, 1, 2, 0, 6, 2, "batch"),
	xPoolCase("two slots, best effort, batches, copies, a stride, a kill", false, 2, 1, 0, 1, 2, 0, 6, 1, "batch", "copies", "stride"),
	xPoolCase("a slot, one of each, two kills", true, 1, 1, 1, 1, 1, 0, 5, 2),
	xPoolCase("two slots, one of each, copies, a kill", true, 2, 1, 1, 2, 1, 0, 5, 1, "copies", "stride"),
}

func TestChunksAreRightInEveryOrder(t *testing.T) { xRight(t, xPoolCases) }

func TestEveryStepOfChunksIsNeeded(t *testing.T) {
	xNeeded(t, xPoolCases, xPoolNoScan, xPoolNoHazard, xPoolNoCopyHazard, xPoolNoAgain, xPoolAgainFirst, xPoolFreeFirst, xPoolCursorFirst, xPoolEarly,
		xPoolNoErase, xPoolEraseLate, xPoolAdoptFree, xPoolAdoptAll, xPoolAdoptNone, xPoolAdoptNoClear, xPoolNoRetire)
}

func TestThereAreNoMoreChunksThanNeeded(t *testing.T) {
	for _, c := range []xCase{
		xPoolCase("a slot, one of each", false, 1, 1, 1, 1, 1, 1, 5, 0),
		xPoolCase("a slot, best effort, two views", false, 1, 1, 0, 2, 1, 1, 5, 0),
		xPoolCase("a slot, reliable, two views", false, 1, 0, 1, 2, 1, 1, 5, 0),
		xPoolCase("two slots, two loans", false, 2, 1, 0, 1, 2, 1, 6, 0),
	} {
		if fault, _ := c.run(""); fault != "no chunk" {
			t.Errorf("%s, and a chunk less: %q", c.name, fault)
		}
	}
}
