package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

const poolPermits = 3

// A pool is what the processes of the semaphores' tests share.
type pool struct {
	Sem   pshared.SemaphoreWord
	Count pshared.CountingWord
	_     [56]byte
	Turns atomic.Int64
}

// A bather uses a pool.
type bather struct {
	who   int64
	s     share
	d     *pool
	sem   *pshared.Semaphore
	count *pshared.CountingSemaphore
	notes *notes
}

// openPool opens the pool in dir. who is any number but 0, of this bather alone.
func openPool(dir string, who int64) (*bather, error) {
	s, err := pshared.Open[pool]("pool", &pshared.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	return batherIn(s, s.Data(), who)
}

// batherIn makes a bather of a pool that lies in a struct.
func batherIn(s share, d *pool, who int64) (b *bather, err error) {
	b = &bather{who: who, s: s, d: d, count: s.CountingSemaphore(&d.Count)}
	b.sem, err = s.Semaphore(&d.Sem, poolPermits)
	return b, err
}

func mustOpenPool(t testing.TB, dir string, who int64) *bather {
	t.Helper()
	b, err := openPool(dir, who)
	must(t, err)
	t.Cleanup(func() {
		if err := b.s.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// bathe holds n permits for a moment.
func (b *bather) bathe(ctx context.Context, n int64) error {
	if err := b.sem.Acquire(ctx, n); err != nil {
		return err
	}
	b.d.Turns.Add(1)
	if err := b.notes.note("hold %d", n); err != nil {
		return err
	}
	if err := b.notes.note("give %d", n); err != nil {
		return err
	}
	if b.d.Turns.Load()%3 == 0 { // the way it is done when somebody else is at it
		return b.sem.ReleaseSlowly(n)
	}
	return b.sem.Release(n)
}

// take takes a token and posts it. What it is told of is posted, and it takes one all the same.
func (b *bather) take(ctx context.Context) error {
	for {
		if err := b.notes.note("ask"); err != nil {
			return err
		}
		err := b.count.Wait(ctx)
		var lost *pshared.TokensLostError
		switch {
		case errors.As(err, &lost):
			if err := errors.Join(b.notes.note("told %d", lost.N), b.count.Post(lost.N), b.notes.note("posted %d", lost.N)); err != nil {
				return err
			}
			continue
		case err != nil:
			return errors.Join(b.notes.note("gave up"), err)
		}
		b.d.Turns.Add(1)
		return errors.Join(b.notes.note("took"), b.notes.note("post"), b.count.Post(1), b.notes.note("posted"))
	}
}

// poolRoles are what other processes do at a pool.
var poolRoles = map[string]func(b *bather, args []string) error{
	// bather is N ROUNDS: it takes N permits so often.
	"bather": func(b *bather, args []string) error {
		n, rounds, err := twoNumbers(args)
		if err != nil {
			return err
		}
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		for range rounds {
			if err := b.bathe(context.Background(), int64(n)); err != nil {
				return err
			}
		}
		return b.s.Close()
	},
	// taker is ROUNDS: it takes a token so often.
	"taker": func(b *bather, args []string) error {
		rounds, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		for range rounds {
			if err := b.take(context.Background()); err != nil {
				return err
			}
		}
		return b.s.Close()
	},
	// holder is PERMITS TOKENS: it takes as many, says so, and gives them back when told to.
	"holder": func(b *bather, args []string) error {
		permits, tokens, err := twoNumbers(args)
		if err != nil {
			return err
		}
		if permits > 0 {
			err = b.sem.Acquire(context.Background(), int64(permits))
		}
		for range tokens {
			err = errors.Join(err, b.count.Wait(context.Background()))
		}
		if err := errors.Join(err, shmtest.Say("held")); err != nil {
			return err
		}
		if order, err := shmtest.Hear(); order != "leave" {
			return errors.Join(err, fmt.Errorf("told to %q", order))
		}
		if permits > 0 {
			err = b.sem.Release(int64(permits))
		}
		if tokens > 0 {
			err = errors.Join(err, b.count.Post(int64(tokens)))
		}
		return errors.Join(err, b.s.Close())
	},
	// trier tries for two permits and a token, once; with an argument, when it is told to.
	"trier": func(b *bather, args []string) error {
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		if len(args) > 0 {
			if _, err := shmtest.Hear(); err != nil {
				return err
			}
		}
		ok, err := b.sem.TryAcquire(2)
		if ok {
			err = b.sem.Release(2)
		}
		if err != nil {
			return err
		}
		var lost *pshared.TokensLostError
		switch ok, err := b.count.TryWait(); {
		case errors.As(err, &lost):
			if err := b.count.Post(lost.N); err != nil {
				return err
			}
		case err != nil:
			return err
		case ok:
			if err := b.count.Post(1); err != nil {
				return err
			}
		}
		return b.s.Close()
	},
	// waiter waits for a permit and for a token at once.
	"waiter": func(b *bather, args []string) error {
		permit := begin(func() error { return b.bathe(context.Background(), 1) })
		err := b.take(context.Background())
		return errors.Join(err, <-permit, b.s.Close())
	},
	// quitter waits for a moment only.
	"quitter": func(b *bather, args []string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		for _, err := range []error{b.bathe(ctx, 1), b.take(ctx)} {
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
		}
		return b.s.Close()
	},
	// opener says how many permits there are in a new object, and uses one of them.
	"opener": func(b *bather, args []string) error {
		s, err := pshared.OpenSemaphore("new", 2, &pshared.Options{Dir: args[0], Persistent: true})
		if err != nil {
			return err
		}
		if err := s.Acquire(context.Background(), 1); err != nil {
			return err
		}
		return errors.Join(s.Release(1), s.Close(), b.s.Close())
	},
	// late tries when another goroutine cleans up after the dead: after it has looked for
	// them, and before it would do so itself. It gets what they had all the same.
	"late": func(b *bather, args []string) error {
		var sweepErr error
		pshared.SetPoint(func(at string) {
			if at == "try:dead" || at == "wait:dead" {
				n, err := b.sem.Sweep()
				sweepErr = errors.Join(sweepErr, err)
				if n != 1 {
					sweepErr = errors.Join(sweepErr, fmt.Errorf("%d were dead", n))
				}
			}
		})
		switch args[0] {
		case "permits":
			ok, err := b.sem.TryAcquire(poolPermits)
			if !ok || err != nil || sweepErr != nil {
				return fmt.Errorf("permits: %t, %v", ok, errors.Join(err, sweepErr))
			}
			return errors.Join(b.sem.Release(poolPermits), b.s.Close())
		default:
			ok, err := b.count.TryWait()
			if ok || !errors.Is(err, pshared.ErrTokensLost) || sweepErr != nil {
				return fmt.Errorf("tokens: %t, %v", ok, errors.Join(err, sweepErr))
			}
			return b.s.Close()
		}
	},
	"scribe": poolScribe, "recorder": poolRecorder, "token recorder": countingRecorder,
}

func twoNumbers(args []string) (a, b int, err error) {
	a, err1 := strconv.Atoi(args[0])
	b, err2 := strconv.Atoi(args[1])
	return a, b, errors.Join(err1, err2)
}

// poolRole plays one of poolRoles.
func poolRole(args []string) error {
	who, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	b, err := openPool(args[0], who)
	if err != nil {
		return err
	}
	return poolRoles[args[2]](b, args[3:])
}

func poolArgs(dir string, who int64, role string, args ...string) []string {
	return append([]string{dir, fmt.Sprint(who), role}, args...)
}

func startPool(t testing.TB, dir string, who int64, role string, args ...string) *shmtest.Proc {
	t.Helper()
	return shmtest.Start(t, "pool", poolArgs(dir, who, role, args...)...)
}

// aPoolHolder is another process that has so many permits and tokens.
func aPoolHolder(t testing.TB, dir string, permits, tokens int) *shmtest.Proc {
	t.Helper()
	p := startPool(t, dir, 9, "holder", fmt.Sprint(permits), fmt.Sprint(tokens))
	p.Expect("held")
	return p
}

// refill looks at what is left of the permits when everybody else is gone: all are free, and can be
// taken.
func refill(t testing.TB, b *bather) {
	t.Helper()
	acquire(t, b.sem, poolPermits)
	wantFree(t, b.sem, 0)
	wantTry(t, b.sem, 1, false)
	release(t, b.sem, poolPermits)
	wantFree(t, b.sem, poolPermits)
}

// sweepAll takes the records of all dead out, whoever else is at that.
func (b *bather) sweepAll(t testing.TB) {
	t.Helper()
	shmtest.Eventually(t, "nobody is in the middle of cleaning up after the dead", func() bool {
		_, err := b.count.Sweep()
		must(t, err)
		return b.s.Dead() == 0
	})
}

// drainTokens takes all tokens, posting those that are told of, and returns how many there were
// and how many were told of.
func drainTokens(t testing.TB, b *bather) (tokens, told int64) {
	t.Helper()
	b.sweepAll(t)
	for {
		var lost *pshared.TokensLostError
		switch ok, err := b.count.TryWait(); {
		case errors.As(err, &lost):
			told += lost.N
			must(t, b.count.Post(lost.N))
		case err != nil:
			t.Fatal(err)
		case !ok:
			if tokens > 0 {
				must(t, b.count.Settle(tokens))
			}
			return tokens, told // which were posted, and taken again
		default:
			tokens++
		}
	}
}
