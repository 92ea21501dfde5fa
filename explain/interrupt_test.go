package explain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// kindOf tells steps apart by what is done: the calls, without what they are given, and by
// how many processes.
func kindOf(s *Step) string {
	var calls []string
	for _, call := range strings.Split(s.Call, ";") {
		name, _, _ := strings.Cut(call, "(")
		calls = append(calls, strings.TrimSpace(name))
	}
	return strings.Join(calls, ";") + " by " + itoa(len(s.PIDs))
}

// Wherever an experiment is interrupted, it ends with that error and leaves nothing. All
// steps are for the soak; else it is one of each kind, whatever experiment has it.
func TestExperimentsCanBeInterruptedAtEveryStep(t *testing.T) {
	seen := map[string]bool{}
	each(t, func(t *testing.T, e Experiment) {
		at := 0 // where it was interrupted the last time
		for {
			ctx, cancel := context.WithCancel(t.Context())
			stopped := 0
			stop := func(s *Step) error {
				if s.Number > at && stopped == 0 && (testenv.Soaking() || !seen[kindOf(s)]) {
					seen[kindOf(s)], stopped = true, s.Number
					cancel()
				}
				return nil
			}
			opts := &Options{Before: stop}
			if len(seen)%2 == 0 {
				opts = &Options{After: stop}
			}
			r, err := Run(ctx, e, opts)
			cancel()
			nothingLeft(t)
			switch {
			case stopped == 0 && err != nil:
				t.Fatal(err)
			case stopped == 0: // there are no more steps
				return
			case stopped == len(r.Steps) && err == nil: // it was the last, and is over
			case !errors.Is(err, context.Canceled) || r.Agree:
				t.Errorf("interrupted at step %d: %v, agree %v", stopped, err, r.Agree)
			}
			at = stopped
		}
	})
}
