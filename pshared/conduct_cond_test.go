package pshared_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/pshared"
)

// waitForCond locks the mutex and waits for the condition. However it ends, the mutex is free
// again, and in order.
func waitForCond(h *hands, ctx context.Context) (string, error) {
	if err := h.mu.Lock(ctx); err != nil {
		return "", err
	}
	err := h.cond.Wait(ctx, h.mu)
	switch {
	case errors.Is(err, pshared.ErrOwnerDead):
		return "", errors.Join(err, h.mu.MakeConsistent(), h.mu.Unlock())
	case err == nil, errors.Is(err, ctx.Err()):
		return "", errors.Join(err, h.mu.Unlock())
	}
	return "", err
}

func condOf(h *hands) *pshared.Cond { return h.cond }

var condConduct = &primitive{
	name: "cond",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.mu, s.Mutex(&s.Data().Mutex))
		has(h, &h.cond, s.Cond(&s.Data().Cond))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		c, err := pshared.OpenCond("x", o)
		if err = opened(h, &h.cond, c, err); err != nil {
			return err
		}
		mu, err := pshared.OpenMutex("x", o)
		err = opened(h, &h.mu, mu, err)
		h.at = c
		return err
	},
	ops: map[string]op{
		"wait":      waitForCond,
		"signal":    plainOp(condOf, (*pshared.Cond).Signal),
		"broadcast": plainOp(condOf, (*pshared.Cond).Broadcast),
		"lock":      mutexOps["lock"], "unlock": mutexOps["unlock"], "mend": mutexOps["mend"],
		"waiting": func(h *hands, _ context.Context) (string, error) {
			n, signals := h.cond.Waiting()
			return fmt.Sprintf("%d, %d signals", n, signals), nil
		},
	},
	contract: map[string]string{
		"a signal for one": `
			a signal: ok
			b wait ...
			c wait ...
			a waiting: 2, 0 signals
			a signal: ok
			a signal: ok
			b: ok
			c: ok
			a waiting: 0, 0 signals`,
		"a broadcast for all": `
			b wait ...
			c wait ...
			a lock: ok
			a broadcast: ok
			a waiting: 2, 2 signals
			a unlock: ok
			b: ok
			c: ok`,
		"giving up": `
			b wait ...
			c wait ...
			b gives up
			b: gave up
			a signal: ok
			c: ok
			a waiting: 0, 0 signals`,
		"closing": `
			b wait ...
			c wait ...
			b close: ok
			b: closed
			b signal: closed
			a signal: ok
			c: ok
			a waiting: 0, 0 signals`,
	},
	deaths: map[string]string{
		"of who has a signal": `
			b wait ...
			stop b
			a signal: ok
			a waiting: 1, 1 signals
			c wait ...
			kill b
			c: ok
			a waiting until 0, 0 signals`,
		"of who has none": `
			b wait ...
			c wait ...
			kill b
			a sweep: 1
			a waiting: 1, 0 signals
			a signal: ok
			c: ok`,
		"of who has the mutex": `
			c wait ...
			b lock: ok
			a signal: ok
			kill b
			c: told
			a lock: ok
			a unlock: ok`,
	},
}
