package bench

import "testing"

// TestCallsAreCounted: a message through a pipe is one call on each side, and what the scheduler of Go adds when a
// thread sleeps; one through memory is none.
func TestCallsAreCounted(t *testing.T) {
	res, err := Run(t.Context(), short("latency", "pipe", "topic"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Rows {
		switch {
		case r.Yardstick:
			if r.Calls != nil {
				t.Errorf("%v: %v calls of what is not asked", r.Trial, *r.Calls)
			}
		case r.Calls == nil:
			t.Errorf("%v: calls are not known", r.Trial)
		case r.Way == "pipe" && *r.Calls < 4:
			t.Errorf("%v: %v calls; two writes and two reads are four", r.Trial, *r.Calls)
		case r.Way == "topic" && r.Wait == Spin && *r.Calls > 1:
			t.Errorf("%v: %v calls of who never sleeps", r.Trial, *r.Calls)
		}
	}
}
