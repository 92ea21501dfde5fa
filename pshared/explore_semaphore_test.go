package pshared

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of Semaphore at small size: three members that each take one or two of two permits,
// wait for them if they must, perhaps give up, and give them back; and sweepers, as many
// as there may be dead, that clean records. The two mutexes are taken for right
// (explore_test.go): one step takes them, from a dead owner with a word of it. What must
// hold, in every order, with up to two kills of anybody:
//
//   - the living, and the dead whose permits have not come back, never hold more than there is;
//   - whoever has mu, and was not told, finds in taken what the entries say, or more;
//   - with the tick, everybody who lives gets to the end from every state: no permit is lost;
//   - without deaths, also without the tick.
//
// Every step that is taken out must break one of these.

const (
	smMembers  = 3
	smSweepers = 2
	smCapacity = 2
)

type smStep uint8

const (
	smStart smStep = iota
	smTurn
	smLock
	smFix
	smSum
	smStore
	smTake
	smTaken
	smMark
	smUnlock // and then: have it, sleep, or wait for the turn
	smSleep
	smAsleep
	smGiveTurn
	smHeld
	smGive
	smGiven
	smRing
	smEnd
)

type smMember struct {
	at     smStep
	turn   bool // it has the turn
	frees  bool // it is releasing
	told   bool // by mu
	ring   bool
	dead   bool
	has    bool // its permits
	marked bool
	rung   bool // the bell is not as noted any more
	summed bool // since it has mu
	sum    int8
}

// A smSweeper is at step 0 idle, else at a step of returnPermits.
type smSweeper struct {
	at   int8
	slot int8
}

type smEntry struct {
	held    int8
	cleaned bool // the record is nobody's
}

type smWorld struct {
	mu, turn      int8 // member + 1
	taken, wanted int8
	waiters       bool // the bell's bit
	kills         int8
	e             [smMembers]smEntry
	m             [smMembers]smMember
	s             [smSweepers]smSweeper
}

type smExplorer struct {
	testenv.Search[smWorld]
	without string
	wants   [smMembers]int8
	tick    bool
	kills   int8
}

// The steps that can be left out.
const (
	smNoTell       = "no summing up after an owner of mu died"
	smNoSum        = "no summing up when too few are free"
	smNoTakeOver   = "no taking over of the turn"
	smNoMuTakeOver = "no taking over of mu"
	smNoBit        = "sleeping without the bell's bit"
	smNoSame       = "sleeping without comparing the bell"
	smLateMark     = "marking the bell after mu was given back"
	smNoRing       = "releasing without the bell"
	smNoSweep      = "no sweeping"
	smEntryLate    = "no entry"
	smKeepTurn     = "keeping the turn when giving up"
)

// lock takes one of the mutexes for member i; ok is false if it must wait.
func (e *smExplorer) lock(w *smWorld, mu *int8, i int, takeOver bool) (told, ok bool) {
	if *mu != 0 && (!w.m[*mu-1].dead || !takeOver) {
		return false, false
	}
	told = *mu != 0
	*mu = int8(i + 1)
	return told, true
}

func (e *smExplorer) sum(w *smWorld) (sum int8) {
	for _, en := range w.e {
		sum += en.held
	}
	return sum
}

func (w *smWorld) ring() {
	if !w.waiters {
		return
	}
	w.waiters = false
	for i := range w.m {
		switch m := &w.m[i]; {
		case m.at == smAsleep:
			m.at = smLock
		case m.marked:
			m.rung = true
		}
	}
}

// step returns what member i's next step can lead to.
func (e *smExplorer) step(w smWorld, i int) (to []smWorld) {
	me, mine, n := &w.m[i], &w.e[i], e.wants[i]
	switch me.at {
	case smStart:
		if me.at = smLock; w.turn != 0 {
			me.at = smTurn
		}
	case smTurn:
		_, ok := e.lock(&w, &w.turn, i, e.without != smNoTakeOver)
		if !ok {
			return nil
		}
		me.turn, me.at = true, smLock
	case smLock:
		told, ok := e.lock(&w, &w.mu, i, e.without != smNoMuTakeOver)
		if !ok {
			return nil
		}
		me.told, me.at = told && e.without != smNoTell, smFix
	case smFix:
		if !me.told && w.taken < e.sum(&w) && e.without == "" {
			e.Fail("%d are taken, and the entries say %d", w.taken, e.sum(&w))
		}
		switch {
		case me.told:
			me.at = smSum
		case me.frees:
			me.at = smGive
		default:
			me.at = smTake
		}
	case smSum:
		me.sum, me.at = e.sum(&w), smStore
	case smStore:
		w.taken, me.told = me.sum, false // and the mutex is repaired
		me.sum, me.summed = 0, true
		if me.at = smTake; me.frees {
			me.at = smGive
		}
	case smTake:
		switch {
		case smCapacity-w.taken >= n:
			if me.at = smTaken; e.without != smEntryLate {
				mine.held += n
			}
		case !me.summed && e.without != smNoSum:
			me.at = smSum
		case me.turn && e.without != smLateMark:
			me.at = smMark
		default:
			me.at = smUnlock
		}
	case smTaken:
		w.taken += n
		me.at, me.has = smUnlock, true
	case smMark:
		w.wanted = n
		w.waiters = w.waiters || e.without != smNoBit
		me.marked, me.rung = true, false
		if me.at = smUnlock; e.without == smLateMark {
			me.at = smSleep
		}
	case smUnlock:
		w.mu, me.summed = 0, false
		switch {
		case me.frees:
			if me.at = smEnd; me.ring {
				me.at = smRing
			}
		case me.marked:
			me.at = smSleep
		case me.has && me.turn:
			me.at = smGiveTurn
		case me.has:
			me.at = smHeld
		case me.turn: // smLateMark
			me.at = smMark
		default:
			me.at = smTurn
		}
	case smSleep:
		if me.at = smLock; !me.rung || e.without == smNoSame {
			me.at = smAsleep
		}
		me.marked, me.rung = false, false
	case smAsleep:
		if i == 0 { // gives up, perhaps; the others have the patience to be stuck
			give := w
			give.m[i].at = smGiveTurn
			if e.without == smKeepTurn {
				give.m[i].at = smEnd
			}
			to = append(to, give)
		}
		if e.tick && smCapacity-e.sum(&w) >= n { // look
			w.ring()
			to = append(to, w)
		}
		return to
	case smGiveTurn:
		w.turn, me.turn = 0, false
		if me.at = smEnd; me.has {
			me.at = smHeld
		}
	case smHeld:
		out := int8(0)
		for j, en := range w.e {
			if w.m[j].dead || w.m[j].at == smHeld {
				out += en.held
			}
			if e.without == smEntryLate && w.m[j].at == smHeld {
				out += e.wants[j]
			}
		}
		if out > smCapacity {
			e.Fail("%d of %d permits are out", out, smCapacity)
		}
		*me = smMember{frees: true, at: smLock}
	case smGive:
		if e.without != smEntryLate {
			mine.held -= n
		}
		me.at = smGiven
	case smGiven:
		w.taken -= n
		me.ring = smCapacity-w.taken >= w.wanted && e.without != smNoRing
		me.at = smUnlock
	case smRing:
		w.ring()
		me.at = smEnd
	default:
		return nil
	}
	if me.at == smEnd {
		*me = smMember{at: smEnd}
	}
	return append(to, w)
}

