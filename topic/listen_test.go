package topic_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

var _ = addRoles(map[string]shmtest.Role{"listener": listen, "speaker": speak})

// listen subscribes to the notes in a directory, and stays.
func listen(args []string) error {
	if _, err := topic.NewSubscriber[note]("news", &topic.SubscriberOptions{Topic: &topic.Options{Dir: args[0]}}); err != nil {
		return err
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	_, err := shmtest.Hear()
	return err
}

// speak becomes a publisher of them, and stays.
func speak(args []string) error {
	if _, err := topic.NewPublisher[note]("news", &topic.Options{Dir: args[0]}); err != nil {
		return err
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	_, err := shmtest.Hear()
	return err
}

// at runs f once, at a point between the steps.
func at(t testing.TB, point string, f func()) {
	t.Cleanup(func() { topic.SetPoint(shmtest.Point) })
	done := false
	topic.SetPoint(func(name string) {
		if name == point && !done {
			done = true
			f()
		}
	})
	t.Cleanup(func() {
		if !done {
			t.Errorf("it does not come by %q", point)
		}
	})
}

// listeners returns how many there are that are ready.
func listeners(t testing.TB, p interface {
	Listeners() (uint64, []topic.Listener, error)
}) (n int) {
	t.Helper()
	_, all, err := p.Listeners()
	must(t, err)
	for _, l := range all {
		if l.Ready {
			n++
		}
	}
	return n
}

func TestListenersTellHowFarEachHasRead(t *testing.T) {
	w := newWorld[note, *note](t, topic.Options{Depth: 16, History: 2})
	q, p := w.publisher(), w.publisher()
	a := w.subscriber(topic.SubscriberOptions{History: -1})
	w.send(q, 1, 3)
	w.read(a, 1, 3)
	w.send(p, 1, 5)
	b := w.subscriber(topic.SubscriberOptions{BestEffort: true, History: -1})
	w.read(a, 1, 2)
	sent, all, err := p.Listeners()
	must(t, err)
	want := []topic.Listener{{Place: 0, Alive: true, Ready: true, Reliable: true, Next: 3}, {Place: 1, Alive: true, Ready: true, Next: 6}}
	for i := range all {
		want[i].Member = all[0].Member
	}
	if sent != 5 || len(all) != 2 || all[0] != want[0] || all[1] != want[1] || all[0].Member == 0 {
		t.Errorf("sent %d, %+v", sent, all)
	}
	must(t, b.Close())
	w.read(a, 3, 4)
	must(t, a.Close())
	w.send(p, 6, 9)
	if _, all, err = p.Listeners(); err != nil || len(all) != 2 || all[0] != (topic.Listener{Member: want[0].Member, Next: 5}) || all[1] != (topic.Listener{Member: want[0].Member, Place: 1, Next: 6}) {
		t.Errorf("those who have left: %+v, %v", all, err)
	}
}

func TestADeadListenerIsNotReadyNorIsWhoTakesItsPlaceBeforeItHas(t *testing.T) {
	dir := shmtest.Dir(t)
	w := newWorld[note, *note](t, topic.Options{Dir: dir, Depth: 16, Subscribers: 1})
	p := w.publisher()
	l := shmtest.Start(t, "listener", dir)
	l.Expect("ready")
	if n := listeners(t, p); n != 1 {
		t.Fatalf("%d are ready", n)
	}
	l.Kill()
	if n := listeners(t, p); n != 0 {
		t.Errorf("%d dead ones are ready", n)
	}
	must(t, func() error {
		_, all, err := p.Listeners()
		if err == nil && (len(all) != 1 || all[0].Alive || all[0].Next != 1) {
			err = fmt.Errorf("the dead one is %+v", all)
		}
		return err
	}())
	w.send(p, 1, 3)
	for _, point := range []string{"seat:claimed", "seat:clear", "seat:cursors"} {
		at(t, point, func() {
			if n := listeners(t, p); n != 0 {
				t.Errorf("%s: %d are ready", point, n)
			}
		})
		s, err := w.topic.Subscriber(nil)
		must(t, err)
		if n := listeners(t, p); n != 1 {
			t.Errorf("%d are ready", n)
		}
		must(t, s.Close())
		if point == "seat:claimed" { // the others need no dead one
			topic.SetPoint(shmtest.Point)
		}
	}
}

// Whoever comes while a subscriber finds that it is done either keeps it, or does not count on it.
func TestASubscriberThatIsDoneIsNotCountedOn(t *testing.T) {
	w := newWorld[note, *note](t, topic.Options{})
	s := w.subscriber(topic.SubscriberOptions{})
	var p *topic.Publisher[note]
	at(t, "done:going", func() {
		p = w.publisher()
		if n := listeners(t, p); n != 0 {
			t.Errorf("%d are ready that are about to leave", n)
		}
	})
	if closed, err := s.CloseIfDone(); closed || err != nil {
		t.Fatalf("closed %v with a publisher: %v", closed, err)
	}
	if n := listeners(t, p); n != 1 {
		t.Errorf("%d are ready again", n)
	}
	w.send(p, 1, 3)
	must(t, p.Close())
	if closed, err := s.CloseIfDone(); closed || err != nil {
		t.Fatalf("closed %v with messages: %v", closed, err)
	}
	w.read(s, 1, 2)
	m, err := s.TryReceive()
	must(t, err)
	if closed, err := s.CloseIfDone(); closed || !errors.Is(err, topic.ErrHeld) {
		t.Fatalf("closed %v while it holds one: %v", closed, err)
	}
	must(t, m.Release())
	for range 2 {
		if closed, err := s.CloseIfDone(); !closed || err != nil {
			t.Fatalf("closed %v: %v", closed, err)
		}
	}
	if _, err := s.TryReceive(); !errors.Is(err, topic.ErrClosed) {
		t.Errorf("received: %v", err)
	}
}

// While it is about to leave it still holds publishers up: it may stay.
func TestASubscriberThatIsAboutToLeaveLosesNothing(t *testing.T) {
	w := newWorld[note, *note](t, topic.Options{Depth: 4})
	s := w.subscriber(topic.SubscriberOptions{})
	at(t, "done:going", func() {
		p := w.publisher()
		w.send(p, 1, 4)
		if err := p.TrySend(new(note)); err != topic.ErrFull {
			t.Errorf("sent: %v", err)
		}
	})
	if closed, err := s.CloseIfDone(); closed || err != nil {
		t.Fatalf("closed %v: %v", closed, err)
	}
	w.read(s, 1, 4)
}

func TestTheDeadDoNotPublish(t *testing.T) {
	dir := shmtest.Dir(t)
	w := newWorld[note, *note](t, topic.Options{Dir: dir})
	s := w.subscriber(topic.SubscriberOptions{})
	p := shmtest.Start(t, "speaker", dir)
	p.Expect("ready")
	if closed, err := s.CloseIfDone(); closed || err != nil {
		t.Fatalf("closed %v: %v", closed, err)
	}
	p.Kill()
	if closed, err := s.CloseIfDone(); !closed || err != nil {
		t.Fatalf("closed %v: %v", closed, err)
	}
}
