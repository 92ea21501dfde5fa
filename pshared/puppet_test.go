package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// Hands are what a puppet has: handles of a primitive, and of what belongs to it.
type hands struct {
	closers []closer // in the order in which they are closed
	at      asleeper // whose goroutines sleep
	mu      *pshared.Mutex
	rw      *pshared.RWMutex
	sem     *pshared.Semaphore
	count   *pshared.CountingSemaphore
	cond    *pshared.Cond
	event   *pshared.Event
	barrier *pshared.Barrier
	once    *pshared.Once
	running running
}

type closer interface{ Close() error }

// An asleeper knows how many goroutines of its handle sleep, and cleans up after the dead.
type asleeper interface {
	Asleep() int
	Sweep() (int, error)
}

func (h *hands) Close() (err error) {
	for _, c := range h.closers {
		err = errors.Join(err, c.Close())
	}
	return err
}

// has makes hands have a handle, which sleeps and sweeps for them. A named one is closed alone.
func has[P interface {
	closer
	asleeper
}](h *hands, to *P, p P) {
	*to, h.at = p, p
}

// opened is has of what an open returned.
func opened[P interface {
	closer
	asleeper
}](h *hands, to *P, p P, err error) error {
	if err != nil {
		return err
	}
	has(h, to, p)
	h.closers = append(h.closers, p)
	return nil
}

// An op is something that can be done with hands. said is what is to be told of it if there is
// no error, "" is ok.
type op func(h *hands, ctx context.Context) (said string, err error)

// plainOp is an op that does not wait.
func plainOp[T any](of func(h *hands) T, f func(T) error) op {
	return func(h *hands, _ context.Context) (string, error) { return "", f(of(h)) }
}

// waitOp is an op that waits.
func waitOp[T any](of func(h *hands) T, f func(T, context.Context) error) op {
	return func(h *hands, ctx context.Context) (string, error) { return "", f(of(h), ctx) }
}

// tryOp is an op that may be refused.
func tryOp[T any](of func(h *hands) T, f func(T) (bool, error)) op {
	return func(h *hands, _ context.Context) (string, error) {
		return "", try(func() (bool, error) { return f(of(h)) })()
	}
}

// countOp is an op with a number.
func countOp[T any](of func(h *hands) T, f func(T) (int64, error)) op {
	return func(h *hands, _ context.Context) (string, error) {
		n, err := f(of(h))
		return strconv.FormatInt(n, 10), err
	}
}

// everyOp are the ops of all primitives.
var everyOp = map[string]op{
	"close": func(h *hands, _ context.Context) (string, error) { return "", h.Close() },
	"sweep": func(h *hands, _ context.Context) (string, error) {
		n, err := h.at.Sweep()
		return strconv.Itoa(n), err
	},
}

// outcomeOf is what an error means, in a word or two. known: it is one that is to be reckoned
// with.
func outcomeOf(err error) (said string, known bool) {
	var lost *pshared.TokensLostError
	switch {
	case err == nil:
		return ok, true
	case errors.As(err, &lost):
		return fmt.Sprint("lost ", lost.N), true
	case errors.Is(err, pshared.ErrOwnerDead):
		return told, true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return gaveUp, true
	case errors.Is(err, errRefused):
		return refused, true
	case errors.Is(err, pshared.ErrNotHeld):
		return notHeld, true
	case errors.Is(err, pshared.ErrClosed):
		return "closed", true
	case errors.Is(err, pshared.ErrHeld):
		return "held", true
	case errors.Is(err, pshared.ErrBroken):
		return "broken", true
	}
	return err.Error(), false
}

