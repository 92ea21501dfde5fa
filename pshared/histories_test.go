package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/shmtest"
)

// An action is a call, or a death: what a history is made of.
type action struct {
	who  int
	what string // "die", or what the model knows
	in   string // of a death: what it was in the middle of, "" nothing
}

// The outcomes of an action; others have words of their own. pending is that of a call which
// its caller did not live to see.
const (
	ok      = "ok"
	told    = "told"
	refused = "refused" // by a try
	gaveUp  = "gave up" // its context ended
	notHeld = "not held"
	pending = "pending"
)

// A mortal is the state of something, and who of its users is dead, as a set of bits.
type mortal[S comparable] struct {
	state S
	dead  uint64
}

// A behaviour is what something does, one step after the other.
type behaviour[S comparable] struct {
	// step is what an action of one who lives does, false if it can't have that outcome. What a
	// dead one had begun does not happen any more.
	step func(s S, a action, out string) (bool, S)
	// also is what else one can have done whose outcome is pending; nil: nothing.
	also func(s S, a action) S
	// die is what a death does.
	die func(s S, a action) S
}

// model is what porcupine compares histories with.
func (b behaviour[S]) model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{mortal[S]{}} },
		Step: func(state, input, output any) []any {
			s, a, out := state.(mortal[S]), input.(action), output.(string)
			bit := uint64(1) << a.who
			switch {
			case a.what == "die":
				return []any{mortal[S]{b.die(s.state, a), s.dead | bit}}
			case s.dead&bit != 0 && out == pending:
				return []any{s}
			case s.dead&bit != 0:
				return nil
			}
			is, next := b.step(s.state, a, out)
			if !is {
				return nil
			}
			all := []any{mortal[S]{next, s.dead}}
			if b.also != nil && out == pending {
				all = append(all, mortal[S]{b.also(s.state, a), s.dead})
			}
			return all
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%v: %v", in, out) },
	}
	return m.ToModel()
}

// A recording does what its role does, and writes down when it began and when it knew.
type recording struct {
	*notes
	turns *atomic.Int64 // of all
}

// record is a role: it takes turns until it is dismissed or killed.
func record(ledger string, who int64, turns *atomic.Int64, turn func(r *recording, n int64) error, end ...closer) error {
	to, err := takeNotes(ledger, who)
	if err != nil {
		return err
	}
	r := &recording{to, turns}
	return untilDismissed(who, func(n int64) error {
		if err := turn(r, n); err != nil {
			return err
		}
		if r.turns.Add(1)%16 == 0 { // histories that can be checked are short
			time.Sleep(time.Millisecond) // sleep-ok: it is the load that is bounded
		}
		return nil
	}, append(end, to)...)
}

// do does something, and returns its outcome.
func (r *recording) do(what string, f func() error) (out string, err error) {
	if err := r.note("call %s", what); err != nil {
		return "", err
	}
	err = f()
	out, known := outcomeOf(err)
	if !known {
		return "", err
	}
	return out, r.note("back %s", out)
}

// must does something that can't fail.
func (r *recording) must(what string, f func() error) error {
	out, err := r.do(what, f)
	if err == nil && out != ok {
		err = fmt.Errorf("%s: %s", what, out)
	}
	return err
}

// limit is f with a deadline that is different in each turn.
func limit(n int64, f func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%5)*time.Millisecond)
		defer cancel()
		return f(ctx)
	}
}

// try is f that may be refused.
func try(f func() (bool, error)) func() error {
	return func() error {
		held, err := f()
		if !held && err == nil {
			return errRefused
		}
		return err
	}
}

// dwell is to have something for a moment, in some turns: others want it, and who has it is killed.
func dwell(n int64) {
	if n%3 == 0 {
		time.Sleep(100 * time.Microsecond) // sleep-ok: it stands for work
	}
}

var errRefused = errors.New("refused")

// burials is who writes down in a ledger whom it has seen to be dead.
const burials = "burials"