// sweep returns what sweeper k's next step can lead to. At rest it begins with any dead
// member's record that nobody is at.
func (e *smExplorer) sweep(w smWorld, k int) (to []smWorld) {
	s := &w.s[k]
	if s.at == 0 {
		if !e.tick || e.without == smNoSweep {
			return nil
		}
		if k > 0 && w.s[k-1].at == 0 { // they are all alike
			return nil
		}
		for j := range w.m {
			taken := w.e[j].cleaned || !w.m[j].dead
			for _, o := range w.s {
				taken = taken || o.at != 0 && int(o.slot) == j
			}
			if !taken {
				n := w
				n.s[k] = smSweeper{1, int8(j)}
				to = append(to, n)
			}
		}
		return to
	}
	en := &w.e[s.slot]
	switch s.at {
	case 1:
		if s.at = 3; en.held > 0 {
			s.at = 2
			en.held = 0
		}
	case 2:
		w.ring()
		s.at = 3
	case 3:
		*en = smEntry{cleaned: true}
		*s = smSweeper{}
	}
	return append(to, w)
}

// steps returns what anybody's next step, or death, can lead to.
func (e *smExplorer) steps(w smWorld) (to []smWorld) {
	for i := range w.m {
		if w.m[i].at == smEnd {
			continue
		}
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills {
			n := w
			n.m[i] = smMember{dead: true, at: smEnd}
			n.kills++
			to = append(to, n)
		}
	}
	for k := range w.s {
		to = append(to, e.sweep(w, k)...)
		if w.s[k].at != 0 && w.kills < e.kills { // another takes its place
			n := w
			n.s[k] = smSweeper{}
			n.kills++
			to = append(to, n)
		}
	}
	return to
}

func (w smWorld) ended() bool {
	for _, m := range w.m {
		if m.at != smEnd {
			return false
		}
	}
	return true
}

func exploreSemaphore(without string, wants [smMembers]int8, tick bool, kills int8) (fault string, states int) {
	e := &smExplorer{without: without, wants: wants, tick: tick, kills: kills}
	e.Next = func(w smWorld) ([]smWorld, bool) { return e.steps(w), w.ended() }
	return e.Run(smWorld{})
}

// What the members want.
var smWants = [][smMembers]int8{{2, 1, 1}, {2, 2, 1}}

func TestSemaphoreIsRightInEveryOrder(t *testing.T) {
	for _, wants := range smWants {
		for _, c := range []struct {
			tick  bool
			kills int8
		}{{false, 0}, {true, 0}, {true, 1}, {true, 2}} {
			fault, states := exploreSemaphore("", wants, c.tick, c.kills)
			if fault != "" {
				t.Errorf("wants %v, tick %t, %d kills: %s", wants, c.tick, c.kills, fault)
			}
			if states < 500 {
				t.Errorf("only %d states", states)
			}
			t.Logf("wants %v, tick %t, %d kills: %d states", wants, c.tick, c.kills, states)
		}
	}
}

func TestSemaphoreNeedsTheTickForDeaths(t *testing.T) {
	if fault, _ := exploreSemaphore("", smWants[0], false, 1); !strings.Contains(fault, "stuck") {
		t.Errorf("without the tick: %q", fault)
	}
}

func TestEveryStepOfSemaphoreIsNeeded(t *testing.T) {
	for _, without := range []string{
		smNoTell, smNoSum, smNoTakeOver, smNoMuTakeOver, smNoBit,
		smNoSame, smLateMark, smNoRing, smNoSweep, smEntryLate, smKeepTurn,
	} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault := ""
			for kills := int8(0); kills <= 2 && fault == ""; kills++ {
				for _, wants := range smWants {
					if fault == "" {
						fault, _ = exploreSemaphore(without, wants, kills > 0, kills)
					}
				}
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
