package pshared_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What the processes of the plays with events share.
type eventScene struct {
	Manual pshared.EventWord
	Auto   pshared.AutoEventWord
	_      [56]byte
	Taken  atomic.Uint32 // how often the victim has got past its wait
}

func (s *eventScene) of(in *pshared.Shared[eventScene], auto bool) *pshared.Event {
	if auto {
		return in.AutoEvent(&s.Auto)
	}
	return in.Event(&s.Manual)
}

var _ = addRoles(map[string]shmtest.Role{
	"event waiter": eventRole(func(e *pshared.Event) error { return e.Wait(context.Background()) }),
	"event setter": eventRole((*pshared.Event).Set),
	"event resetter": eventRole(func(e *pshared.Event) error {
		return errors.Join(e.Set(), e.Reset())
	}),
	// It takes the event for a channel that nobody receives from, and gives it back.
	"event offerer": inScene(func(s *pshared.Shared[eventScene], _ []string) error {
		e := s.AutoEvent(&s.Data().Auto)
		ctx, cancel := context.WithCancel(context.Background())
		taken := make(chan struct{})
		countPoint("event:offered", func() { close(taken) })
		e.Chan(ctx)
		<-taken
		cancel()
		return e.Wait(context.Background()) // it comes back
	}),
})

// eventRole does something to one of the events, and counts how often it got past a wait.
func eventRole(f func(e *pshared.Event) error) shmtest.Role {
	return inScene(func(s *pshared.Shared[eventScene], args []string) error {
		countPoint("event:passed", func() { s.Data().Taken.Add(1) })
		return f(s.Data().of(s, args[0] == "auto"))
	})
}

func TestKilledAtEveryPointOfAnEvent(t *testing.T) {
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "waiting for a manual one", Act: playManualWaiter},
		{Name: "waiting for an auto one", Act: playAutoWaiter},
		{Name: "setting a manual one", Act: func(t *testing.T, v *shmtest.Victim) { playSetter(t, v, "manual") }},
		{Name: "setting an auto one", Act: func(t *testing.T, v *shmtest.Victim) { playSetter(t, v, "auto") }},
		{Name: "resetting", Act: playResetter},
		{Name: "offering", Act: playOfferer},
	}, &shmtest.KillOptions{Points: shmtest.PointsIn(t, "event.go"), FirstOnly: testing.Short(), Parallel: true})
}

// sceneSleepers waits until so many goroutines sleep in the scene, or the victim is dead.
func sceneSleepers[T any](t testing.TB, s *pshared.Shared[T], n int, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "all sleep", func() bool {
		return victim != nil && victim.Ended() || s.Sleepers() == n
	})
}

// playManualWaiter is a victim that waits beside another.
func playManualWaiter(t *testing.T, v *shmtest.Victim) {
	s := openScene[eventScene](t, shmtest.Dir(t))
	e := s.Event(&s.Data().Manual)
	p := v.Start("event waiter", s.Dir(), "manual")
	w := waiting(t, e)
	sceneSleepers(t, s, 2, p)
	set(t, e)
	if err := <-w; err != nil {
		t.Error(err)
	}
	<-p.Exited()
}

// playAutoWaiter is a victim that waits, with another behind it. What it has not taken, the
// other gets.
func playAutoWaiter(t *testing.T, v *shmtest.Victim) {
	s := openScene[eventScene](t, shmtest.Dir(t))
	e := s.AutoEvent(&s.Data().Auto)
	p := v.Start("event waiter", s.Dir(), "auto")
	sceneSleepers(t, s, 1, p)
	w := waiting(t, e)
	shmtest.Eventually(t, "the other sleeps", func() bool { return s.Waiting() == 1 })
	set(t, e)
	shmtest.Eventually(t, "one has got it", func() bool { return done(w) || p.Ended() })
	if done(w) { // now the victim can
		set(t, e)
		<-p.Exited()
	} else if s.Data().Taken.Load() == 1 {
		if done(w) {
			t.Error("both have got it")
		}
		set(t, e)
	}
	if err := <-w; err != nil {
		t.Error(err)
	}
}

