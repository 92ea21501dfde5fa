package topic_test

import (
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

func TestABatchOfNothingIsSentAtOnce(t *testing.T) {
	dir := shmtest.Dir(t)
	p, err := topic.NewBytesPublisher("bytes", &topic.Options{Dir: dir})
	must(t, err)
	defer mustClose(t, p)
	q, err := topic.NewPublisher[note]("notes", &topic.Options{Dir: dir})
	must(t, err)
	defer mustClose(t, q)
	for name, send := range map[string]func() (int, error){
		"bytes":          func() (int, error) { return p.SendBatch(ctx, nil) },
		"bytes, trying":  func() (int, error) { return p.TrySendBatch([][]byte{}) },
		"a type":         func() (int, error) { return q.SendBatch(ctx, nil) },
		"a type, trying": func() (int, error) { return q.TrySendBatch([]note{}) },
	} {
		if n, err := send(); n != 0 || err != nil {
			t.Errorf("%s: sent %d, %v", name, n, err)
		}
	}
}
