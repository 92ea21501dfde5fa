package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What the processes of the plays with a barrier share.
type barrierScene struct {
	Barrier pshared.BarrierWord
	_       [48]byte
	Through atomic.Uint64 // how often the parties got through
}

var _ = addRoles(map[string]shmtest.Role{
	// It is a party of N, and waits so many times.
	"barrier party": inScene(func(s *pshared.Shared[barrierScene], args []string) error {
		parties, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		times, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		b := s.Barrier(&s.Data().Barrier, parties)
		if err := shmtest.Say("party"); err != nil {
			return err
		}
		if times == 0 {
			<-shmtest.Dismissed()
		}
		for range times {
			if _, err := b.Wait(context.Background()); err != nil {
				return err
			}
			s.Data().Through.Add(1)
		}
		return nil
	}),
	"barrier quitter": inScene(func(s *pshared.Shared[barrierScene], args []string) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if _, err := s.Barrier(&s.Data().Barrier, 2).Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("waiting alone: %w", err)
		}
		return nil
	}),
	// It meets a broken barrier, waits until it is told, and resets it.
	"barrier resetter": inScene(func(s *pshared.Shared[barrierScene], args []string) error {
		b := s.Barrier(&s.Data().Barrier, 2)
		if err := shmtest.Say("party"); err != nil {
			return err
		}
		if _, err := b.Wait(context.Background()); !errors.Is(err, pshared.ErrBroken) {
			return fmt.Errorf("at a broken barrier: %w", err)
		}
		return b.Reset(context.Background())
	}),
	"barrier scribe": inScene(func(s *pshared.Shared[barrierScene], args []string) error {
		who, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		notes, err := takeNotes(args[0], who)
		if err != nil {
			return err
		}
		return untilDismissed(who, s.Data().visit(s.Barrier(&s.Data().Barrier, 2), notes), notes)
	}),
})

// visit is a turn that waits at the barrier for a while, and resets it if it is broken.
func (s *barrierScene) visit(b *pshared.Barrier, to *notes) func(n int64) error {
	return func(int64) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(20)+1)*time.Millisecond)
		defer cancel()
		if err := to.note("ask"); err != nil {
			return err
		}
		index, err := b.Wait(ctx)
		if err == nil {
			s.Through.Add(1)
			return to.note("through %d", index)
		}
		if err := to.note("gave up"); err != nil {
			return err
		}
		if errors.Is(err, pshared.ErrBroken) {
			err = b.Reset(ctx) // who is stuck inside may be about to be killed
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	}
}

// mustComplete completes a phase of two with goroutines of this process, after a reset if
// the barrier is broken.
func mustComplete(t *testing.T, b *pshared.Barrier) {
	t.Helper()
	if err := b.Reset(limited(t)); err != nil {
		t.Fatal(err)
	}
	one, two := arriving(t, b), arriving(t, b)
	for _, w := range []<-chan error{one, two} {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
}

func TestKilledAtEveryPointOfABarrier(t *testing.T) {
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "waiting", Act: func(t *testing.T, v *shmtest.Victim) { playParty(t, v, true) }},
		{Name: "completing", Act: func(t *testing.T, v *shmtest.Victim) { playParty(t, v, false) }},
		{Name: "giving up", Act: playQuitter},
		{Name: "resetting", Act: playPhaseResetter},
	}, &shmtest.KillOptions{Points: shmtest.PointsIn(t, "barrier.go", "barrierreset.go"), FirstOnly: testing.Short(), Parallel: true})
}

// playParty is a victim that arrives first, or second, at a barrier of two.
func playParty(t *testing.T, v *shmtest.Victim, first bool) {
	s := openScene[barrierScene](t, shmtest.Dir(t))
	b := s.Barrier(&s.Data().Barrier, 2)
	before := b.Phase()
	var p *shmtest.Proc
	var w <-chan error
	if first {
		p = v.Start("barrier party", s.Dir(), "2", "1")
		sceneSleepers(t, s, 1, p)
		w = arriving(t, b)
	} else {
		w = arriving(t, b)
		sceneSleepers(t, s, 1, nil)
		p = v.Start("barrier party", s.Dir(), "2", "1")
	}
	shmtest.Eventually(t, "it is told, or it is alone", func() bool { return done(w) || p.Ended() && b.Parties() == 1 })
	if !done(w) { // it was killed before it was a party, and breaks nothing
		b.SweepDead(t)
		if b.Broken() {
			t.Error("broken by who was no party")
		}
		shmtest.Eventually(t, "the other has arrived", func() bool { return b.Arrived() == 1 })
		if complete, err := b.TryWait(); !complete || err != nil {
			t.Error(complete, err)
		}
	}
	err := <-w
	complete := b.Phase() != before
	if complete && err != nil || !complete && !errors.Is(err, pshared.ErrBroken) {
		t.Errorf("the phase is complete (%t), and who waited got %v", complete, err)
	}
	<-p.Exited()
	mustComplete(t, b)
}

