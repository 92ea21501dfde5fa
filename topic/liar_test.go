package topic_test

import (
	"encoding/binary"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// Somebody has every message overwritten as it is found: who only tries gives up.
func TestWhoIsOvertakenEachTimeGivesUp(t *testing.T) {
	both(t, overtaken[note, *note], overtaken[frame, *frame])
}

func overtaken[T any, M message[T]](t *testing.T) {
	b := newBedlam[T, M](t)
	s, err := b.topic.Subscriber(&topic.SubscriberOptions{BestEffort: true})
	must(t, err)
	put, lane := binary.NativeEndian.PutUint64, b.topic.LaneAt(0)
	tail, times := uint64(10), 0
	for n := 0; n < 3; { // what there is
		k, err := s.TryReadBatch(make([]T, 3))
		must(t, err)
		n += k
	}
	overtake := func(name string) {
		if name != "receive:found" {
			return
		}
		times++
		tail += 32
		put(b.messages[lane+64:], tail)    // with a ring of 8
		put(b.messages[lane+136:], tail-8) // erased
		for v := tail - 14; v <= tail; v += 2 {
			put(b.messages[b.topic.SlotAt(0, v):], v|1)
		}
	}
	overtake("receive:found")
	setPoint(t, overtake)
	within(t, "who is overtaken", func() {
		var m T
		for range 2 {
			if _, err := s.TryReceive(); err != topic.ErrEmpty {
				t.Errorf("%v", err)
			}
			if _, err := s.TryRead(&m); err != topic.ErrEmpty {
				t.Errorf("%v", err)
			}
		}
	})
	if times < 100 {
		t.Errorf("overtaken %d times", times)
	}
	topic.SetPoint(basePoint)
	b.heal()
	must(t, s.Close())
	b.heal()
	b.well()
}

// A tail that lies moves a cursor on; when it does not any more, who waits gets what is published.
func TestACursorComesBackFromBeyondTheTail(t *testing.T) {
	both(t, beyondTheTail[note, *note], beyondTheTail[frame, *frame])
}

func beyondTheTail[T any, M message[T]](t *testing.T) {
	b := newBedlam[T, M](t)
	p, err := b.topic.Publisher()
	must(t, err)
	s, err := b.topic.Subscriber(&topic.SubscriberOptions{BestEffort: true})
	must(t, err)
	put, lane := binary.NativeEndian.PutUint64, b.topic.LaneAt(p.LaneIndex())
	for n := 0; n < 3; { // what there is
		k, err := s.TryReadBatch(make([]T, 3))
		must(t, err)
		n += k
	}
	tail := 2 * p.Tail()
	at := b.topic.SlotAt(p.LaneIndex(), tail+2)
	was := append([]byte(nil), b.messages[at:at+8]...)
	erased := append([]byte(nil), b.messages[lane+136:lane+144]...)
	put(b.messages[lane+64:], tail+1000)
	put(b.messages[lane+136:], tail+900)
	put(b.messages[at:], tail+18)
	b.nothing(s)
	if s.Missed() < 400 {
		t.Fatalf("missed %d", s.Missed())
	}
	put(b.messages[lane+64:], tail)
	copy(b.messages[at:], was)
	copy(b.messages[lane+136:], erased)
	receiving := begin(func() error {
		var m T
		_, err := s.Read(limited(t), &m)
		return err
	})
	shmtest.Eventually(t, "the cursor is back", func() bool { return s.Next(p.LaneIndex()) == p.Tail()+1 })
	asleep(t, b.dir, 1, nil)
	b.send(p, int64(p.Tail())+1, int64(p.Tail())+1)
	must(t, <-receiving)
	must(t, p.Close())
	must(t, s.Close())
	b.heal()
	b.well()
}
