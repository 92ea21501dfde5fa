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
