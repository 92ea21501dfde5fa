package topic_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// A batch of no messages is sent at once, whatever kind of nothing it is.
func TestAnEmptyBatchIsNoMessage(t *testing.T) {
	tp, err := topic.CreateBytes("news", &topic.Options{Dir: shmtest.Dir(t)})
	must(t, err)
	defer mustClose(t, tp)
	p, err := tp.Publisher()
	must(t, err)
	defer mustClose(t, p)
	s, err := tp.Subscriber(nil)
	must(t, err)
	defer mustClose(t, s)
	for _, none := range [][][]byte{nil, {}} {
		if n, err := p.SendBatch(ctx, none); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := p.TrySendBatch(none); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if m, err := s.TryReceive(); !errors.Is(err, topic.ErrEmpty) {
		t.Errorf("%q, %v", m.Data(), err)
	}
}

// A type that cannot stand in shared memory is refused before there is a topic of it, which would keep
// the name if it were persistent.
func TestATypeThatCannotBeLeavesNothing(t *testing.T) {
	o := &topic.Options{Dir: shmtest.Dir(t), Persistent: true}
	type pointing struct {
		N int
		B []byte
	}
	_, pointed := topic.OpenOrCreate[pointing]("news", o)
	_, empty := topic.OpenOrCreate[struct{}]("news", o)
	for want, err := range map[string]error{"pointing.B is a slice": pointed, "struct {} has no size": empty} {
		if !errors.Is(err, shmkit.ErrBadType) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Who reads to nowhere panics, and leaves the subscriber to the others.
func TestReadingToNowhereStopsNobodyElse(t *testing.T) {
	w := newWorld[note, *note](t, topic.Options{})
	p := w.publisher()
	s, err := w.topic.Subscriber(nil) // which could not be closed
	must(t, err)
	w.send(p, 1, 2)
	for _, read := range []func(){
		func() { _, _ = s.TryRead(nil) },
		func() { _, _ = s.Read(ctx, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			read()
		}()
		read := begin(func() error { _, err := s.TryRead(new(note)); return err })
		select {
		case err := <-read:
			must(t, err)
		case <-limited(t).Done():
			t.Fatal("the subscriber is held for good")
		}
	}
	mustClose(t, s)
}