// historyOf is what the participants, by their number, wrote in a ledger: "call WHAT" before
// each action of theirs, and "back OUTCOME" behind it; and their deaths.
func historyOf(t *testing.T, l *shmtest.Ledger, procs map[int]*shmtest.Proc) (history []porcupine.Operation) {
	t.Helper()
	open := map[int]*porcupine.Operation{}
	last, buried := map[int]time.Duration{}, map[int]time.Duration{}
	for _, e := range l.Entries(t) {
		if e.Who == burials {
			n := 0
			scan(e.Text, "buried %d", &n)
			buried[n] = e.At
			continue
		}
		who, err := strconv.Atoi(e.Who)
		if err != nil {
			t.Fatal(err)
		}
		who--
		last[who] = e.At
		var word string
		switch {
		case scan(e.Text, "call %s", &word):
			open[who] = &porcupine.Operation{ClientId: who, Input: action{who: who, what: word}, Call: int64(e.At), Output: pending, Return: math.MaxInt64}
		default:
			o := open[who]
			o.Output, o.Return = e.Text[len("back "):], int64(e.At)
			history = append(history, *o)
			delete(open, who)
		}
	}
	in := map[int]string{}
	for who, o := range open {
		in[who] = o.Input.(action).what
		if procs[who].ExitSignal() == 0 {
			t.Fatalf("%d left in the middle of %v", who, o.Input)
		}
		o.Return = int64(buried[who])
		history = append(history, *o)
	}
	for who, p := range procs {
		if p.ExitSignal() != 0 { // it died some time after its last word
			history = append(history, porcupine.Operation{
				ClientId: 1000 + who, Input: action{who, "die", in[who]}, Output: ok, Call: int64(last[who]), Return: int64(buried[who]),
			})
		}
	}
	return history
}

// A gathering is what recorders share. start starts the one with a number, counted from 1, and
// end looks at what is left when all are gone.
type gathering struct {
	start func(who int64, ledger string) *shmtest.Proc
	end   func()
}

// areLinearizable records histories in several processes, some of which are killed, and looks
// whether all could have happened one after the other. meet makes what they share.
func areLinearizable(t *testing.T, model porcupine.Model, meet func(t *testing.T, ledger string) gathering) {
	t.Helper()
	runs := 3
	switch {
	case shmtest.Soaking():
		runs = 100
	case testing.Short():
		runs = 1
	}
	for range runs {
		l := shmtest.NewLedger(t)
		g := meet(t, l.Path())
		page, err := shmtest.OpenLedger(l.Path(), burials)
		must(t, err)
		procs, buried := map[int]*shmtest.Proc{}, map[int]bool{}
		shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 3, Kills: 30, Pause: 4 * time.Millisecond}, func(n int) *shmtest.Proc {
			for who, p := range procs {
				if p.Ended() && !buried[who] {
					must(t, page.Note("buried %d", who))
					buried[who] = true
				}
			}
			procs[n] = g.start(int64(n+1), l.Path())
			return procs[n]
		})
		g.end()
		must(t, page.Close())
		history := historyOf(t, l, procs)
		result, _ := porcupine.CheckOperationsVerbose(model, history, shmtest.Failsafe)
		outcomes := map[string]int{}
		for _, o := range history {
			outcomes[o.Output.(string)]++
		}
		t.Logf("%d operations, %v: %v", len(history), outcomes, result)
		if result == porcupine.Illegal {
			t.Errorf("no order explains what happened")
		}
	}
}

// did is an action in a history that somebody made up.
func did(who int, what, out string, call, back int64) porcupine.Operation {
	return porcupine.Operation{ClientId: who, Input: action{who: who, what: what}, Output: out, Call: call, Return: back}
}

// findsFaults fails unless the model finds something wrong with each of the bad histories, and
// nothing with the good ones. A checker that finds nothing wrong with anything would be content.
func findsFaults(t *testing.T, model porcupine.Model, bad, good map[string][]porcupine.Operation) {
	t.Helper()
	for name, h := range bad {
		if porcupine.CheckOperations(model, h) {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
	for name, h := range good {
		if !porcupine.CheckOperations(model, h) {
			t.Errorf("%s: is a fault", name)
		}
	}
}