// puppet does what it hears: an op, which it begins, and says of how it ended, as "OP: OUTCOME";
// "give up" ends the contexts of those it has begun; "asleep" asks how many goroutines sleep.
func puppet(p *primitive, h *hands, hear func() (string, error), say func(string, ...any) error) error {
	var begun []context.CancelFunc
	giveUp := func() {
		for _, end := range begun {
			end()
		}
		begun = nil
	}
	defer giveUp()
	for {
		word, err := hear()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case word == "give up":
			giveUp()
			continue
		case word == "asleep":
			if err := say("asleep: %d", h.at.Asleep()); err != nil {
				return err
			}
			continue
		}
		f, ok := p.ops[word]
		if !ok {
			f, ok = everyOp[word]
		}
		if !ok {
			return fmt.Errorf("%s: told to %q", p.name, word)
		}
		ctx, end := context.WithCancel(context.Background())
		begun = append(begun, end)
		go func() {
			said, err := f(h, ctx)
			if err != nil || said == "" {
				said, _ = outcomeOf(err)
			}
			_ = say("%s: %s", word, said) // who does not hear it waits for it, and fails
		}()
	}
}

// puppetRole is a puppet in another process: its arguments are as of inherited, and the names of
// the ground and the primitive, and where.
func puppetRole(args []string) error {
	files, args, err := inherited(args)
	if err != nil {
		return err
	}
	g := grounds[slices.IndexFunc(grounds, func(g ground) bool { return g.name == args[0] })]
	p := primitives[slices.IndexFunc(primitives, func(p *primitive) bool { return p.name == args[1] })]
	h, err := g.open(p, args[2:], files)
	if err != nil {
		return err
	}
	if err := shmtest.Say("open: ok"); err != nil {
		return err
	}
	return puppet(p, h, shmtest.Hear, shmtest.Say)
}

var _ = addRoles(map[string]shmtest.Role{"puppet": puppetRole})

// An actor is a puppet, in this process or another, as the test sees it.
type actor struct {
	t    testing.TB
	name string
	proc *shmtest.Proc          // nil: in this process
	send func(line string)      // to the puppet
	next func() (string, error) // what it says
	said map[string]string      // by op, what was not asked for yet
	op   string                 // what it sleeps for
	gone bool                   // it was killed, or closed its handle
}

// actHere makes a puppet in this process.
func actHere(t testing.TB, name string, p *primitive, h *hands) *actor {
	orders, answers := make(chan string), make(chan string, 16)
	hear := func() (string, error) {
		line, more := <-orders
		if !more {
			return "", io.EOF
		}
		return line, nil
	}
	say := func(format string, args ...any) error {
		answers <- fmt.Sprintf(format, args...)
		return nil
	}
	end := begin(func() error { return puppet(p, h, hear, say) })
	t.Cleanup(func() {
		close(orders)
		if err := errors.Join(<-end, h.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	next := func() (string, error) {
		select {
		case line := <-answers:
			return line, nil
		case <-time.After(shmtest.Failsafe):
			return "", context.DeadlineExceeded
		}
	}
	return &actor{t: t, name: name, said: map[string]string{}, send: func(line string) { orders <- line }, next: next}
}

// actElsewhere makes a puppet in another process.
func actElsewhere(t testing.TB, name string, proc *shmtest.Proc) *actor {
	proc.Expect("open: ok")
	return &actor{t: t, name: name, proc: proc, said: map[string]string{}, send: proc.Send, next: proc.ReadLine}
}

// hear notes one line of what the puppet says.
func (a *actor) hear() {
	a.t.Helper()
	line, err := a.next()
	if err != nil {
		more := ""
		if a.proc != nil {
			more = a.proc.Stderr()
		}
		a.t.Fatalf("%s: %v\n%s", a.name, err, more)
	}
	what, outcome, _ := strings.Cut(line, ": ")
	a.said[what] = outcome
}

// outcome waits for the end of an op.
func (a *actor) outcome(op string) string {
	a.t.Helper()
	for {
		if out, is := a.said[op]; is {
			delete(a.said, op)
			return out
		}
		a.hear()
	}
}

// do does an op to its end.
func (a *actor) do(op string) string {
	a.t.Helper()
	a.send(op)
	return a.outcome(op)
}

// sleep begins an op, and waits until it sleeps.
func (a *actor) sleep(op string) {
	a.t.Helper()
	a.op = op
	a.send(op)
	shmtest.Eventually(a.t, a.name+" sleeps", func() bool {
		n := a.do("asleep")
		if out, ended := a.said[op]; ended {
			a.t.Fatalf("%s was to sleep, and is through: %s: %s", a.name, op, out)
		}
		return n != "0"
	})
}
