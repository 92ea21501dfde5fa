package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// A bank is what the processes of the crash tests do under a lock: something that takes
// several steps, and that shows if two did it at once, or one did not finish.
type bank struct {
	Mu     pshared.MutexWord
	_      [56]byte
	Holder atomic.Int64 // who is at work, 0 nobody
	A, B   atomic.Int64 // equal when nobody is at work
}

// A teller works at a bank.
type teller struct {
	who   int64
	s     share
	d     *bank
	mu    *pshared.Mutex
	notes *notes
}

// openBank opens the bank in dir. who is any number but 0, of this teller alone.
func openBank(dir string, who int64) (*teller, error) {
	s, err := pshared.Open[bank]("bank", &pshared.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	return tellerIn(s, s.Data(), who), nil
}

// tellerIn makes a teller at a bank that lies in a struct.
func tellerIn(s share, d *bank, who int64) *teller {
	return &teller{who: who, s: s, d: d, mu: s.Mutex(&d.Mu)}
}

func mustOpenBank(t testing.TB, dir string, who int64) *teller {
	t.Helper()
	b, err := openBank(dir, who)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.s.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// enter takes the lock and begins to work. told: the one before died, and what it left
// was repaired.
func (b *teller) enter(ctx context.Context) (told bool, err error) {
	d := b.d
	err = b.mu.Lock(ctx)
	if told = errors.Is(err, pshared.ErrOwnerDead); told {
		err = nil
	}
	if err != nil {
		return false, err
	}
	before := d.Holder.Swap(b.who)
	if !told && before != 0 {
		return false, fmt.Errorf("%d has the lock, and %d is at work", b.who, before)
	}
	if told {
		d.B.Store(d.A.Load())
	}
	if d.A.Load() != d.B.Load() {
		return false, fmt.Errorf("%d and %d at the beginning", d.A.Load(), d.B.Load())
	}
	n := d.A.Add(1)
	if err := b.notes.note("enter %d %t %d", n, told, before); err != nil {
		return told, err
	}
	if told {
		if err := b.mu.MakeConsistent(); err != nil {
			return told, err
		}
	}
	return told, nil
}

// leave finishes, and gives the lock back.
func (b *teller) leave() error {
	d := b.d
	if n := d.B.Add(1); n != d.A.Load() {
		return fmt.Errorf("%d and %d at the end", d.A.Load(), n)
	}
	if err := b.notes.note("leave %d", d.A.Load()); err != nil {
		return err
	}
	if !d.Holder.CompareAndSwap(b.who, 0) {
		return fmt.Errorf("%d was at work, and meanwhile %d", b.who, d.Holder.Load())
	}
	return b.mu.Unlock()
}

// work enters and leaves.
func (b *teller) work(ctx context.Context) (told bool, err error) {
	told, err = b.enter(ctx)
	if err != nil {
		return told, err
	}
	return told, b.leave()
}

// limited is a context that turns a hang into an error.
func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), shmtest.Failsafe)
	t.Cleanup(cancel)
	return ctx
}

// begin runs f and returns where its result will be.
func begin[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

// outcome is what enter returns.
type outcome struct {
	told bool
	err  error
}

// entering enters in a goroutine.
func (b *teller) entering(ctx context.Context) <-chan outcome {
	return begin(func() outcome {
		told, err := b.enter(ctx)
		return outcome{told, err}
	})
}

// entered waits for entering to succeed, and returns whether it was told of a death.
func entered(t testing.TB, c <-chan outcome) bool {
	t.Helper()
	o := <-c
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.told
}

func mustWork(t testing.TB, b *teller) (told bool) {
	t.Helper()
	told, err := b.work(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func mustEnter(t testing.TB, b *teller) (told bool) {
	t.Helper()
	told, err := b.enter(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func mustLeave(t testing.TB, b *teller) {
	t.Helper()
	if err := b.leave(); err != nil {
		t.Fatal(err)
	}
}

// asleep waits until somebody has gone to sleep for the lock, or the victim is dead.
func asleep(t testing.TB, b *teller, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "somebody waits for the lock", func() bool {
		return victim != nil && victim.Ended() || b.d.Mu.State()&pshared.Waiters != 0
	})
}

// roles are the other processes. The first two arguments of each are the directory and who
// it is.
var roles = map[string]shmtest.Role{
	"worker": asTeller(func(b *teller, args []string) error {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		for range n {
			if _, err := b.work(context.Background()); err != nil {
				return err
			}
		}
		return b.s.Close()
	}),
	// holder takes the lock, says so, and does what it is told.
	"holder": asTeller(func(b *teller, args []string) error {
		told, err := b.enter(context.Background())
		if err != nil {
			return err
		}
		if err := shmtest.Say("held %t", told); err != nil {
			return err
		}
		order, err := shmtest.Hear()
		if err != nil {
			return err
		}
		switch order {
		case "leave":
			if err := b.leave(); err != nil {
				return err
			}
		case "exit":
			return nil // with the lock held
		case "exec":
			return syscall.Exec("/proc/self/exe", os.Args[:1], append(os.Environ(), "SHMKIT_TEST_ROLE=idler"))
		default:
			return fmt.Errorf("told to %q", order)
		}
		return b.s.Close()
	}),
	"idler": func([]string) error {
		if err := shmtest.Say("other program"); err != nil {
			return err
		}
		<-shmtest.Dismissed()
		return nil
	},
	// spoiler takes a lock whose owner died, repairs what it guards but does not say so, and
	// gives it back.
	"spoiler": asTeller(func(b *teller, args []string) error {
		if err := b.mu.Lock(context.Background()); !errors.Is(err, pshared.ErrOwnerDead) {
			return fmt.Errorf("no owner died: %w", err)
		}
		d := b.d
		d.B.Store(d.A.Load())
		d.Holder.Store(0)
		if err := shmtest.Say("told"); err != nil {
			return err
		}
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
		if err := b.mu.Unlock(); err != nil {
			return err
		}
		// Who waited may have made it right already, and have the lock.
		if err := b.mu.Reset(); err != nil && !errors.Is(err, pshared.ErrNotHeld) {
			return err
		}
		return b.s.Close()
	}),
	// abandoner does not know how to repair what a dead owner left.
	"abandoner": asTeller(func(b *teller, args []string) error {
		if err := b.mu.Lock(context.Background()); !errors.Is(err, pshared.ErrOwnerDead) {
			return fmt.Errorf("no owner died: %w", err)
		}
		if err := b.mu.Abandon(); err != nil {
			return err
		}
		return b.s.Close()
	}),
	"scribe": asTeller(scribe), "recorder": asTeller(recorder),
	"player": player, "rusher": rusher, "idlers": idlers, "sleeper": sleeper,
	"rw": rwRole, "named": namedHolder, "pool": poolRole,
}

// asTeller is a role at a bank.
func asTeller(f func(b *teller, args []string) error) shmtest.Role {
	return func(args []string) error {
		who, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		b, err := openBank(args[0], who)
		if err != nil {
			return err
		}
		return f(b, args[2:])
	}
}

// dieHolding leaves the lock of a dead holder behind.
func dieHolding(t testing.TB, dir string, who int64) {
	t.Helper()
	p := shmtest.Start(t, "holder", dir, fmt.Sprint(who))
	line, err := p.ReadLine()
	if err != nil || line != "held true" && line != "held false" {
		t.Fatalf("%q, %v\n%s", line, err, p.Stderr())
	}
	p.Release()
}
