package pshared_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/pshared"
)

// running is what a function for Do does until it is told to return something.
type running struct{ began, let, ended chan error }

// beginOnce returns when the function runs; with an error if it is not to be run.
func beginOnce(h *hands, ctx context.Context) (string, error) {
	h.running = running{make(chan error), make(chan error), make(chan error, 1)}
	go func() {
		h.running.ended <- h.once.Do(ctx, func() error {
			h.running.began <- nil
			select {
			case err := <-h.running.let:
				return err
			case <-ctx.Done(): // the test has failed
				return ctx.Err()
			}
		})
	}()
	select {
	case err := <-h.running.began:
		return "", err
	case err := <-h.running.ended:
		return "not run", err
	}
}

// endOnce makes the function return err.
func endOnce(err error) op {
	return func(h *hands, _ context.Context) (string, error) {
		h.running.let <- err
		if got := <-h.running.ended; !errors.Is(got, err) {
			return "", fmt.Errorf("the function returned %v, and Do %w", err, got)
		}
		return "", nil
	}
}

func onceOf(h *hands) *pshared.Once { return h.once }

var onceConduct = &primitive{
	name: "once",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.once, s.Once(&s.Data().Once))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		once, err := pshared.OpenOnce("x", o)
		return opened(h, &h.once, once, err)
	},
	ops: map[string]op{
		"do": func(h *hands, ctx context.Context) (said string, err error) {
			err = h.once.Do(ctx, func() error { said = "ran"; return nil })
			return said, err
		},
		"try":    tryOp(onceOf, func(o *pshared.Once) (bool, error) { return o.TryDo(never) }),
		"done":   tryOp(onceOf, (*pshared.Once).Done),
		"begin":  beginOnce,
		"return": endOnce(nil), "fail": endOnce(errFunction),
	},
	contract: map[string]string{
		"it is done once": `
			a done: refused
			b begin: ok
			a try: refused
			c do ...
			b return: ok
			c: ok
			a done: ok
			a do: ok
			b begin: not run`,
		"a function that fails": `
			b begin: ok
			c do ...
			b fail: ok
			c: ran
			a do: ok
			b do: ok`,
		"giving up": `
			a begin: ok
			b do ...
			b gives up
			b: gave up
			a return: ok
			b do: ok`,
		"closing": `
			a begin: ok
			a close: held
			b do ...
			c do ...
			b close: ok
			b: closed
			b do: closed
			a return: ok
			c: ok`,
	},
	deaths: map[string]string{
		"of the runner": `
			b begin: ok
			c do ...
			a try: refused
			kill b
			c: ran
			a do: ok
			a done: ok`,
		"of a runner nobody waits for": `
			b begin: ok
			kill b
			a done: refused
			a do: ran
			c do: ok`,
		"of a runner whose successor fails": `
			b begin: ok
			kill b
			c begin: ok
			c fail: ok
			a do: ran
			c do: ok`,
		"of who has done it": `
			b do: ran
			kill b
			c do: ok
			a done: ok`,
		"of a waiter": `
			a begin: ok
			b do ...
			c do ...
			stop b
			a return: ok
			kill b
			c: ok
			c done: ok`,
	},
}
