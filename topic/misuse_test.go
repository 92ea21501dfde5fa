package topic_test

import (
	"errors"
	"testing"

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
