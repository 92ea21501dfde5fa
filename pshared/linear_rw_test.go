package pshared_test

import (
	"math"
	"testing"

	"github.com/anishathalye/porcupine"

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
}

// Actions: read, tryread, done, write, trywrite, unlock, repair, abandon.
var rwMutexModel = behaviour[rwModel]{
	die: func(s rwModel, a action) rwModel {
		me := a.who + 1
		s.dirty = s.dirty || s.writer == me || s.closer == me
		if s.writer == me {
			s.writer = 0
		}
		if s.closer == me {
			s.closer = 0
		}
		s.readers &^= 1 << a.who
		return s
	},
	step: func(s rwModel, a action, out string) (bool, rwModel) {
		me, bit := a.who+1, uint64(1)<<a.who
		free := s.writer == 0 && s.closer == 0
		switch a.what {
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
			if s.writer != me || a.what == "unlock" && s.dirty {
				return false, s
			}
			s.writer = 0
		}
		return true, s
	},
}.model()

// rwRecorder is one of rwRoles.
func rwRecorder(c *clerk, args []string) error {
	return record(args[0], c.who, &c.d.A, c.recordTurn, c.s)
}

func (c *clerk) recordTurn(r *recording, n int64) (err error) {
	var out string
	writes := n%6 > 2
	switch n % 6 {
	case 0, 1:
		out, err = r.do("read", limit(n, c.rw.RLock))
	case 2:
		out, err = r.do("tryread", try(c.rw.TryRLock))
	case 3, 4:
		out, err = r.do("write", limit(n, c.rw.Lock))
	case 5:
		out, err = r.do("trywrite", try(c.rw.TryLock))
	}
	if out == ok || out == told && writes {
		dwell(n)
	}
	switch {
	case err != nil:
		return err
	case !writes && out == ok:
		return r.must("done", c.rw.RUnlock)
	case writes && out == told && n%4 == 0:
		return r.must("abandon", c.rw.Abandon)
	case writes && out == told:
		if err := r.must("repair", c.rw.MakeConsistent); err != nil {
			return err
		}
		return r.must("unlock", c.rw.Unlock)
	case writes && out == ok:
		return r.must("unlock", c.rw.Unlock)
	}
	return nil
}

func TestRWHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	areLinearizable(t, rwMutexModel, func(t *testing.T, _ string) gathering {
		dir := shmtest.Dir(t)
		keep := mustOpenLibrary(t, dir, 1<<40)
		return gathering{
			start: func(who int64, ledger string) *shmtest.Proc { return startRW(t, dir, who, "recorder", ledger) },
			end: func() {
				told, err := tolds(keep.rw.Lock(limited(t)))
				must(t, err)
				if told {
					must(t, keep.rw.MakeConsistent())
				}
				must(t, keep.rw.Unlock())
			},
		}
	})
}

func TestTheRWModelFindsFaults(t *testing.T) {
	findsFaults(t, rwMutexModel, map[string][]porcupine.Operation{
		"two write":                {did(0, "write", ok, 1, 2), did(1, "write", ok, 3, 4)},
		"one reads, one writes":    {did(0, "read", ok, 1, 2), did(1, "write", ok, 3, 4)},
		"one writes, one reads":    {did(0, "write", ok, 1, 2), did(1, "read", ok, 3, 4)},
		"a writer is not told":     {did(0, "write", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "write", ok, 5, 6)},
		"a reader gets in":         {did(0, "write", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "read", ok, 5, 6)},
		"told for nothing":         {did(0, "write", told, 1, 2)},
		"read told for nothing":    {did(0, "read", told, 1, 2)},
		"told of a dead reader":    {did(0, "read", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "write", told, 5, 6)},
		"told after the repair":    {did(0, "write", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "write", told, 5, 6), did(1, "repair", ok, 7, 8), did(1, "unlock", ok, 9, 10), did(2, "read", told, 11, 12)},
		"stolen from the living":   {did(0, "write", ok, 1, 2), did(1, "write", told, 3, 4), did(0, "unlock", ok, 5, 6)},
		"done without having read": {did(0, "done", ok, 1, 2)},
	}, map[string][]porcupine.Operation{
		"two read":                         {did(0, "read", ok, 1, 2), did(1, "read", ok, 3, 4), did(0, "done", ok, 5, 6), did(1, "done", ok, 7, 8), did(2, "write", ok, 9, 10)},
		"an unlock, and then a death":      {did(0, "write", ok, 1, 2), did(0, "unlock", pending, 3, math.MaxInt64), did(0, "die", ok, 3, math.MaxInt64), did(1, "write", told, 5, 6)},
		"died waiting for readers":         {did(0, "read", ok, 1, 2), did(1, "write", pending, 3, math.MaxInt64), did(1, "die", ok, 3, math.MaxInt64), did(2, "read", told, 5, 6), did(0, "done", ok, 7, 8), did(2, "write", told, 9, 10)},
		"a dead reader is in no one's way": {did(0, "read", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "write", ok, 5, 6)},
	})
}
