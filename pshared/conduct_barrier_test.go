package pshared_test

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/pshared"
)

func barrierOf(h *hands) *pshared.Barrier { return h.barrier }

// conductParties is how many a phase takes: two who wait, and one who comes last.
const conductParties = 3

var barrierConduct = &primitive{
	name: "barrier",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.barrier, s.Barrier(&s.Data().Barrier, conductParties))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		b, err := pshared.OpenBarrier("x", conductParties, o)
		return opened(h, &h.barrier, b, err)
	},
	ops: map[string]op{
		"wait": func(h *hands, ctx context.Context) (string, error) {
			index, err := h.barrier.Wait(ctx)
			return fmt.Sprint("number ", index), err
		},
		"try":   tryOp(barrierOf, (*pshared.Barrier).TryWait),
		"reset": waitOp(barrierOf, (*pshared.Barrier).Reset),
	},
	contract: map[string]string{
		"all go through together": `
			a try: refused
			b wait ...
			a try: refused
			c wait ...
			a wait: number 2
			b: number 0
			c: number 1
			c wait ...
			a wait ...
			b try: ok
			c: number 0
			a: number 1`,
		"giving up": `
			b wait ...
			b gives up
			b: gave up
			c wait ...
			a try: refused
			b wait ...
			a try: ok
			c: number 0
			b: number 1`,
		"closing": `
			b wait ...
			c wait ...
			b close: ok
			b: closed
			b wait: closed
			a try: refused
			d wait ...
			a wait: number 2
			c: number 1
			d: number 1`,
	},
	deaths: map[string]string{
		"of a party that waits": `
			b wait ...
			c wait ...
			kill b
			c: broken
			a wait: broken
			a try: broken
			d wait: broken
			c reset: ok
			c wait ...
			d wait ...
			a wait: number 2
			c: number 0
			d: number 1`,
		"of nobody, and who was stopped is waited for": `
			b try: refused
			stop b
			c wait ...
			a wait ...
			continue b
			b wait: number 2
			c: number 0
			a: number 1`,
		"of a party that never came": `
			b try: refused
			c wait ...
			kill b
			c: broken
			a wait: broken
			a reset: ok
			c wait ...
			d wait ...
			a wait: number 2
			c: number 0
			d: number 1`,
		"of one that had left": `
			b wait ...
			b gives up
			b: gave up
			b close: ok
			kill b
			c wait ...
			d wait ...
			a wait: number 2
			c: number 0
			d: number 1`,
	},
}
