package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What the processes of the plays with a once share.
type onceScene struct {
	Once   pshared.OnceWord
	_      [48]byte
	Inside atomic.Int64 // who runs its function
	Begun  atomic.Int64
	Ended  atomic.Int64
}

// initialise is a function for Do that would show if two ran it at once, or one after it
// was run to its end.
func (s *onceScene) initialise(who int64) error {
	s.Inside.Store(who)
	s.Begun.Add(1)
	if n := s.Ended.Load(); n != 0 {
		return fmt.Errorf("it was run to its end %d times", n)
	}
	if n := s.Inside.Load(); n != who {
		return fmt.Errorf("%d and %d run it", who, n)
	}
	s.Ended.Add(1)
	return nil
}

var _ = addRoles(map[string]shmtest.Role{
	"once doer": inScene(func(s *pshared.Shared[onceScene], args []string) error {
		return s.Once(&s.Data().Once).Do(context.Background(), func() error { return s.Data().initialise(1) })
	}),
	"once corrupted": inScene(func(s *pshared.Shared[onceScene], args []string) error {
		return s.Once(&s.Data().Once).Reset()
	}),
	// It is in its function until it is told.
	"once runner": inScene(func(s *pshared.Shared[onceScene], args []string) error {
		return s.Once(&s.Data().Once).Do(context.Background(), func() error {
			s.Data().Begun.Add(1)
			if err := shmtest.Say("running"); err != nil {
				return err
			}
			_, err := shmtest.Hear()
			return err
		})
	}),
})

func TestKilledAtEveryPointOfAOnce(t *testing.T) {
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "first", Act: func(t *testing.T, v *shmtest.Victim) { playOnce(t, v, false) }},
		{Name: "after a death", Act: func(t *testing.T, v *shmtest.Victim) { playOnce(t, v, true) }},
		{Name: "resetting", Act: playOnceReset},
	}, &shmtest.KillOptions{Points: shmtest.PointsIn(t, "once.go"), FirstOnly: testing.Short(), Parallel: true})
}

// playOnce is a victim that does it, with others of this process behind it.
func playOnce(t *testing.T, v *shmtest.Victim, afterDeath bool) {
	s := openScene[onceScene](t, shmtest.Dir(t))
	o, d := s.Once(&s.Data().Once), s.Data()
	if afterDeath {
		p := shmtest.Start(t, "once runner", s.Dir())
		p.Expect("running")
		p.Kill()
	}
	before := d.Begun.Load()
	p := v.Start("once doer", s.Dir())
	shmtest.Eventually(t, "the victim is there", func() bool { return p.Ended() || d.Begun.Load() > before })
	var all []<-chan error
	for range 3 {
		all = append(all, begin(func() error { return o.Do(limited(t), func() error { d.Ended.Store(0); return d.initialise(2) }) }))
	}
	for _, w := range all {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
	<-p.Exited()
	if !isDone(t, o) || d.Ended.Load() != 1 {
		t.Errorf("done %t, run to its end %d times", isDone(t, o), d.Ended.Load())
	}
}

// playOnceReset is a victim that resets a corrupt one.
func playOnceReset(t *testing.T, v *shmtest.Victim) {
	s := openScene[onceScene](t, shmtest.Dir(t))
	o := s.Once(&s.Data().Once)
	o.SetWords(pshared.Lost, 7)
	<-v.Start("once corrupted", s.Dir()).Exited()
	if err := o.Reset(); err != nil {
		t.Error(err)
	}
	if err := o.Do(limited(t), func() error { return nil }); err != nil {
		t.Error(err)
	}
}

// A runner that is killed is replaced, by one of those who wait; one that is stopped is not.
func TestARunnerIsReplaced(t *testing.T) {
	s := openScene[onceScene](t, shmtest.Dir(t))
	o := s.Once(&s.Data().Once)
	p := shmtest.Start(t, "once runner", s.Dir())
	p.Expect("running")
	p.Stop()
	if is, err := o.TryDo(never); is || err != nil {
		t.Errorf("while it is stopped: %t, %v", is, err)
	}
	var ran atomic.Int64
	var all []<-chan error
	for range 5 {
		all = append(all, begin(func() error { return o.Do(limited(t), func() error { ran.Add(1); return nil }) }))
	}
	sceneSleepers(t, s, 5, nil)
	if ran.Load() != 0 {
		t.Error("somebody else runs it while the first is stopped")
	}
	p.Kill()
	for _, w := range all {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
	if ran.Load() != 1 {
		t.Errorf("%d ran it", ran.Load())
	}
}

// Of a name: what was done goes with the last handle.
func TestAOnceIsAsOldAsItsObject(t *testing.T) {
	dir := shmtest.Dir(t)
	for range 2 {
		o, err := pshared.OpenOnce("x", &pshared.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		ran := false
		if err := errors.Join(o.Do(ctx, func() error { ran = true; return nil }), o.Close()); err != nil || !ran {
			t.Errorf("%v, ran %t", err, ran)
		}
	}
}
