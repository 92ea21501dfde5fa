package topic_test

import (
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/topic"
)

// Somebody joins between a publisher's look at the cursors and its saying what it has taken back:
// the publisher must look once more.
func TestWhoJoinsAsTheLaneIsReclaimedLosesNothing(t *testing.T) {
	both(t, joinsAsReclaimed[note, *note], joinsAsReclaimed[frame, *frame])
}

func joinsAsReclaimed[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 12, History: 4, Publishers: 1})
	p := w.publisher()
	w.send(p, 1, 10)
	atCursors, goOn := make(chan struct{}), make(chan struct{})
	joined := make(chan error, 1)
	var s *topic.Subscriber[T]
	var looked atomic.Bool
	setPoint(t, func(name string) {
		switch {
		case name == "seat:cursors": // with cursors at message 7
			close(atCursors)
			<-goOn
		case name == "reclaim:looked" && looked.CompareAndSwap(false, true):
			close(goOn)
			if err := <-joined; err != nil {
				t.Error(err)
			}
		}
	})
	go func() {
		var err error
		s, err = w.topic.Subscriber(nil)
		joined <- err
	}()
	<-atCursors
	last := int64(10)
	for ; !looked.Load(); last++ {
		w.send(p, last+1, last+1)
	}
	// Whatever else there is room for.
	for n := last + 1; ; n++ {
		var m T
		M(&m).set(n)
		if err := p.TrySend(&m); err == topic.ErrFull {
			last = n - 1
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	defer mustClose(t, s)
	w.receive(s, 7, last)
}

// setPoint has f called at points of this process, until the test ends.
func setPoint(t *testing.T, f func(name string)) {
	topic.SetPoint(f)
	t.Cleanup(func() { topic.SetPoint(basePoint) })
}

// A message is overwritten between a look at its slot and the reading of it: what comes then is another
// one, whole, and those between are missed.
func TestAMessageOverwrittenAsItIsReadIsMissed(t *testing.T) {
	both(t, overwritten[note, *note], overwritten[frame, *frame])
}

func overwritten[T any, M message[T]](t *testing.T) {
	for _, at := range []string{"receive:found", "receive:copied", "receive:viewed", "receive:protected"} {
		for _, way := range []string{"view", "copy"} {
			t.Run(at+", "+way, func(t *testing.T) {
				w := newWorld[T, M](t, topic.Options{Depth: 8, Publishers: 1})
				p := w.publisher()
				s := w.subscriber(topic.SubscriberOptions{BestEffort: true, History: -1})
				w.send(p, 1, 5)
				last, times := int64(5), 3
				setPoint(t, func(name string) {
					if name == at && times > 0 {
						times--
						w.send(p, last+1, last+16)
						last += 16
					}
				})
				next := uint64(1)
				for {
					var m T
					var i topic.Info
					var err error
					if way == "copy" {
						i, err = s.TryRead(&m)
					} else {
						var v topic.Message[T]
						if v, err = s.TryReceive(); err == nil {
							m, i, err = *v.Data(), v.Info, v.Release()
						}
					}
					if err == topic.ErrEmpty {
						break
					}
					must(t, err)
					if n := M(&m).get(); n < 0 || uint64(n) != i.Sequence || i.Sequence != next+i.Missed {
						t.Fatalf("message %d, %+v, behind %d", n, i, next-1)
					}
					next = i.Sequence + 1
				}
				if next != uint64(last)+1 {
					t.Errorf("read up to %d of %d", next-1, last)
				}
			})
		}
	}
}

// Somebody who was overtaken goes no further than the last message that is there: what stands behind it
// is of a batch that may never be published.
func TestNothingOfABatchIsReadBeforeItsFirstMessage(t *testing.T) {
	both(t, beforeTheFirst[note, *note], beforeTheFirst[frame, *frame])
}

func beforeTheFirst[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 8, Publishers: 1})
	p := w.publisher()
	s := w.subscriber(topic.SubscriberOptions{BestEffort: true})
	w.send(p, 1, 9)
	batch := make([]T, 8)
	for i := range batch {
		M(&batch[i]).set(10 + int64(i))
	}
	times := 0
	setPoint(t, func(name string) {
		if name == "batch:behind" || name == "batch:put" {
			times++
			w.nothingButOld(s, 9)
		}
	})
	n, err := p.TrySendBatch(batch)
	must(t, err)
	if n != 8 || times != 7 {
		t.Errorf("%d sent, %d times looked", n, times)
	}
	if w.read(s, 10, 17); s.Missed() > 9 {
		t.Errorf("missed %d", s.Missed())
	}
}

// nothingButOld reads all there is, which is not beyond a number.
func (w *world[T, M]) nothingButOld(s *topic.Subscriber[T], last int64) {
	w.t.Helper()
	for {
		var m T
		_, err := s.TryRead(&m)
		if err == topic.ErrEmpty {
			return
		}
		if n := M(&m).get(); err != nil || n < 1 || n > last {
			w.t.Errorf("read %d, %v", n, err) // and not Fatal: the publisher is in the middle of it
			return
		}
	}
}

// The same, of messages that are copied together.
func TestMessagesOverwrittenAsTheyAreReadTogetherAreMissed(t *testing.T) {
	w := newWorld[note, *note](t, topic.Options{Depth: 8, Publishers: 1})
	p := w.publisher()
	for at := range 3 { // the message, of those read together, before which the publisher overtakes
		for _, overtaking := range []int64{8, 9, 12, 16, 24} {
			s, err := w.topic.Subscriber(&topic.SubscriberOptions{BestEffort: true, History: -1})
			must(t, err)
			first := int64(p.Tail())
			last := first + 3
			w.send(p, first+1, last)
			found := 0
			setPoint(t, func(name string) {
				if name == "receive:several found" {
					if found == at {
						w.send(p, last+1, last+overtaking)
						last += overtaking
					}
					found++
				}
			})
			told, before := first, int64(0)
			for {
				to := make([]note, 3)
				n, err := s.TryReadBatch(to)
				if err == topic.ErrEmpty {
					break
				}
				must(t, err)
				missed := int64(s.Missed())
				told += int64(n) + missed - before
				before = missed
				for _, m := range to[:n] {
					if got := m.get(); got <= first || got > told {
						t.Fatalf("overtaken by %d at %d: message %d behind %d, told of %d", overtaking, at, got, first, told)
					}
					first = m.get()
				}
				if first != told {
					t.Fatalf("overtaken by %d at %d: told of %d, the last message was %d", overtaking, at, told, first)
				}
			}
			if told != last {
				t.Fatalf("overtaken by %d at %d: told of %d messages of %d", overtaking, at, told, last)
			}
			topic.SetPoint(basePoint)
			must(t, s.Close())
		}
	}
}
