package topic_test

import (
	"errors"
	"io/fs"
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

// Options that cannot be are refused by their names.
func TestOptionsThatCannotBe(t *testing.T) {
	dir := shmtest.Dir(t)
	for want, o := range map[string]topic.Options{
		"Options.MaxMessage of -1, not 1 to 1073741824": {MaxMessage: -1},
		"Options.MaxMessage of 1073741825":              {MaxMessage: topic.MaxMessage + 1},
		"Options.Publishers of 65, not 1 to 64":         {Publishers: topic.MaxPublishers + 1},
		"Options.Publishers of -1":                      {Publishers: -1},
		"Options.Subscribers of 1977, not 1 to 1976":    {Subscribers: topic.MaxSubscribers + 1},
		"Options.Depth of -1, not 1 to 524288":          {Depth: -1},
		"Options.History of -1, not 0 to 524288":        {History: -1},
		"Options.Held of 65, not 1 to 64":               {Held: topic.MaxHeld + 1},
		"Options.Held of -1":                            {Held: -1},
		"Options.Loans of -1":                           {Loans: -1},
		"for messages, more than 549755813888 (Options": {MaxMessage: topic.MaxMessage, Depth: 1 << 19, Publishers: 64},
	} {
		o.Dir = dir
		if _, err := topic.CreateBytes("news", &o); !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
