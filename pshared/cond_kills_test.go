package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// condRole is a role of somebody who takes or puts tokens. It counts how often it came to a
// point: from there on what it says must be heard, whatever becomes of it.
func condRole(at string, f func(x *taker) error) shmtest.Role {
	return inScene(func(s *pshared.Shared[condScene], _ []string) error {
		countPoint(at, func() { s.Data().Given.Add(1) })
		return f(takerIn(s, s.Data()))
	})
}

// dismissed is a context that ends when the test sends a role home.
func dismissed() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-shmtest.Dismissed()
		cancel()
	}()
	return ctx
}

var _ = addRoles(map[string]shmtest.Role{
	"cond taker": condRole("cond:taken", func(x *taker) error { return x.take(context.Background()) }),
	"cond signaller": condRole("cond:given", func(x *taker) error {
		return x.put(context.Background(), 1, x.c.Signal)
	}),
	"cond broadcaster": condRole("cond:broadcasting", func(x *taker) error {
		return x.put(context.Background(), 2, x.c.Broadcast)
	}),
	"cond quitter": condRole("", func(x *taker) error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		defer cancel()
		if err := x.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("waiting for nothing: %w", err)
		}
		return nil
	}),
	// Its handle is closed while it waits.
	"cond leaver": condRole("", func(x *taker) error {
		w := begin(func() error { return x.take(context.Background()) })
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
		if err := x.s.Close(); err != nil {
			return err
		}
		if err := <-w; !errors.Is(err, pshared.ErrClosed) {
			return fmt.Errorf("while it was closed: %w", err)
		}
		return nil
	}),
	// It is killed when it waits, before it sleeps.
	"cond hasty": inScene(func(s *pshared.Shared[condScene], _ []string) error {
		x := takerIn(s, s.Data())
		countPoint("cond:unlocked", func() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL) })
		return x.take(context.Background())
	}),
	// It cleans up after the dead, and in the middle of that there is a signal, for the slot of
	// its argument first.
	"cond heir": inScene(func(s *pshared.Shared[condScene], args []string) error {
		x := takerIn(s, s.Data())
		slot, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		var putting error
		countPoint("cond:closed", func() {
			putting = x.put(context.Background(), 1, func() error {
				x.c.SetTurn(slot)
				return x.c.Signal()
			})
		})
		n, err := x.c.Sweep()
		if err == nil && n != 1 {
			err = fmt.Errorf("%d were swept", n)
		}
		return errors.Join(err, putting)
	}),
	// It takes tokens until it is killed.
	"cond consumer": condRole("", func(x *taker) error {
		ctx := dismissed()
		for {
			if err := x.take(ctx); errors.Is(err, context.Canceled) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}),
})

func TestKilledAtEveryPointOfACond(t *testing.T) {
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "taking", Act: playTaker},
		{Name: "signalling", Act: func(t *testing.T, v *shmtest.Victim) { playSpeaker(t, v, "cond signaller", 1) }},
		{Name: "broadcasting", Act: func(t *testing.T, v *shmtest.Victim) { playSpeaker(t, v, "cond broadcaster", 2) }},
		{Name: "giving up", Act: playCondQuitter},
		{Name: "closing", Act: playCondLeaver},
		{Name: "cleaning", Act: playCondCleaner},
	}, &shmtest.KillOptions{Points: shmtest.PointsIn(t, "cond.go", "condroom.go"), FirstOnly: testing.Short(), Parallel: true})
}

// settle looks whether somebody died with the mutex, and does then what the one who is told
// must do. It returns how many tokens there are.
func (x *taker) settle(t testing.TB) int64 {
	t.Helper()
	if err := x.told(x.mu.Lock(limited(t))); err != nil {
		t.Fatal(err)
	}
	n := x.d.Tokens
	unlock(t, x.mu)
	return n
}

// playTaker is a victim that waits, with another behind it. The signal that it has not taken
// is the other's.
func playTaker(t *testing.T, v *shmtest.Victim) {
	x := openTaker(t, shmtest.Dir(t))
	p := v.Start("cond taker", x.s.Dir())
	x.waiters(t, 1, p)
	other := x.taking(t)
	shmtest.Eventually(t, "the other sleeps", func() bool { return x.s.Waiting() == 1 })
	x.c.SetTurn(x.c.Slot() + 1)
	x.mustPut(t, 1, x.c.Signal)
	shmtest.Eventually(t, "one has it", func() bool { return done(other) || p.Ended() })
	if !done(other) && x.d.Given.Load() > 0 { // it was killed with the lock and the signal, or has the token
		if x.settle(t) == 0 {
			x.mustPut(t, 1, x.c.Signal)
		}
	} else if !p.Ended() { // the other was faster
		x.mustPut(t, 1, x.c.Signal)
		<-p.Exited()
	}
	shmtest.Eventually(t, "the other has one", func() bool { x.settle(t); return done(other) })
	if err := <-other; err != nil {
		t.Error(err)
	}
	<-p.Exited()
	x.inOrder(t)
}

