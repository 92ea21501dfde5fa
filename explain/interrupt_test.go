package explain

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// makers are calls that something may be left of.
var makers = []string{"shmget", "shmat", "memfd_create", "open", "shm_open", "mmap", "kill", "shm_unlink", "semop"}

// kindOf tells steps apart by what might be left of them: what is made, or by several
// processes; else each experiment is a kind.
func kindOf(e Experiment, s *Step) string {
	name, _, _ := strings.Cut(s.Call, "(")
	switch {
	case len(s.PIDs) > 1:
		return "several"
	case slices.Contains(makers, name):
		return name
	}
	return "steps of " + e.Name
}

// often is how many times each experiment is interrupted outside of the soak.
const often = 3

// Wherever an experiment is interrupted, it ends with that error and leaves nothing. All
// steps are for the soak; else there are some in each experiment, and one of each kind at
// least, whatever experiment has it.
func TestExperimentsCanBeInterruptedAtEveryStep(t *testing.T) {
	seen := map[string]bool{}
	each(t, func(t *testing.T, e Experiment) {
		at := 0 // where it was interrupted the last time
		for n := 0; n < often || testenv.Soaking(); n++ {
			ctx, cancel := context.WithCancel(t.Context())
			stopped := 0
			stop := func(s *Step) error {
				if s.Number > at && stopped == 0 && (testenv.Soaking() || !seen[kindOf(e, s)]) {
					seen[kindOf(e, s)], stopped = true, s.Number
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
	for _, kind := range append(makers, "several") {
		if !seen[kind] && !testenv.Soaking() && len(seen) > len(Experiments()) { // all of them were asked for
			t.Errorf("no step of the kind %s was interrupted", kind)
		}
	}
}
