package pshared

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of Once at small size: three members that each do it, with functions that succeed
// or fail, in every order, with up to two kills between any two steps. The mutex is one step
// here; explore_test.go has its own. What must hold:
//
//   - no two living members run their functions at the same time;
//   - nobody begins to run one when a living member has run its own to the end;
//   - nobody is told that it is done before one was run to the end;
//   - everybody who lives gets to the end, from every state.

const onceMembers = 3

type onceStep uint8

const (
	onLook onceStep = iota
	onLock
	onCheck
	onRun
	onStore
	onUnlock
	onEnd
)

type onceMember struct {
	at   onceStep
	ran  bool // its function, to the end
	dead bool
}

type onceWorld struct {
	done, finished bool
	owner          int8 // of the mutex, member + 1
	kills          int8
	m              [onceMembers]onceMember
}

type onceExplorer struct {
	without string
	kills   int8
	testenv.Search[onceWorld]
}

const (
	onNoMutex     = "running without the mutex"
	onNoCheck     = "running without a look under the mutex"
	onEarly       = "saying that it is done before it is"
	onUnlockFirst = "unlocking before saying that it is done"
	onKeep        = "keeping the mutex after an error"
	onNoTakeOver  = "no taking over from the dead"
	onErrorIsDone = "saying that it is done after an error"
)

func (e *onceExplorer) step(w onceWorld, i int) (to []onceWorld) {
	me := &w.m[i]
	end := func() {
		if !w.finished {
			e.Fail("member %d is told that it is done, and nobody has run it to the end", i)
		}
		me.at = onEnd
	}
	switch me.at {
	case onLook:
		if me.at = onLock; w.done {
			end()
		}
	case onLock:
		if w.owner != 0 && (!w.m[w.owner-1].dead || e.without == onNoTakeOver) && e.without != onNoMutex {
			return nil
		}
		w.owner, me.at = int8(i+1), onCheck
	case onCheck:
		me.at = onRun
		if w.done && e.without != onNoCheck {
			w.owner = 0
			end()
			break
		}
		if e.without == onEarly {
			w.done = true
		}
		for j, o := range w.m {
			switch {
			case j == i || o.dead:
			case o.at == onRun:
				e.Fail("members %d and %d run it", i, j)
			case o.ran:
				e.Fail("member %d runs it, and member %d has", i, j)
			}
		}
	case onRun:
		n := w // it fails
		n.m[i].at = onUnlock
		if e.without == onErrorIsDone {
			n.m[i].at = onStore
		}
		to = append(to, n)
		me.ran, w.finished, me.at = true, true, onStore
		if e.without == onUnlockFirst {
			w.owner = 0
		}
	case onStore:
		w.done, me.at = true, onUnlock
		if e.without == onUnlockFirst {
			end()
		}
	case onUnlock:
		if me.at = onEnd; w.owner == int8(i+1) && (me.ran || e.without != onKeep) {
			w.owner = 0
		}
	}
	return append(to, w)
}

func (e *onceExplorer) explore(w onceWorld) (to []onceWorld, ended bool) {
	ended = true
	for i := range w.m {
		if w.m[i].at == onEnd {
			continue
		}
		ended = false
		to = append(to, e.step(w, i)...)
		if w.kills < e.kills {
			n := w
			n.m[i].dead, n.m[i].at = true, onEnd
			n.kills++
			to = append(to, n)
		}
	}
	return to, ended
}

func exploreOnce(without string, kills int8) (fault string, states int) {
	e := &onceExplorer{without: without, kills: kills}
	e.Next = e.explore
	return e.Run(onceWorld{})
}

func TestOnceIsRightInEveryOrder(t *testing.T) {
	for kills := range int8(3) {
		fault, states := exploreOnce("", kills)
		if fault != "" {
			t.Errorf("%d kills: %s", kills, fault)
		}
		if states < 50 {
			t.Errorf("only %d states", states)
		}
		t.Logf("%d kills: %d states", kills, states)
	}
}

func TestEveryStepOfOnceIsNeeded(t *testing.T) {
	for _, without := range []string{onNoMutex, onNoCheck, onEarly, onUnlockFirst, onKeep, onNoTakeOver, onErrorIsDone} {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			fault, _ := exploreOnce(without, 0)
			if fault == "" {
				fault, _ = exploreOnce(without, 2)
			}
			if fault == "" {
				t.Errorf("nothing is wrong with %s", without)
			}
			t.Log(fault)
		})
	}
}