// playSetter is a victim that sets what two others wait for.
func playSetter(t *testing.T, v *shmtest.Victim, which string) {
	s := openScene[eventScene](t, shmtest.Dir(t))
	e := s.Data().of(s, which == "auto")
	a, b := waiting(t, e), waiting(t, e)
	sceneSleepers(t, s, 2, nil)
	<-v.Start("event setter", s.Dir(), which).Exited()
	if e.State()>>2 == 0 { // it was killed before
		if done(a) || done(b) {
			t.Error("through, and it was not set")
		}
		set(t, e)
	}
	if which == "auto" {
		shmtest.Eventually(t, "one is through", func() bool { return done(a) || done(b) })
		if done(a) && done(b) {
			t.Error("two are through")
		}
		set(t, e)
	}
	for _, w := range []<-chan error{a, b} {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
}

// playResetter is a victim that sets and resets at once.
func playResetter(t *testing.T, v *shmtest.Victim) {
	s := openScene[eventScene](t, shmtest.Dir(t))
	e := s.Event(&s.Data().Manual)
	a := waiting(t, e)
	sceneSleepers(t, s, 1, nil)
	<-v.Start("event resetter", s.Dir(), "manual").Exited()
	if e.State()>>2 == 0 {
		set(t, e)
	}
	if err := <-a; err != nil {
		t.Error(err)
	}
}

// playOfferer is a victim that has taken an event for somebody who never comes.
func playOfferer(t *testing.T, v *shmtest.Victim) {
	s := openScene[eventScene](t, shmtest.Dir(t))
	e := s.AutoEvent(&s.Data().Auto)
	p := v.Start("event offerer", s.Dir())
	sceneSleepers(t, s, 1, p)
	set(t, e)
	<-p.Exited()
	set(t, e)
	if !isSet(t, e) {
		t.Error("it can't be set any more")
	}
}

// A process that is stopped while it waits keeps nobody else from going on, and goes on
// itself when it is continued.
func TestAStoppedWaiterForAnEvent(t *testing.T) {
	s := openScene[eventScene](t, shmtest.Dir(t))
	for _, which := range []string{"manual", "auto"} {
		e := s.Data().of(s, which == "auto")
		p := shmtest.Start(t, "event waiter", s.Dir(), which)
		sceneSleepers(t, s, 1, p)
		p.Stop()
		w := waiting(t, e)
		sceneSleepers(t, s, 2, p)
		set(t, e)
		if err := <-w; err != nil {
			t.Error(err)
		}
		p.Continue()
		if which == "auto" {
			set(t, e)
		}
		if err := p.Wait(); err != nil {
			t.Error(err, p.Stderr())
		}
	}
}

var _ = addRoles(map[string]shmtest.Role{
	// It takes the event and writes that down, again and again.
	"event scribe": inScene(func(s *pshared.Shared[eventScene], args []string) error {
		who, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		notes, err := takeNotes(args[0], who)
		if err != nil {
			return err
		}
		return untilDismissed(who, takesEvent(s.AutoEvent(&s.Data().Auto), notes), notes)
	}),
})

// takesEvent is a turn that takes an auto event if it is set soon.
func takesEvent(e *pshared.Event, to *notes) func(n int64) error {
	return func(n int64) error {
		return forAMoment(n, func(ctx context.Context) error {
			return to.asking("taken", func() error { return e.Wait(ctx) })
		})
	}
}

// An auto event that is set again and again among processes that are killed at random: each
// setting is taken once, and is missing only if who took it was killed.
func TestAnAutoEventAmidRandomKills(t *testing.T) {
	t.Parallel()
	s := openScene[eventScene](t, shmtest.Dir(t))
	e := s.AutoEvent(&s.Data().Auto)
	l := shmtest.NewLedger(t)
	var over atomic.Bool
	settings := begin(func() (n int) {
		for !over.Load() {
			if e.State()&1 != 0 {
				runtime.Gosched()
			} else if n++; e.Set() != nil {
				return -1
			}
		}
		return n
	})
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 3, Kills: randomKills() / 5, Ledger: l}, func(n int) *shmtest.Proc {
		return shmtest.Start(t, "event scribe", s.Dir(), l.Path(), strconv.Itoa(n+1))
	})
	over.Store(true)
	n := <-settings
	if isSet(t, e) {
		n--
	}
	entries := l.Entries(t)
	if balanceEvent(t, entries, fatesIn(entries, killed), n) == 0 {
		t.Error("nobody has taken it")
	}
}

// balanceEvent adds up how often an auto event was taken that was set so often, and is not set
// any more.
func balanceEvent(t *testing.T, entries []shmtest.Entry, f *fates, set int) (taken int) {
	t.Helper()
	taken, perhaps := answers(entries, "taken"), f.asking(entries)
	t.Logf("set %d times, taken %d times, and perhaps by %d of %d who were killed", set, taken, perhaps, len(f.killed))
	if taken > set || set-taken > perhaps {
		t.Error("something was lost, or taken twice")
	}
	return taken
}
