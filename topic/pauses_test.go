package topic_test

import (
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// Who waits for messages is looked for less and less often; who is held up, and all while one is, is not.
// None may run beside it: others' sleepers would count.
func TestWhoSleepsLongIsLookedForLessOften(t *testing.T) {
	s := &topic.Sleepy{}
	s.Sleep()
	defer s.Wake()
	looked := func(n int) {
		t.Helper()
		shmtest.Eventually(t, "it was looked for", func() bool { return len(s.Looks()) >= n })
	}
	looked(6)
	at := s.Looks()
	if gap := at[5].Sub(at[4]); gap < 700*time.Millisecond {
		t.Errorf("it was looked for again after %v", gap)
	}
	held := &topic.Sleepy{Held: true}
	held.Sleep()
	n := len(s.Looks())
	shmtest.Eventually(t, "both were looked for", func() bool { return len(held.Looks()) >= 20 })
	if more := len(s.Looks()) - n; more < 10 { // else it would have taken a quarter of a minute
		t.Errorf("looked for %d times meanwhile", more)
	}
	held.Wake()
	looked(len(s.Looks()) + 5)
	at = s.Looks()
	if gap := at[len(at)-1].Sub(at[len(at)-2]); gap < 300*time.Millisecond {
		t.Errorf("afterwards it was looked for again after %v", gap)
	}
}
