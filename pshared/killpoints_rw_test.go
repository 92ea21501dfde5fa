package pshared_test

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// The points that RWMutex has are come to in these plays, and a kill at any of them does no
// harm to those who are left.
func TestKilledAtEveryPointOfTheRWMutex(t *testing.T) {
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "among others", Act: rwPlayAmongOthers},
		{Name: "reader waits", Act: rwPlayReaderWaits},
		{Name: "reader gives up", Act: rwPlayReaderGivesUp},
		{Name: "reader leaves", Act: rwPlayReaderLeaves},
		{Name: "writer waits", Act: rwPlayWriterWaits},
		{Name: "writer gives up", Act: rwPlayWriterGivesUp},
		{Name: "writer waits for those before", Act: rwPlayMarks},
		{Name: "after a dead writer", Act: rwPlayAfter("write", "both")},
		{Name: "reading after a dead writer", Act: rwPlayAfter("write", "read")},
		{Name: "after a dead reader", Act: rwPlayAfter("read", "both")},
		{Name: "spoiling", Act: rwPlaySpoiling},
		{Name: "abandoning", Act: rwPlayAbandoning},
	}, &shmtest.KillOptions{
		Points:    shmtest.PointsIn(t, "rwmutex.go", "readers.go", "drain.go", "bell.go"),
		FirstOnly: testing.Short(), Parallel: true,
	})
}

func startVictim(v *shmtest.Victim, dir, role string, args ...string) *shmtest.Proc {
	return v.Start("rw", append([]string{dir, victimID, role}, args...)...)
}

// ready waits until the victim has joined, or is dead.
func ready(p *shmtest.Proc) { _, _ = p.ReadLine() }

// rwPlayAmongOthers is a victim that reads and writes while two others do.
func rwPlayAmongOthers(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	p := startVictim(v, dir, "worker", "both", "200")
	ready(p)
	ctx := limited(t)
	reads := begin(func() error {
		for !p.Ended() {
			if err := a.read(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	writes := begin(func() error {
		for !p.Ended() {
			if _, err := b.write(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, errors.Join(<-reads, <-writes))
	settle(t, b)
}

// rwPlayReaderWaits is a victim that sleeps until a writer has gone.
func rwPlayReaderWaits(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	_, err := a.beginWrite(limited(t))
	must(t, err)
	p := startVictim(v, dir, "worker", "read", "2")
	ready(p)
	readersAsleep(t, a, p)
	behind := b.writing(t)
	must(t, a.endWrite())
	must(t, (<-behind).err)
	<-p.Exited()
	settle(t, a)
}

// rwPlayReaderGivesUp is one that does not wait so long.
func rwPlayReaderGivesUp(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenLibrary(t, dir, 2)
	_, err := a.beginWrite(limited(t))
	must(t, err)
	<-startVictim(v, dir, "quitter", "read").Exited()
	must(t, a.endWrite())
	settle(t, a)
}

// rwPlayReaderLeaves is a victim that reads, and goes while a writer waits for that.
func rwPlayReaderLeaves(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenLibrary(t, dir, 2)
	p := startVictim(v, dir, "holder", "read")
	if line, err := p.ReadLine(); err == nil && line == "held false" {
		mine := a.writing(t)
		drainAsleep(t, a, p)
		p.Send("leave")
		must(t, (<-mine).err)
	}
	<-p.Exited()
	settle(t, a)
}

// rwPlayWriterWaits is a victim that waits for readers to go, with a reader behind it.
func rwPlayWriterWaits(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	must(t, a.beginRead(limited(t)))
	p := startVictim(v, dir, "worker", "write", "2")
	ready(p)
	drainAsleep(t, a, p)
	gateClosed(t, a, p)
	behind := b.reading(t)
	must(t, a.endRead())
	must(t, <-behind)
	<-p.Exited()
	settle(t, a)
}

// rwPlayWriterGivesUp is one that does not wait so long.
func rwPlayWriterGivesUp(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	must(t, a.beginRead(limited(t)))
	p := startVictim(v, dir, "quitter", "write")
	behind := b.reading(t)
	if p.ExitSignal() != 0 { // if the gate is closed the reader has to repair, and the other is in its way
		must(t, a.endRead())
		must(t, <-behind)
	} else {
		must(t, <-behind)
		must(t, a.endRead())
	}
	settle(t, a)
}

// rwPlayMarks is a victim that finds a reader's mark of the phase before: one that is
// stopped.
func rwPlayMarks(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenLibrary(t, dir, 2)
	_, err := a.beginWrite(limited(t))
	must(t, err)
	stopped := startRW(t, dir, 9, "worker", "read", "1")
	readersAsleep(t, a, nil)
	stopped.Stop()
	must(t, a.endWrite())
	p := startVictim(v, dir, "worker", "write", "2")
	ready(p)
	drainAsleep(t, a, p)
	stopped.Continue()
	<-p.Exited()
	must(t, stopped.Wait())
	settle(t, a)
}

// rwPlayAfter is a victim that comes after somebody died.
func rwPlayAfter(how, then string) func(t *testing.T, v *shmtest.Victim) {
	return func(t *testing.T, v *shmtest.Victim) {
		dir := shmtest.Dir(t)
		a := mustOpenLibrary(t, dir, 2)
		die(t, dir, how)
		<-startVictim(v, dir, "worker", then, "4").Exited()
		settle(t, a)
	}
}

// rwPlaySpoiling is a victim that makes a lock not recoverable while a reader and a writer
// wait for it.
func rwPlaySpoiling(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	die(t, dir, "write")
	p := startVictim(v, dir, "spoiler")
	if line, err := p.ReadLine(); err == nil && line == "told" {
		write, read := a.writing(t), b.reading(t)
		readersAsleep(t, b, p)
		p.Send("go")
		for _, err := range []error{(<-write).err, <-read} {
			if err != nil && !errors.Is(err, pshared.ErrNotRecoverable) { // nil: it was reset, or told of a death
				t.Fatal(err)
			}
		}
	}
	<-p.Exited()
	if err := a.rw.Reset(); err != nil && !errors.Is(err, pshared.ErrNotHeld) {
		t.Fatal(err)
	}
	settle(t, a)
}

// rwPlayAbandoning is a victim that leaves what a dead writer left, while a reader waits.
func rwPlayAbandoning(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenLibrary(t, dir, 2)
	die(t, dir, "write")
	<-startVictim(v, dir, "abandoner").Exited()
	if err := a.beginRead(limited(t)); !errors.Is(err, pshared.ErrWriterDead) {
		t.Errorf("reading after a death: %v", err)
	}
	if !mustWrite(t, a) {
		t.Error("nobody was told")
	}
	settle(t, a)
}
