package topic_test

import (
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// Who is overtaken, however little room there is, gets the last message when the publisher pauses,
// and is told of all others.
func TestTheLastMessageIsNotMissed(t *testing.T) {
	both(t, latest[note, *note], latest[frame, *frame])
}

func latest[T any, M message[T]](t *testing.T) {
	for _, depth := range []int{1, 2, 4, 8, 128} {
		for _, unreliable := range []bool{false, true} { // the topic, or the subscriber
			w := newWorld[T, M](t, topic.Options{Dir: shmtest.Dir(t), Depth: depth, Publishers: 1, Subscribers: 1, BestEffort: unreliable})
			p, s := w.publisher(), w.subscriber(topic.SubscriberOptions{BestEffort: !unreliable})
			sent, told := int64(0), int64(0)
			for burst := int64(1); burst < 3*int64(depth)+3; burst += max(1, int64(depth)/8) {
				w.send(p, sent+1, sent+burst)
				sent += burst
				for told < sent {
					m, err := s.TryReceive()
					if err != nil {
						t.Fatalf("depth %d: told of %d messages of %d, then %v", depth, told, sent, err)
					}
					told += int64(m.Missed) + 1
					if got := M(m.Data()).get(); got != told || m.Sequence != uint64(told) {
						t.Fatalf("depth %d: message %d, %+v, want %d", depth, got, m.Info, told)
					}
					must(t, m.Release())
				}
				w.nothing(s)
			}
		}
	}
}