// inOrder fails if anything is left of the dead, once it was cleaned up after them.
func (x *taker) inOrder(t *testing.T) {
	t.Helper()
	x.settle(t)
	if _, err := x.c.Sweep(); err != nil {
		t.Error(err)
	}
	if n, signals := x.c.Waiting(); n != 0 || signals != 0 {
		t.Errorf("%d wait, with %d signals", n, signals)
	}
}

// playSpeaker is a victim that puts tokens two others wait for. What it has begun to say is
// heard.
func playSpeaker(t *testing.T, v *shmtest.Victim, role string, tokens int) {
	dir := shmtest.Dir(t)
	x, y := openTaker(t, dir), openTaker(t, dir)
	all := []<-chan error{x.taking(t), y.taking(t)}
	x.waiters(t, 2, nil)
	shmtest.Eventually(t, "both sleep", func() bool { return x.s.Sleepers() == 2 })
	p := v.Start(role, dir)
	<-p.Exited()
	if x.d.Given.Load() == 0 {
		x.mustPut(t, int64(tokens)-x.settle(t), x.c.Broadcast)
	}
	got := func() (n int) {
		for _, w := range all {
			if done(w) {
				n++
			}
		}
		return n
	}
	shmtest.Eventually(t, "who was told has a token", func() bool { return got() >= tokens })
	if got() != tokens {
		t.Errorf("%d have tokens, of %d", got(), tokens)
	}
	x.mustPut(t, int64(2-tokens), x.c.Broadcast)
	for _, w := range all {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
	x.inOrder(t)
}

// playCondQuitter is a victim that waits for nothing, and gives up.
func playCondQuitter(t *testing.T, v *shmtest.Victim) {
	x := openTaker(t, shmtest.Dir(t))
	<-v.Start("cond quitter", x.s.Dir()).Exited()
	other := x.taking(t)
	x.settle(t)
	shmtest.Eventually(t, "the other sleeps", func() bool { return x.s.Waiting() == 1 })
	x.c.SetTurn(x.c.Slot() + 1)
	x.mustPut(t, 1, x.c.Signal) // to the dead one first, if there is one
	if err := <-other; err != nil {
		t.Error(err)
	}
	x.inOrder(t)
}

// playCondLeaver is a victim whose handle is closed when it has a signal, and no lock yet.
func playCondLeaver(t *testing.T, v *shmtest.Victim) {
	x := openTaker(t, shmtest.Dir(t))
	p := v.Start("cond leaver", x.s.Dir())
	x.waiters(t, 1, p)
	other := x.taking(t)
	shmtest.Eventually(t, "the other sleeps", func() bool { return x.s.Waiting() == 1 })
	if err := x.told(x.mu.Lock(limited(t))); err != nil {
		t.Fatal(err)
	}
	x.d.Tokens = 1
	x.c.SetTurn(x.c.Slot() + 1)
	if err := x.c.Signal(); err != nil {
		t.Fatal(err)
	}
	if !p.Ended() {
		p.Send("close")
	}
	<-p.Exited()
	unlock(t, x.mu)
	if err := <-other; err != nil {
		t.Error(err)
	}
	x.inOrder(t)
}

// playCondCleaner is a victim that waits, and cleans up after one who was killed with a
// signal.
func playCondCleaner(t *testing.T, v *shmtest.Victim) {
	x := openTaker(t, shmtest.Dir(t))
	doomed := shmtest.Start(t, "cond taker", x.s.Dir())
	x.waiters(t, 1, nil)
	p := v.Start("cond taker", x.s.Dir())
	x.waiters(t, 2, p)
	if err := x.told(x.mu.Lock(limited(t))); err != nil { // nobody takes the signal
		t.Fatal(err)
	}
	x.d.Tokens = 1
	x.c.SetTurn(x.c.Slot() + 1)
	if err := x.c.Signal(); err != nil {
		t.Fatal(err)
	}
	doomed.Kill()
	unlock(t, x.mu)
	shmtest.Eventually(t, "the victim has it, or is dead", func() bool { x.settle(t); return p.Ended() })
	if n := x.settle(t); n != 0 && x.d.Given.Load() == 0 {
		if err := x.take(limited(t)); err != nil {
			t.Error(err)
		}
	}
	x.inOrder(t)
}

// Who is being cleaned up after is given no signal.
func TestASignalWhileTheDeadAreCleanedUp(t *testing.T) {
	x := openTaker(t, shmtest.Dir(t))
	hasty := shmtest.Start(t, "cond hasty", x.s.Dir())
	<-hasty.Exited()
	other := x.taking(t)
	x.waiters(t, 2, nil)
	if err := shmtest.Start(t, "cond heir", x.s.Dir(), strconv.Itoa(x.c.Slot()+1)).Wait(); err != nil {
		t.Error(err)
	}
	if err := <-other; err != nil {
		t.Errorf("the signal was given to the dead: %v", err)
	}
	x.inOrder(t)
}

// A signal that is given to a stopped process waits there for it; the next one goes to
// another.
func TestAStoppedWaiterForACond(t *testing.T) {
	x := openTaker(t, shmtest.Dir(t))
	p := shmtest.Start(t, "cond taker", x.s.Dir())
	x.waiters(t, 1, nil)
	p.Stop()
	other := x.taking(t)
	x.waiters(t, 2, nil)
	x.c.SetTurn(x.c.Slot() + 1)
	x.mustPut(t, 2, x.c.Signal)
	if _, signals := x.c.Waiting(); signals != 1 {
		t.Errorf("%d signals", signals)
	}
	if err := x.c.Signal(); err != nil {
		t.Fatal(err)
	}
	if err := <-other; err != nil {
		t.Error(err)
	}
	p.Continue()
	if err := p.Wait(); err != nil {
		t.Error(err, p.Stderr())
	}
	x.inOrder(t)
}

// Wait reports the death of who had the mutex.
func TestWaitIsToldOfADeath(t *testing.T) {
	x := openTaker(t, shmtest.Dir(t))
	lock(t, x.mu)
	w := begin(func() error {
		err := x.c.Wait(limited(t), x.mu)
		if errors.Is(err, pshared.ErrOwnerDead) {
			return errors.Join(err, x.mu.MakeConsistent(), x.mu.Unlock())
		}
		return err
	})
	p := shmtest.Start(t, "cond holder", x.s.Dir())
	p.Expect("held")
	if err := x.c.Signal(); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := <-w; !errors.Is(err, pshared.ErrOwnerDead) {
		t.Errorf("who waited got %v", err)
	}
	x.inOrder(t)
}

var _ = addRoles(map[string]shmtest.Role{
	"cond holder": condRole("", func(x *taker) error {
		if err := x.mu.Lock(context.Background()); err != nil {
			return err
		}
		if err := shmtest.Say("held"); err != nil {
			return err
		}
		<-shmtest.Dismissed()
		return nil
	}),
})

// Those who wait are killed at random. Every token that is put, with one signal, is taken:
// no signal is lost with who was killed, unless it had the lock, which tells the next one.
func TestNoSignalIsLostAmidRandomKills(t *testing.T) {
	t.Parallel()
	x := openTaker(t, shmtest.Dir(t))
	kills := randomKills() / 5
	over := make(chan struct{})
	put := begin(func() (n int64) {
		for ; ; n++ {
			select {
			case <-over:
				return n
			default:
			}
			if err := x.put(limited(t), 1, x.c.Signal); err != nil {
				t.Error(err)
				return n
			}
			shmtest.Eventually(t, "the token is taken", func() bool {
				held, err := x.mu.TryLock()
				if err := x.told(err); err != nil {
					t.Error(err)
					return true
				}
				if !held {
					return false
				}
				left := x.d.Tokens
				if x.mu.Unlock() != nil || left == 0 {
					return true
				}
				select {
				case <-over: // nobody is left to take it
					return true
				default:
					return false
				}
			})
		}
	})
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 3, Kills: kills}, func(n int) *shmtest.Proc {
		return shmtest.Start(t, "cond consumer", x.s.Dir())
	})
	close(over)
	n := <-put
	t.Logf("%d tokens, %d kills", n, len(killed))
	x.inOrder(t)
	if n == 0 {
		t.Error("no token was taken")
	}
}
