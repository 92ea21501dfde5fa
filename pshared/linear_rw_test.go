package pshared_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What the readers/writers lock does, one step after the other.
type rwModel struct {
	readers uint64 // participants, as a set of bits
	writer  int    // participant + 1, 0 nobody
	// closer waits for readers to go, and will not live to see it: participant + 1. It keeps
	// others out, and its death is told, as if it had been inside.
	closer int
	dirty  bool // a writer died inside, and nobody has repaired since
	dead   uint64
}

// Operations: read, tryread, done, write, trywrite, unlock, repair, abandon, die.
var rwMutexModel = porcupine.Model{
	Init:  func() any { return rwModel{} },
	Equal: func(a, b any) bool { return a == b },
	Step: func(state, input, output any) (bool, any) {
		s, op, out := state.(rwModel), input.(lockOp), output.(string)
		me, bit := op.who+1, uint64(1)<<op.who
		if op.what == "die" {
			s.dirty = s.dirty || s.writer == me || s.closer == me
			if s.writer == me {
				s.writer = 0
			}
			if s.closer == me {
				s.closer = 0
			}
			s.readers &^= bit
			s.dead |= bit
			return true, s
		}
		if s.dead&bit != 0 { // what it had begun did not happen
			return out == pending, s
		}
		free := s.writer == 0 && s.closer == 0
		switch op.what {
		case "read", "tryread":
			switch {
			case out == gaveUp, out == refused: // a try is refused also by who is about to have it
				return true, s
			case out == told:
				return free && s.dirty, s
			case !free || s.dirty:
				return out == pending, s
			}
			s.readers |= bit
		case "write", "trywrite":
			switch {
			case out == gaveUp, out == refused:
				return true, s
			case out == pending && free && s.readers != 0:
				s.closer = me
				return true, s
			case !free || s.readers != 0:
				return out == pending, s
			case out == told && !s.dirty, out == ok && s.dirty:
				return false, s
			}
			s.writer = me
		case "done":
			if s.readers&bit == 0 {
				return false, s
			}
			s.readers &^= bit
		case "repair":
			if s.writer != me {
				return false, s
			}
			s.dirty = false
		case "unlock", "abandon":
			if s.writer != me || op.what == "unlock" && s.dirty {
				return false, s
			}
			s.writer = 0
		}
		return true, s
	},
	DescribeOperation: mutexModel.DescribeOperation,
}

// rwRecorder does lock operations and writes down when it began and when it knew.
func rwRecorder(c *clerk, args []string) (err error) {
	if c.notes, err = takeNotes(args[0], c.who); err != nil {
		return err
	}
	do := func(what string, f func() error) (out string, err error) {
		if err := c.notes.note("call %s", what); err != nil {
			return "", err
		}
		switch err := f(); {
		case errors.Is(err, pshared.ErrOwnerDead):
			out = told
		case errors.Is(err, context.DeadlineExceeded):
			out = gaveUp
		case errors.Is(err, errRefused):
			out = refused
		case err != nil:
			return "", err
		default:
			out = ok
		}
		return out, c.notes.note("back %s", out)
	}
	limit := func(n int, f func(context.Context) error) func() error {
		return func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%5)*time.Millisecond)
			defer cancel()
			return f(ctx)
		}
	}
	try := func(f func() (bool, error)) func() error {
		return func() error {
			held, err := f()
			if !held && err == nil {
				return errRefused
			}
			return err
		}
	}
	for n := int(c.who); ; n++ {
		select {
		case <-shmtest.Dismissed():
			return errors.Join(c.s.Close(), c.notes.Close())
		default:
		}
		var out string
		writes := false
		switch n % 6 {
		case 0, 1:
			out, err = do("read", limit(n, c.rw.RLock))
		case 2:
			out, err = do("tryread", try(c.rw.TryRLock))
		case 3, 4:
			writes = true
			out, err = do("write", limit(n, c.rw.Lock))
		case 5:
			writes = true
			out, err = do("trywrite", try(c.rw.TryLock))
		}
		if out == ok || out == told && writes {
			for range n % 3 {
				runtime.Gosched()
			}
		}
		switch {
		case err != nil:
		case !writes && out == ok:
			_, err = do("done", c.rw.RUnlock)
		case writes && out == told && n%4 == 0:
			_, err = do("abandon", c.rw.Abandon)
		case writes && out == told:
			if _, err = do("repair", c.rw.MakeConsistent); err == nil {
				_, err = do("unlock", c.rw.Unlock)
			}
		case writes && out == ok:
			_, err = do("unlock", c.rw.Unlock)
		}
		if err != nil {
			return err
		}
		if c.d.A.Add(1)%16 == 0 { // histories that can be checked are short
			time.Sleep(time.Millisecond) // sleep-ok: it is the load that is bounded
		}
	}
}

