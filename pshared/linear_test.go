package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What the lock does, one step after the other: what porcupine compares histories with.
type lockModel struct {
	holder int  // participant + 1, 0 nobody
	dirty  bool // an owner died, and nobody has repaired since
	lost   bool
	dead   string // participants, as a set of runes
}

// A lockOp is a call, or a death.
type lockOp struct {
	who  int
	what string // lock, try, unlock, repair, abandon, die
}

// The outcomes of a lockOp. pending is that of a call which its caller did not live to see.
const (
	ok      = "ok"
	told    = "told"
	refused = "refused" // by try: somebody has it
	gaveUp  = "gave up" // by lock: its context ended
	pending = "pending"
)

var mutexModel = porcupine.Model{
	Init:  func() any { return lockModel{} },
	Equal: func(a, b any) bool { return a == b },
	Step: func(state, input, output any) (bool, any) {
		s, op, out := state.(lockModel), input.(lockOp), output.(string)
		me := op.who + 1
		gone := false
		for _, r := range s.dead {
			gone = gone || int(r) == me
		}
		if op.what == "die" {
			if s.holder == me {
				s.holder, s.dirty = 0, true
			}
			s.dead += string(rune(me))
			return true, s
		}
		if gone { // what it had begun did not happen
			return out == pending, s
		}
		switch op.what {
		case "lock", "try":
			free := s.holder == 0 && !s.lost
			switch {
			case out == gaveUp:
				return true, s
			case out == refused:
				return !free, s
			case !free:
				return out == pending, s
			case out == told && !s.dirty, out == ok && s.dirty:
				return false, s
			}
			s.holder = me
		case "repair":
			if s.holder != me {
				return false, s
			}
			s.dirty = false
		case "unlock", "abandon":
			if s.holder != me || op.what == "unlock" && s.dirty {
				return false, s
			}
			s.holder = 0
		}
		return true, s
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%v: %v", in, out) },
}

// recorder does lock operations and writes down when it began and when it knew.
func recorder(b *teller, args []string) error {
	notes, err := shmtest.OpenLedger(args[0], fmt.Sprint(b.who))
	if err != nil {
		return err
	}
	do := func(what string, f func() (string, error)) (string, error) {
		if err := notes.Note("call %s", what); err != nil {
			return "", err
		}
		out, err := f()
		if err != nil {
			return "", err
		}
		return out, notes.Note("back %s", out)
	}
	plain := func(f func() error) func() (string, error) {
		return func() (string, error) { return ok, f() }
	}
	for n := int(b.who); ; n++ {
		select {
		case <-shmtest.Dismissed():
			return errors.Join(b.s.Close(), notes.Close())
		default:
		}
		out := ""
		if n%3 == 0 {
			out, err = do("try", func() (string, error) {
				held, err := b.mu.TryLock()
				switch {
				case errors.Is(err, pshared.ErrOwnerDead):
					return told, nil
				case held:
					return ok, err
				}
				return refused, err
			})
		} else {
			out, err = do("lock", func() (string, error) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%5)*time.Millisecond)
				defer cancel()
				switch err := b.mu.Lock(ctx); {
				case errors.Is(err, pshared.ErrOwnerDead):
					return told, nil
				case errors.Is(err, context.DeadlineExceeded):
					return gaveUp, nil
				default:
					return ok, err
				}
			})
		}
		if err != nil {
			return err
		}
		switch {
		case out == told && n%4 == 0:
			_, err = do("abandon", plain(b.mu.Abandon))
		case out == told:
			if _, err = do("repair", plain(b.mu.MakeConsistent)); err == nil {
				_, err = do("unlock", plain(b.mu.Unlock))
			}
		case out == ok:
			for range n % 3 {
				runtime.Gosched()
			}
			_, err = do("unlock", plain(b.mu.Unlock))
		}
		if err != nil {
			return err
		}
		if b.d.A.Add(1)%16 == 0 { // histories that can be checked are short
			time.Sleep(time.Millisecond) // sleep-ok: it is the load that is bounded
		}
	}
}

