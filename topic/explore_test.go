package topic

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
)

// The steps of docs/abi/topic.md at small size, in every order, with kills between any two.
// Memory is sequentially consistent, a step is one access to a shared word. One explorer for
// each matter, so that each stays small:
//
//	xLane   a ring: messages whole and in order, batches, Adopt, Skip
//	xPool   chunks: views, hazards, retired chunks, how many there must be
//	xJoin   seats: late joiners, what may be overwritten, history, Evict, sleeping for room
//	xBell   sleeping for messages and for room, and the tick
//
// Numbers are v = 2n as in shared memory; what comes before the first message is below 2.

// An xCase is one size at which something is explored.
type xCase struct {
	name string
	long bool // only when soaking
	run  func(without string) (fault string, states int)
}

// xRight checks that nothing is wrong at any size.
func xRight(t *testing.T, cases []xCase) {
	t.Helper()
	if race.Enabled {
		t.Skip("it is one goroutine, and slow")
	}
	for _, c := range cases {
		if c.long && !testenv.Soaking() {
			continue
		}
		fault, states := c.run("")
		if fault != "" {
			t.Errorf("%s: %s", c.name, fault)
		}
		if states < 50 {
			t.Errorf("%s: only %d states", c.name, states)
		}
		t.Logf("%s: %d states", c.name, states)
	}
}

// xNeeded checks that without each of the steps something is wrong at some size.
func xNeeded(t *testing.T, cases []xCase, steps ...string) {
	t.Helper()
	if race.Enabled {
		t.Skip("it is one goroutine, and slow")
	}
	for _, without := range steps {
		t.Run(strings.ReplaceAll(without, " ", "_"), func(t *testing.T) {
			for _, c := range cases {
				if c.long && !testenv.Soaking() {
					continue
				}
				if fault, states := c.run(without); fault != "" {
					t.Logf("%s: %s (%d states)", c.name, fault, states)
					return
				}
			}
			t.Errorf("nothing is wrong with %s", without)
		})
	}
}
