package topic_test

import (
	"testing"

	"github.com/shmkit/shmkit/topic"
)

// Who receives a message sees what its publisher did before, also for the race detector: with -race
// this test fails if it isn't told.
func TestAMessageOrdersWhatWasDoneBefore(t *testing.T) {
	both(t, orders[note, *note], orders[frame, *frame])
}

func orders[T any, M message[T]](t *testing.T) {
	w := newWorld[T, M](t, topic.Options{Depth: 8})
	p, s := w.publisher(), w.subscriber(topic.SubscriberOptions{})
	const rounds = 200
	done := make([]int64, rounds)
	go func() {
		for n := range int64(rounds) {
			done[n] = n + 1
			var m T
			M(&m).set(n)
			var err error
			if n%3 == 0 {
				_, err = p.SendBatch(ctx, []T{m})
			} else {
				err = p.Send(ctx, &m)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for n := int64(0); n < rounds; {
		var in [3]T
		got, err := 1, error(nil)
		if n%2 == 0 {
			got, err = s.ReadBatch(limited(t), in[:])
		} else {
			_, err = s.Read(limited(t), &in[0])
		}
		must(t, err)
		for i := range got {
			if k := M(&in[i]).get(); k != n || done[k] != k+1 {
				t.Fatalf("message %d came for %d", k, n)
			}
			n++
		}
	}
}
