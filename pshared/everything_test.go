package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// everything is a struct with one of each thing that can be waited for.
type everything struct {
	Mu      pshared.MutexWord
	Written pshared.RWMutexWord
	Read    pshared.RWMutexWord
	Permits pshared.SemaphoreWord
	Tokens  pshared.CountingWord
	CondMu  pshared.MutexWord
	Cond    pshared.CondWord
	Event   pshared.EventWord
	Auto    pshared.AutoEventWord
	Barrier pshared.BarrierWord
	Once    pshared.OnceWord
	Signal  atomic.Bool // that Cond is about
}

// allThings is how many goroutines waitForAll makes sleep.
const allThings = 10

// An owner is a member that has all of it, until it gives it.
type owner struct {
	s     *pshared.Shared[everything]
	sem   *pshared.Semaphore
	run   chan struct{} // closed: the function of Once may end
	once  <-chan error
	given bool
}

// ownAll takes all there is.
func ownAll(ctx context.Context, s *pshared.Shared[everything]) (*owner, error) {
	d := s.Data()
	sem, err := s.Semaphore(&d.Permits, 1)
	if err != nil {
		return nil, err
	}
	o := &owner{s: s, sem: sem, run: make(chan struct{})}
	runs := make(chan struct{})
	o.once = begin(func() error {
		return s.Once(&d.Once).Do(ctx, func() error { close(runs); <-o.run; return nil })
	})
	<-runs
	return o, errors.Join(
		s.Mutex(&d.Mu).Lock(ctx), s.RWMutex(&d.Written).Lock(ctx), s.RWMutex(&d.Read).Lock(ctx),
		sem.Acquire(ctx, 1))
}

// giveAll gives everybody who waits what he waits for, who is one for each thing.
func (o *owner) giveAll(ctx context.Context) error {
	s, d := o.s, o.s.Data()
	d.Signal.Store(true)
	_, err := s.Barrier(&d.Barrier, 2).Wait(ctx)
	return errors.Join(err, o.giveBack(),
		s.CountingSemaphore(&d.Tokens).Post(1), s.Cond(&d.Cond).Broadcast(), s.Event(&d.Event).Set(), s.AutoEvent(&d.Auto).Set())
}

// giveBack gives back what the owner has, if it still has it.
func (o *owner) giveBack() error {
	if o.given {
		return nil
	}
	o.given = true
	s, d := o.s, o.s.Data()
	close(o.run)
	return errors.Join(<-o.once, s.Mutex(&d.Mu).Unlock(), s.RWMutex(&d.Written).Unlock(), s.RWMutex(&d.Read).Unlock(), o.sem.Release(1))
}

// waitForAll waits for each thing in a goroutine, and gives back what it got.
func waitForAll(ctx context.Context, s *pshared.Shared[everything]) map[string]<-chan error {
	d := s.Data()
	then := func(err error, end func() error) error {
		if err != nil {
			return err
		}
		return end()
	}
	wait := map[string]func() error{
		"mutex":   func() error { m := s.Mutex(&d.Mu); return then(m.Lock(ctx), m.Unlock) },
		"written": func() error { rw := s.RWMutex(&d.Written); return then(rw.Lock(ctx), rw.Unlock) },
		"read":    func() error { rw := s.RWMutex(&d.Read); return then(rw.RLock(ctx), rw.RUnlock) },
		"permit": func() error {
			p, err := s.Semaphore(&d.Permits, 1)
			if err != nil {
				return err
			}
			return then(p.Acquire(ctx, 1), func() error { return p.Release(1) })
		},
		"token": func() error {
			c := s.CountingSemaphore(&d.Tokens)
			return then(c.Wait(ctx), func() error { return c.Settle(1) })
		},
		"condition": func() error {
			mu, c := s.Mutex(&d.CondMu), s.Cond(&d.Cond)
			if err := mu.Lock(ctx); err != nil {
				return err
			}
			var err error
			for !d.Signal.Load() && err == nil {
				err = c.Wait(ctx, mu)
			}
			return errors.Join(err, mu.Unlock())
		},
		"event":      func() error { return s.Event(&d.Event).Wait(ctx) },
		"auto event": func() error { return s.AutoEvent(&d.Auto).Wait(ctx) },
		"barrier":    func() error { _, err := s.Barrier(&d.Barrier, 2).Wait(ctx); return err },
		"once":       func() error { return s.Once(&d.Once).Do(ctx, func() error { return errors.New("it was run again") }) },
	}
	waits := map[string]<-chan error{}
	for name, f := range wait {
		waits[name] = begin(f)
	}
	return waits
}

// allEnd waits until all have ended, and says who did so in another way than want.
func allEnd(waits map[string]<-chan error, want error) (wrong error) {
	limit := time.NewTimer(shmtest.Failsafe)
	defer limit.Stop()
	for name, c := range waits {
		select {
		case err := <-c:
			if !errors.Is(err, want) {
				wrong = errors.Join(wrong, fmt.Errorf("%s: %v, want %v", name, err, want))
			}
		case <-limit.C:
			return errors.Join(wrong, fmt.Errorf("%s: still waits", name))
		}
	}
	return wrong
}

// allAsleep waits until everybody sleeps who waits for something of dir.
func allAsleep(t testing.TB, dir string) {
	t.Helper()
	allSleep(t, dir, object.Struct, "scene", allThings, nil)
}

// mustOwnAll is ownAll in a directory of its own.
func mustOwnAll(t testing.TB) (dir string, o *owner) {
	t.Helper()
	dir = shmtest.Dir(t)
	o, err := ownAll(limited(t), openScene[everything](t, dir))
	must(t, err)
	t.Cleanup(func() {
		if err := o.giveBack(); err != nil {
			t.Error(err)
		}
	})
	return dir, o
}

var _ = addRoles(map[string]shmtest.Role{
	// all waiter waits for everything, so long, and says how that ended.
	"all waiter": inScene(func(s *pshared.Shared[everything], args []string) error {
		long, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), long)
		defer cancel()
		waits := waitForAll(ctx, s)
		var want error
		if args[1] == "in vain" {
			want = context.DeadlineExceeded
		}
		return errors.Join(allEnd(waits, want), shmtest.Say("ended"))
	}),
	// all owner has everything until it is told to give it.
	"all owner": inScene(func(s *pshared.Shared[everything], _ []string) error {
		ctx := context.Background()
		o, err := ownAll(ctx, s)
		if err != nil {
			return err
		}
		if err := shmtest.Say("has it"); err != nil {
			return err
		}
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
		return o.giveAll(ctx)
	}),
})

// within is a context that ends so much later.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