// Histories of readers and writers in several processes, some of which are killed, are such
// that all could have happened one after the other.
func TestRWHistoriesAreLinearizable(t *testing.T) {
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
		keep := mustOpenLibrary(t, dir, 1<<40)
		l := shmtest.NewLedger(t)
		procs := map[int]*shmtest.Proc{}
		shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 3, Kills: 8, Pause: 4 * time.Millisecond}, func(n int) *shmtest.Proc {
			procs[n] = startRW(t, dir, int64(n+1), "recorder", l.Path())
			return procs[n]
		})
		history := historyOf(t, l, procs)
		result, _ := porcupine.CheckOperationsVerbose(rwMutexModel, history, shmtest.Failsafe)
		outcomes := map[string]int{}
		for _, o := range history {
			outcomes[o.Output.(string)]++
		}
		t.Logf("%d operations, %v: %v", len(history), outcomes, result)
		if result == porcupine.Illegal {
			t.Errorf("no order explains what happened")
		}
		told, err := tolds(keep.rw.Lock(limited(t)))
		must(t, err)
		if told {
			must(t, keep.rw.MakeConsistent())
		}
		must(t, keep.rw.Unlock())
	}
}

// A checker that finds nothing wrong with anything would be content.
func TestTheRWModelFindsFaults(t *testing.T) {
	op := func(who int, what, out string, call, back int64) porcupine.Operation {
		return porcupine.Operation{ClientId: who, Input: lockOp{who, what}, Output: out, Call: call, Return: back}
	}
	for name, h := range map[string][]porcupine.Operation{
		"two write":                {op(0, "write", ok, 1, 2), op(1, "write", ok, 3, 4)},
		"one reads, one writes":    {op(0, "read", ok, 1, 2), op(1, "write", ok, 3, 4)},
		"one writes, one reads":    {op(0, "write", ok, 1, 2), op(1, "read", ok, 3, 4)},
		"a writer is not told":     {op(0, "write", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "write", ok, 5, 6)},
		"a reader gets in":         {op(0, "write", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "read", ok, 5, 6)},
		"told for nothing":         {op(0, "write", told, 1, 2)},
		"read told for nothing":    {op(0, "read", told, 1, 2)},
		"told of a dead reader":    {op(0, "read", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "write", told, 5, 6)},
		"told after the repair":    {op(0, "write", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "write", told, 5, 6), op(1, "repair", ok, 7, 8), op(1, "unlock", ok, 9, 10), op(2, "read", told, 11, 12)},
		"stolen from the living":   {op(0, "write", ok, 1, 2), op(1, "write", told, 3, 4), op(0, "unlock", ok, 5, 6)},
		"done without having read": {op(0, "done", ok, 1, 2)},
	} {
		if porcupine.CheckOperations(rwMutexModel, h) {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
	for name, h := range map[string][]porcupine.Operation{
		"two read":                         {op(0, "read", ok, 1, 2), op(1, "read", ok, 3, 4), op(0, "done", ok, 5, 6), op(1, "done", ok, 7, 8), op(2, "write", ok, 9, 10)},
		"an unlock, and then a death":      {op(0, "write", ok, 1, 2), op(0, "unlock", pending, 3, math.MaxInt64), op(0, "die", ok, 3, math.MaxInt64), op(1, "write", told, 5, 6)},
		"died waiting for readers":         {op(0, "read", ok, 1, 2), op(1, "write", pending, 3, math.MaxInt64), op(1, "die", ok, 3, math.MaxInt64), op(2, "read", told, 5, 6), op(0, "done", ok, 7, 8), op(2, "write", told, 9, 10)},
		"a dead reader is in no one's way": {op(0, "read", ok, 1, 2), op(0, "die", ok, 3, 4), op(1, "write", ok, 5, 6)},
	} {
		if !porcupine.CheckOperations(rwMutexModel, h) {
			t.Errorf("%s: is a fault", name)
		}
	}
}