// playQuitter is a victim that waits alone, and gives up.
func playQuitter(t *testing.T, v *shmtest.Victim) {
	s := openScene[barrierScene](t, shmtest.Dir(t))
	b := s.Barrier(&s.Data().Barrier, 2)
	p := v.Start("barrier quitter", s.Dir())
	<-p.Exited()
	if p.ExitSignal() == 0 && (b.Arrived() != 0 || b.Broken()) {
		t.Errorf("%d have arrived, broken %t", b.Arrived(), b.Broken())
	}
	wasParty := b.Parties() == 2
	b.SweepDead(t)
	if b.Broken() != wasParty {
		t.Errorf("broken %t, and a party was killed %t", b.Broken(), wasParty)
	}
	mustComplete(t, b)
}

// playPhaseResetter is a victim that finds a party dead, breaks the phase, and resets it.
func playPhaseResetter(t *testing.T, v *shmtest.Victim) {
	s := openScene[barrierScene](t, shmtest.Dir(t))
	b := s.Barrier(&s.Data().Barrier, 2)
	dead := shmtest.Start(t, "barrier party", s.Dir(), "2", "0")
	dead.Expect("party")
	dead.Kill()
	p := v.Start("barrier resetter", s.Dir())
	<-p.Exited()
	if p.ExitSignal() == 0 && b.Broken() {
		t.Error("still broken")
	}
	mustComplete(t, b)
}

// A party that is killed before it ever waited breaks the phase for all who wait and come,
// until a reset; one that is stopped does not.
func TestAPartyIsKilled(t *testing.T) {
	s := openScene[barrierScene](t, shmtest.Dir(t))
	b := s.Barrier(&s.Data().Barrier, 4)
	p := shmtest.Start(t, "barrier party", s.Dir(), "4", "0")
	p.Expect("party")
	p.Stop()
	limit, cancel := context.WithTimeout(ctx, 200*time.Millisecond) // several looks at its life
	defer cancel()
	if _, err := b.Wait(limit); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is stopped: %v", err)
	}
	all := []<-chan error{arriving(t, b), arriving(t, b)}
	sceneSleepers(t, s, 2, nil)
	p.Kill()
	for _, w := range all {
		if err := <-w; !errors.Is(err, pshared.ErrBroken) {
			t.Errorf("who waited got %v", err)
		}
	}
	for range 2 {
		if _, err := b.Wait(limited(t)); !errors.Is(err, pshared.ErrBroken) {
			t.Errorf("who came later got %v", err)
		}
		if _, err := b.TryWait(); !errors.Is(err, pshared.ErrBroken) {
			t.Errorf("TryWait: %v", err)
		}
	}
	if err := b.Reset(limited(t)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		all = append(all, arriving(t, b))
	}
	for _, w := range all[2:] {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
}

// Reset waits for those who were in the broken phase and don't know yet, as long as its
// context says.
func TestResetWaitsForWhoWasNotTold(t *testing.T) {
	s := openScene[barrierScene](t, shmtest.Dir(t))
	b := s.Barrier(&s.Data().Barrier, 9)
	slow := shmtest.Start(t, "barrier party", s.Dir(), "9", "1")
	sceneSleepers(t, s, 1, nil)
	slow.Stop()
	doomed := shmtest.Start(t, "barrier party", s.Dir(), "9", "0")
	doomed.Expect("party")
	doomed.Kill()
	b.SweepDead(t)
	if !b.Broken() {
		t.Fatal("not broken")
	}
	limit, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := b.Reset(limit); !errors.Is(err, context.DeadlineExceeded) || !b.Broken() {
		t.Errorf("Reset while one was not told: %v", err)
	}
	reset := begin(func() error { return b.Reset(limited(t)) })
	slow.Continue()
	if err := <-reset; err != nil {
		t.Error(err)
	}
	if err := slow.Wait(); err == nil {
		t.Error("who was in the broken phase was told that it is complete")
	}
}

// Two are needed, and three come and go, are killed, give up, and reset what is broken: of
// each phase that is complete one was the first, and one the last.
func TestABarrierAmidRandomKills(t *testing.T) {
	t.Parallel()
	s := openScene[barrierScene](t, shmtest.Dir(t))
	l := shmtest.NewLedger(t)
	const living = 4
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: living, Kills: randomKills() / 10, Ledger: l}, func(n int) *shmtest.Proc {
		if before := s.Data().Through.Load(); n >= living { // the others go on after a death
			shmtest.Eventually(t, "some get through", func() bool { return s.Data().Through.Load() > before })
		}
		return shmtest.Start(t, "barrier scribe", s.Dir(), l.Path(), strconv.Itoa(n+1))
	})
	entries := l.Entries(t)
	balanceBarrier(t, entries, fatesIn(entries, killed))
	mustComplete(t, s.Barrier(&s.Data().Barrier, 2))
}

// balanceBarrier adds up who went through a barrier of two.
func balanceBarrier(t *testing.T, entries []shmtest.Entry, f *fates) {
	t.Helper()
	first, last, perhaps := answers(entries, "through 0"), answers(entries, "through 1"), f.asking(entries)
	t.Logf("%d first, %d last, and perhaps %d of %d who were killed", first, last, perhaps, len(f.killed))
	if d := first - last; d > perhaps || -d > perhaps {
		t.Error("some went through alone")
	}
}
