package topic_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

var _ = addRoles(map[string]shmtest.Role{"reader": func(args []string) error {
	s, err := topic.NewSubscriber[note]("news", &topic.SubscriberOptions{Topic: &topic.Options{Dir: args[0]}})
	if err != nil {
		return err
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	if _, err := shmtest.Hear(); err != nil { // its test kills it
		return err
	}
	return s.Close()
}})

// Who looks sees what is there and whose it is, writes nothing, and is no member.
func TestLookTellsOfATopicWithoutTakingPart(t *testing.T) {
	dir := shmtest.Dir(t)
	if _, err := topic.Look("news", dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is none: %v", err)
	}
	w := newWorld[note, *note](t, topic.Options{Dir: dir, Depth: 12, History: 4, Publishers: 3, Subscribers: 5, Timestamps: true, Mode: 0o640})
	p, gone := w.publisher(), w.publisher()
	w.send(gone, 1, 2)
	must(t, gone.Close())
	reader := shmtest.Start(t, "reader", dir)
	reader.Expect("ready")
	w.send(p, 1, 7)
	s := w.subscriber(topic.SubscriberOptions{BestEffort: true, History: 3})
	w.read(s, 5, 5)

	v, err := topic.Look("news", dir)
	must(t, err)
	again, err := topic.Look("news", dir)
	must(t, err)
	if d := cmp.Diff(v, again); d != "" {
		t.Errorf("looking changed something: %s", d)
	}
	stat, err := w.topic.Stat()
	must(t, err)
	if d := cmp.Diff(v.Stat, stat); d != "" {
		t.Errorf("Look and Stat differ: %s", d)
	}
	if v.Name != "news" || v.Type != "topic_test.note" || v.Slots != 16 || v.Mode != 0o640 || v.PublishMode != 0o640 || v.Persistent || v.MessagesErr != nil {
		t.Errorf("%+v", v)
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	var size int64
	for _, f := range files {
		i, err := f.Info()
		must(t, err)
		size += i.Size()
	}
	if size != v.Size+v.MessagesSize {
		t.Errorf("%d and %d bytes, and the files have %d", v.Size, v.MessagesSize, size)
	}
	me, other := v.Members[0].Slot, v.Members[1].Slot
	if v.Members[1].PID != reader.Pid() || len(v.Members) != 2 {
		t.Errorf("its members are %+v", v.Members)
	}
	if d := cmp.Diff(v.Lanes, []topic.Lane{
		{Publisher: p.ID(), Alive: true, Member: me, Sent: 7, Free: 9},
		{Publisher: gone.ID(), Member: -1, Sent: 2, Free: 14},
	}); d != "" {
		t.Error(d)
	}
	// The reader got the history of the one that has gone, and nobody reads it. The other
	// one of this process has three old messages of that, of which there are two.
	if d := cmp.Diff(v.Seats, []topic.Seat{
		{Alive: true, Member: other, Reliable: true, Behind: 9},
		{Alive: true, Member: me, Behind: 4},
	}); d != "" {
		t.Error(d)
	}

	// What the dead have is told until somebody takes their place.
	reader.Kill()
	if v, err = topic.Look("news", dir); err != nil || v.Seats[0].Alive || v.Subscribers != 1 || v.Members[1].Alive {
		t.Errorf("%+v, %v", v, err)
	}
	// It is in the table of members no more when another one has its slot there.
	for n := len(v.Members); n <= v.Slots; n++ {
		h, err := topic.Open[note]("news", &topic.Options{Dir: dir})
		must(t, err)
		defer mustClose(t, h)
	}
	if v, err = topic.Look("news", dir); err != nil || v.Seats[0].Member != -1 || v.Seats[0].Alive {
		t.Errorf("the dead one's seat is %+v, %v", v.Seats[0], err)
	}
	// Of a file of messages that cannot be read there is less to tell.
	must(t, os.Rename(v.MessagesPath, v.MessagesPath+"-"))
	less, err := topic.Look("news", dir)
	must(t, os.Rename(v.MessagesPath+"-", v.MessagesPath))
	if err != nil || !errors.Is(less.MessagesErr, fs.ErrNotExist) || less.Lanes != nil || len(less.Seats) != 2 || less.Depth != 12 || less.MessagesSize != v.MessagesSize {
		t.Errorf("%+v, %v", less, err)
	}
	if names, err := topic.Names(dir); err != nil || !slices.Equal(names, []string{"news"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// A tool reads what a program publishes, without knowing its type.
func TestARawSubscriberReadsMessagesOfAnyType(t *testing.T) {
	dir := shmtest.Dir(t)
	o := &topic.SubscriberOptions{Topic: &topic.Options{Dir: dir}}
	if _, err := topic.NewRawSubscriber("news", o); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is no topic: %v", err)
	}
	w := newWorld[note, *note](t, topic.Options{Dir: dir})
	p := w.publisher()
	if _, err := topic.NewBytesSubscriber("news", o); !errors.Is(err, topic.ErrType) {
		t.Fatalf("as bytes: %v", err)
	}
	s, err := topic.NewRawSubscriber("news", o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if s.Type() != "topic_test.note" {
		t.Errorf("its type is %q", s.Type())
	}
	w.send(p, 3, 4)
	for n := byte(3); n <= 4; n++ {
		m, err := s.Receive(limited(t))
		must(t, err)
		if b := m.Data(); len(b) != 40 || b[0] != n || b[8] != n || b[32] != n {
			t.Errorf("message %d is %x", n, b)
		}
		must(t, m.Release())
	}
	b, err := topic.CreateBytes("bytes", o.Topic)
	must(t, err)
	defer func() { must(t, b.Close()) }()
	r, err := topic.NewRawSubscriber("bytes", o)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	if r.Type() != topic.BytesType {
		t.Errorf("bytes have the type %q", r.Type())
	}
}
