package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/shmtest"
)

// What the semaphore does, one step after the other: what each participant holds. A try may be
// refused because others wait, which the model does not know of.
type permitModel struct{ held [64]int8 }

// Actions: acquireN, tryN, releaseN, of more than is held as well.
var semaphoreModel = behaviour[permitModel]{
	die: func(s permitModel, a action) permitModel {
		s.held[a.who] = 0
		return s
	},
	step: func(s permitModel, a action, out string) (bool, permitModel) {
		free := int8(poolPermits)
		for _, n := range s.held {
			free -= n
		}
		n := int8(a.what[len(a.what)-1] - '0')
		switch a.what[:len(a.what)-1] {
		case "acquire", "try":
			switch {
			case out == gaveUp, out == refused:
				return true, s
			case n > free:
				return out == pending, s
			}
			s.held[a.who] += n
		case "release":
			if n > s.held[a.who] {
				return out == notHeld, s
			}
			if out == notHeld {
				return false, s
			}
			s.held[a.who] -= n
		}
		return true, s
	},
}.model()

// poolRecorder is one of poolRoles.
func poolRecorder(b *bather, args []string) error {
	return record(args[0], b.who, &b.d.Turns, b.recordTurn, b.s)
}

func (b *bather) recordTurn(r *recording, n int64) (err error) {
	want := n%poolPermits + 1
	var out string
	if n%4 == 0 {
		out, err = r.do(fmt.Sprint("try", want), try(func() (bool, error) { return b.sem.TryAcquire(want) }))
	} else {
		out, err = r.do(fmt.Sprint("acquire", want), limit(n, func(ctx context.Context) error { return b.sem.Acquire(ctx, want) }))
	}
	if err != nil || out != ok {
		return err
	}
	dwell(n)
	if n%7 == 0 {
		_, err = r.do(fmt.Sprint("release", want+1), func() error { return b.sem.Release(want + 1) })
	}
	for range want { // one by one
		err = errors.Join(err, r.must("release1", func() error { return b.sem.Release(1) }))
	}
	return err
}

func TestSemaphoreHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	areLinearizable(t, semaphoreModel, func(t *testing.T, _ string) gathering {
		dir := shmtest.Dir(t)
		keep := mustOpenPool(t, dir, 1<<40)
		return gathering{
			start: func(who int64, ledger string) *shmtest.Proc { return startPool(t, dir, who, "recorder", ledger) },
			end:   func() { refill(t, keep) },
		}
	})
}

func TestTheSemaphoreModelFindsFaults(t *testing.T) {
	findsFaults(t, semaphoreModel, map[string][]porcupine.Operation{
		"more than there are":       {did(0, "acquire2", ok, 1, 2), did(1, "acquire2", ok, 3, 4)},
		"released more than held":   {did(0, "acquire1", ok, 1, 2), did(0, "release2", ok, 3, 4)},
		"notHeld to release":        {did(0, "acquire2", ok, 1, 2), did(0, "release2", notHeld, 3, 4)},
		"another's":                 {did(0, "acquire1", ok, 1, 2), did(1, "release1", ok, 3, 4)},
		"came back twice":           {did(0, "acquire1", ok, 1, 2), did(1, "acquire2", ok, 3, 4), did(0, "die", ok, 5, 6), did(2, "acquire1", ok, 7, 8), did(3, "acquire1", ok, 9, 10)},
		"taken from one who lives":  {did(0, "acquire3", ok, 1, 2), did(1, "acquire1", ok, 3, 4)},
		"a try beyond what is free": {did(0, "acquire3", ok, 1, 2), did(1, "try1", ok, 3, 4)},
	}, map[string][]porcupine.Operation{
		"permits of the dead that came back": {did(0, "acquire3", ok, 1, 2), did(0, "die", ok, 3, 4), did(1, "acquire3", ok, 5, 6), did(1, "release1", ok, 7, 8), did(2, "try1", ok, 9, 10)},
	})
}
