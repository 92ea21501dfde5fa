package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What the semaphore does, one step after the other: what each participant holds. A try may be
// refused because others wait, which the model does not know of.
type permitModel struct {
	held [64]int8
	dead uint64
}

// Operations: acquireN, tryN, releaseN, excess (more than is held), die.
var semaphoreModel = porcupine.Model{
	Init:  func() any { return permitModel{} },
	Equal: func(a, b any) bool { return a == b },
	Step: func(state, input, output any) (bool, any) {
		s, op, out := state.(permitModel), input.(lockOp), output.(string)
		bit := uint64(1) << op.who
		if op.what == "die" {
			s.held[op.who] = 0
			s.dead |= bit
			return true, s
		}
		if s.dead&bit != 0 { // what it had begun did not happen
			return out == pending, s
		}
		free := int8(poolPermits)
		for _, n := range s.held {
			free -= n
		}
		n := int8(op.what[len(op.what)-1] - '0')
		switch op.what[:len(op.what)-1] {
		case "acquire", "try":
			switch {
			case out == gaveUp, out == refused:
				return true, s
			case n > free:
				return out == pending, s
			}
			s.held[op.who] += n
		case "release":
			if n > s.held[op.who] {
				return out == refused, s
			}
			if out == refused {
				return false, s
			}
			s.held[op.who] -= n
		}
		return true, s
	},
	DescribeOperation: mutexModel.DescribeOperation,
}

// poolRecorder takes and gives back permits, and writes down when it began and when it knew.
func poolRecorder(b *bather, args []string) (err error) {
	if b.notes, err = takeNotes(args[0], b.who); err != nil {
		return err
	}
	do := func(what string, n int64, f func() error) (out string, err error) {
		if err := b.notes.note("call %s%d", what, n); err != nil {
			return "", err
		}
		switch err := f(); {
		case errors.Is(err, context.DeadlineExceeded):
			out = gaveUp
		case errors.Is(err, errRefused), errors.Is(err, pshared.ErrNotHeld):
			out = refused
		case err != nil:
			return "", err
		default:
			out = ok
		}
		return out, b.notes.note("back %s", out)
	}
	for n := b.who; ; n++ {
		select {
		case <-shmtest.Dismissed():
			return errors.Join(b.s.Close(), b.notes.Close())
		default:
		}
		want := n%poolPermits + 1
		var out string
		var err error
		if n%4 == 0 {
			out, err = do("try", want, func() error {
				ok, err := b.sem.TryAcquire(want)
				if !ok && err == nil {
					return errRefused
				}
				return err
			})
		} else {
			out, err = do("acquire", want, func() error {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%5)*time.Millisecond)
				defer cancel()
				return b.sem.Acquire(ctx, want)
			})
		}
		if err == nil && out == ok {
			for range n % 3 {
				runtime.Gosched()
			}
			if n%7 == 0 {
				_, err = do("release", want+1, func() error { return b.sem.Release(want + 1) })
			}
			for range want { // one by one
				if err == nil {
					_, err = do("release", 1, func() error { return b.sem.Release(1) })
				}
			}
		}
		if err != nil {
			return err
		}
		if b.d.Turns.Add(1)%16 == 0 { // histories that can be checked are short
			time.Sleep(time.Millisecond) // sleep-ok: it is the load that is bounded
		}
	}
}

// Histories of several processes, some of which are killed, are such that all could have happened
// one after the other.
func TestSemaphoreHistoriesAreLinearizable(t *testing.T) {
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
		keep := mustOpenPool(t, dir, 1<<40)
		l := shmtest.NewLedger(t)
		procs := map[int]*shmtest.Proc{}
		shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 3, Kills: 8, Pause: 4 * time.Millisecond}, func(n int) *shmtest.Proc {
			procs[n] = startPool(t, dir, int64(n+1), "recorder", l.Path())
			return procs[n]
		})
		history := historyOf(t, l, procs)
		result, _ := porcupine.CheckOperationsVerbose(semaphoreModel, history, shmtest.Failsafe)
		outcomes := map[string]int{}
		for _, o := range history {
			outcomes[fmt.Sprint(o.Output)]++
		}
		t.Logf("%d operations, %v: %v", len(history), outcomes, result)
		if result == porcupine.Illegal {
			t.Errorf("no order explains what happened")
		}
		refill(t, keep)
	}
}

// A checker that finds nothing wrong with anything would be content.
func TestTheSemaphoreModelFindsFaults(t *testing.T) {
	op := func(who int, what, out string, call, back int64) porcupine.Operation {
		return porcupine.Operation{ClientId: who, Input: lockOp{who, what}, Output: out, Call: call, Return: back}
	}
	for name, h := range map[string][]porcupine.Operation{
		"more than there are":       {op(0, "acquire2", ok, 1, 2), op(1, "acquire2", ok, 3, 4)},
		"released more than held":   {op(0, "acquire1", ok, 1, 2), op(0, "release2", ok, 3, 4)},
		"refused to release":        {op(0, "acquire2", ok, 1, 2), op(0, "release2", refused, 3, 4)},
		"another's":                 {op(0, "acquire1", ok, 1, 2), op(1, "release1", ok, 3, 4)},
		"came back twice":           {op(0, "acquire1", ok, 1, 2), op(1, "acquire2", ok, 3, 4), op(0, "die", ok, 5, 6), op(2, "acquire1", ok, 7, 8), op(3, "acquire1", ok, 9, 10)},
		"taken from one who lives":  {op(0, "acquire3", ok, 1, 2), op(1, "acquire1", ok, 3, 4)},
		"a try beyond what is free": {op(0, "acquire3", ok, 1, 2), op(1, "try1", ok, 3, 4)},
	} {
		if porcupine.CheckOperations(semaphoreModel, h) {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
	good := []porcupine.Operation{op(0, "acquire3", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "acquire3", ok, 5, 6), op(1, "release1", ok, 7, 8), op(2, "try1", ok, 9, 10)}
	if !porcupine.CheckOperations(semaphoreModel, good) {
		t.Error("permits of the dead that came back are a fault")
	}
}