// historyOf is what the participants, by their number, wrote in a ledger: "call WHAT" before
// each operation of theirs, and "back OUTCOME" behind it; and their deaths.
func historyOf(t *testing.T, l *shmtest.Ledger, procs map[int]*shmtest.Proc) (history []porcupine.Operation) {
	t.Helper()
	open := map[int]*porcupine.Operation{}
	last := map[int]time.Duration{}
	for _, e := range l.Entries(t) {
		who, err := strconv.Atoi(e.Who)
		if err != nil {
			t.Fatal(err)
		}
		who--
		last[who] = e.At
		var word string
		switch {
		case scan(e.Text, "call %s", &word):
			open[who] = &porcupine.Operation{ClientId: who, Input: lockOp{who, word}, Call: int64(e.At), Output: pending, Return: math.MaxInt64}
		default:
			o := open[who]
			o.Output, o.Return = e.Text[len("back "):], int64(e.At)
			history = append(history, *o)
			delete(open, who)
		}
	}
	for who, o := range open {
		if procs[who].ExitSignal() == 0 {
			t.Fatalf("%d left in the middle of %v", who, o.Input)
		}
		history = append(history, *o)
	}
	for who, p := range procs {
		if p.ExitSignal() != 0 { // it died some time after its last word
			history = append(history, porcupine.Operation{
				ClientId: 1000 + who, Input: lockOp{who, "die"}, Output: ok, Call: int64(last[who]), Return: math.MaxInt64,
			})
		}
	}
	return history
}

// Histories recorded in several processes, some of which are killed, are such that all could
// have happened one after the other.
func TestHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	runs := 3
	switch {
	case shmtest.Soaking():
		runs = 100
	case testing.Short():
		runs = 1
	}
	for range runs {
		dir := shmtest.Dir(t)
		keep := mustOpenBank(t, dir, 1<<40)
		l := shmtest.NewLedger(t)
		procs := map[int]*shmtest.Proc{}
		shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 3, Kills: 8, Pause: 4 * time.Millisecond}, func(n int) *shmtest.Proc {
			procs[n] = shmtest.Start(t, "recorder", dir, fmt.Sprint(n+1), l.Path())
			return procs[n]
		})
		history := historyOf(t, l, procs)
		result, _ := porcupine.CheckOperationsVerbose(mutexModel, history, shmtest.Failsafe)
		t.Logf("%d operations: %v", len(history), result)
		if result == porcupine.Illegal {
			t.Errorf("no order explains what happened")
		}
		if err := keep.mu.Lock(limited(t)); errors.Is(err, pshared.ErrOwnerDead) {
			err = keep.mu.MakeConsistent()
			if err != nil {
				t.Error(err)
			}
		} else if err != nil {
			t.Error(err)
		}
		unlock(t, keep.mu)
	}
}

// A checker that finds nothing wrong with anything would be content.
func TestTheModelFindsFaults(t *testing.T) {
	op := func(who int, what, out string, call, back int64) porcupine.Operation {
		return porcupine.Operation{ClientId: who, Input: lockOp{who, what}, Output: out, Call: call, Return: back}
	}
	for name, h := range map[string][]porcupine.Operation{
		"two hold it":                 {op(0, "lock", ok, 1, 2), op(1, "lock", ok, 3, 4)},
		"not told":                    {op(0, "lock", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "lock", ok, 5, 6)},
		"told for nothing":            {op(0, "lock", told, 1, 2)},
		"refused a free one":          {op(0, "try", refused, 1, 2)},
		"told again after the repair": {op(0, "lock", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "lock", told, 5, 6), op(1, "repair", ok, 7, 8), op(1, "unlock", ok, 9, 10), op(2, "lock", told, 11, 12)},
		"stolen from the living":      {op(0, "lock", ok, 1, 2), op(1, "lock", told, 3, 4), op(0, "unlock", ok, 5, 6)},
	} {
		if porcupine.CheckOperations(mutexModel, h) {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
	good := []porcupine.Operation{op(0, "lock", ok, 1, 2), op(0, "unlock", pending, 3, math.MaxInt64), op(0, "die", ok, 3, math.MaxInt64), op(1, "lock", told, 5, 6)}
	if !porcupine.CheckOperations(mutexModel, good) {
		t.Error("an unlock that death came before is a fault")
	}
}
