package pshared_test

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// The victim is teller 1; those in this process are 2 and up.
const victimID = "1"

// The points that Mutex has are come to in these plays, and a kill at any of them does no
// harm to those who are left.
func TestKilledAtEveryPointOfTheMutex(t *testing.T) {
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "among others", Act: playAmongOthers},
		{Name: "woken", Act: playWoken},
		{Name: "after a death", Act: playAfterADeath},
		{Name: "two after a death", Act: playTwoAfterADeath},
		{Name: "spoiling", Act: playSpoiling},
		{Name: "abandoning", Act: playAbandoning},
	}, &shmtest.KillOptions{Points: shmtest.PointsIn(t, "mutex.go"), FirstOnly: testing.Short(), Parallel: true})
}

// finish looks at what is left, with the victim gone: the lock is taken, told of a death or
// not, and the two sides agree.
func finish(t *testing.T, b *teller) {
	t.Helper()
	mustWork(t, b)
	if d := b.d; d.A.Load() != d.B.Load() || d.Holder.Load() != 0 || d.Mu.State()&^pshared.Waiters != 0 {
		t.Errorf("%d and %d, held by %d, state %#x", d.A.Load(), d.B.Load(), d.Holder.Load(), d.Mu.State())
	}
}

// playAmongOthers is a victim that takes turns with two others.
func playAmongOthers(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	b, c := mustOpenBank(t, dir, 2), mustOpenBank(t, dir, 3)
	mustEnter(t, b)
	p := v.Start("worker", dir, victimID, "200")
	asleep(t, b, p)
	mustLeave(t, b)
	var others []<-chan error
	for _, o := range []*teller{b, c} {
		others = append(others, begin(func() error {
			for !p.Ended() {
				if _, err := o.work(limited(t)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for _, o := range others {
		if err := <-o; err != nil {
			t.Error(err)
		}
	}
	finish(t, b)
}

// playWoken is a victim that sleeps for a lock, with another behind it, when the lock is
// given back.
func playWoken(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	b, c := mustOpenBank(t, dir, 2), mustOpenBank(t, dir, 3)
	mustEnter(t, b)
	p := v.Start("worker", dir, victimID, "3")
	asleep(t, b, p)
	behind := c.entering(limited(t))
	mustLeave(t, b)
	entered(t, behind)
	mustLeave(t, c)
	<-p.Exited()
	finish(t, b)
}

// playAfterADeath is a victim that gets a lock whose owner died.
func playAfterADeath(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	dieHolding(t, dir, 9)
	<-v.Start("worker", dir, victimID, "2").Exited()
	finish(t, b)
}

// playTwoAfterADeath is two who recover at once.
func playTwoAfterADeath(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	p := shmtest.Start(t, "holder", dir, "9")
	p.Expect("held false")
	other := v.Start("worker", dir, victimID, "2")
	asleep(t, b, other)
	mine := b.entering(limited(t))
	p.Kill()
	entered(t, mine)
	mustLeave(t, b)
	<-other.Exited()
	finish(t, b)
}

// playSpoiling is a victim that makes a lock not recoverable while another waits for it.
func playSpoiling(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	dieHolding(t, dir, 9)
	p := v.Start("spoiler", dir, victimID)
	if line, err := p.ReadLine(); err == nil && line == "told" {
		mine := b.entering(limited(t))
		asleep(t, b, p)
		p.Send("go")
		switch o := <-mine; {
		case o.err == nil: // by the spoiler's Reset, or as told of its death
			mustLeave(t, b)
		case !errors.Is(o.err, pshared.ErrNotRecoverable):
			t.Fatal(o.err)
		}
	}
	<-p.Exited()
	if err := b.mu.Reset(); err != nil && !errors.Is(err, pshared.ErrNotHeld) {
		t.Fatal(err)
	}
	finish(t, b)
}

// playAbandoning is a victim that leaves what a dead owner left to the next.
func playAbandoning(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	dieHolding(t, dir, 9)
	<-v.Start("abandoner", dir, victimID).Exited()
	if !mustWork(t, b) {
		t.Error("nobody was told")
	}
	finish(t, b)
}
