package pshared_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/shmtest"
)

// What the lock does, one step after the other.
type lockModel struct {
	holder int  // participant + 1, 0 nobody
	dirty  bool // an owner died, and nobody has repaired since
}

// Actions: lock, try, unlock, repair, abandon.
var mutexModel = behaviour[lockModel]{
	die: func(s lockModel, a action) lockModel {
		if s.holder == a.who+1 {
			s.holder, s.dirty = 0, true
		}
		return s
	},
	step: func(s lockModel, a action, out string) (bool, lockModel) {
		me := a.who + 1
		switch a.what {
		case "lock", "try":
			free := s.holder == 0
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
			if s.holder != me || a.what == "unlock" && s.dirty {
				return false, s
			}
			s.holder = 0
		}
		return true, s
	},
}.model()

// recorder is a role.
func recorder(b *teller, args []string) error {
	return record(args[0], b.who, &b.d.A, b.recordTurn, b.s)
}

func (b *teller) recordTurn(r *recording, n int64) (err error) {
	out := ""
	if n%3 == 0 {
		out, err = r.do("try", try(b.mu.TryLock))
	} else {
		out, err = r.do("lock", limit(n, b.mu.Lock))
	}
	switch {
	case err != nil:
		return err
	case out == told && n%4 == 0:
		return r.must("abandon", b.mu.Abandon)
	case out == told:
		if err := r.must("repair", b.mu.MakeConsistent); err != nil {
			return err
		}
		return r.must("unlock", b.mu.Unlock)
	case out == ok:
		dwell(n)
		return r.must("unlock", b.mu.Unlock)
	}
	return nil
}

func TestHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	areLinearizable(t, mutexModel, func(t *testing.T, _ string) gathering {
		dir := shmtest.Dir(t)
		keep := mustOpenBank(t, dir, 1<<40)
		return gathering{
			start: func(who int64, ledger string) *shmtest.Proc {
				return shmtest.Start(t, "recorder", dir, fmt.Sprint(who), ledger)
			},
			end: func() {
				told, err := tolds(keep.mu.Lock(limited(t)))
				must(t, err)
				if told {
					must(t, keep.mu.MakeConsistent())
				}
				unlock(t, keep.mu)
			},
		}
	})
}

func TestTheModelFindsFaults(t *testing.T) {
	findsFaults(t, mutexModel, map[string][]porcupine.Operation{
		"two hold it":                 {did(0, "lock", ok, 1, 2), did(1, "lock", ok, 3, 4)},
		"not told":                    {did(0, "lock", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "lock", ok, 5, 6)},
		"told for nothing":            {did(0, "lock", told, 1, 2)},
		"refused a free one":          {did(0, "try", refused, 1, 2)},
		"told again after the repair": {did(0, "lock", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "lock", told, 5, 6), did(1, "repair", ok, 7, 8), did(1, "unlock", ok, 9, 10), did(2, "lock", told, 11, 12)},
		"stolen from the living":      {did(0, "lock", ok, 1, 2), did(1, "lock", told, 3, 4), did(0, "unlock", ok, 5, 6)},
	}, map[string][]porcupine.Operation{
		"an unlock that death came before": {did(0, "lock", ok, 1, 2), did(0, "unlock", pending, 3, math.MaxInt64), did(0, "die", ok, 3, math.MaxInt64), did(1, "lock", told, 5, 6)},
	})
}
