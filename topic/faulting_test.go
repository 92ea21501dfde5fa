package topic_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// cutOff returns bytes that nobody can read any more: a loan of a topic whose file of messages was cut off.
func cutOff(t *testing.T) []byte {
	dir := shmtest.Dir(t)
	tp, err := topic.CreateBytes("cut", &topic.Options{Dir: dir, MaxMessage: 4096, Publishers: 1})
	must(t, err)
	p, err := tp.Publisher()
	must(t, err)
	l, err := p.TryLoan()
	must(t, err)
	t.Cleanup(func() {
		must(t, l.Drop())
		mustClose(t, p)
		mustClose(t, tp)
	})
	files, err := filepath.Glob(filepath.Join(dir, "messages.*"))
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("files of messages: %v", files)
	}
	i, err := os.Stat(files[0])
	must(t, err)
	must(t, os.Truncate(files[0], i.Size()/2/4096*4096)) // what is in front of the chunks stays
	return l.Data()
}

// What is to be sent cannot be read: nothing of it is sent, then or later, and nothing is lost.
func TestAMessageThatCannotBeRead(t *testing.T) {
	for name, length := range map[string]int{"in slots": 104, "in chunks": 4000} {
		t.Run(name, func(t *testing.T) {
			tp, err := topic.CreateBytes("news", &topic.Options{Dir: shmtest.Dir(t), MaxMessage: length, Depth: 8, Loans: 1, Subscribers: 1})
			must(t, err)
			p, err := tp.Publisher()
			must(t, err)
			s, err := tp.Subscriber(nil)
			must(t, err)
			t.Cleanup(func() {
				for _, c := range []interface{ Close() error }{s, p, tp} {
					mustClose(t, c)
				}
			})
			bad, good := cutOff(t)[:length], make([]byte, length)
			got := make([]byte, length)
			for n := range byte(200) {
				var fault *shmkit.FaultError
				good[0] = 255
				for _, batch := range [][][]byte{{good, good, bad, good}, {bad, good, good, good}} {
					if sent, err := p.TrySendBatch(batch); sent != 0 || !errors.As(err, &fault) {
						t.Fatalf("sent %d, %v", sent, err)
					}
				}
				if err := p.TrySend(bad); !errors.As(err, &fault) {
					t.Fatal(err)
				}
				good[0] = n
				must(t, p.TrySend(good))
				_, _, err := s.TryRead(got)
				must(t, err)
				if _, _, err := s.TryRead(got); got[0] != n || err != topic.ErrEmpty {
					t.Fatalf("%d: read %d, and then %v", n, got[0], err)
				}
			}
		})
	}
}
