package queue_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

func randomKills() int {
	switch {
	case shmtest.Soaking():
		return 10_000
	case testing.Short():
		return 30
	}
	return 100
}

// Workers that push and pop are killed at random moments. Put together, each item that was pushed
// was done with once, and again only if its consumer was killed or said Retry, and then it said so;
// nothing was invented; and in the end all room is there.
func TestNothingIsLostOrDoubledAmidRandomKills(t *testing.T) {
	t.Parallel()
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 6})
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 4, Kills: randomKills(), Ledger: l}, func(n int) *shmtest.Proc {
		return shmtest.Start(t, "worker", dir, l.Path(), fmt.Sprint(n+1))
	})
	left := empty(t, q)
	type history struct {
		tried, pushed, full bool
		have, finish, done  int
		deliveries          []int
	}
	items := map[int64]*history{}
	at := func(n int64) *history {
		if items[n] == nil {
			items[n] = &history{}
		}
		return items[n]
	}
	last := map[string]string{}
	for _, e := range l.Entries(t) {
		last[e.Who] = e.Text
		var n int64
		var deliveries int
		switch {
		case scan(e.Text, "push %d", &n):
			at(n).tried = true
		case scan(e.Text, "pushed %d", &n):
			at(n).pushed = true
		case scan(e.Text, "full %d", &n):
			at(n).full = true
		case scan(e.Text, "have %d %d", &n, &deliveries):
			at(n).have++
			at(n).deliveries = append(at(n).deliveries, deliveries)
		case scan(e.Text, "finish %d", &n):
			at(n).finish++
		case scan(e.Text, "done %d", &n):
			at(n).done++
		}
	}
	inQueue := map[int64]int{}
	for _, n := range left {
		inQueue[n]++
	}
	// What a worker that was killed was in the middle of may have happened or not.
	unsure := map[int64]bool{}
	for n := range killed {
		var item int64
		if text := last[fmt.Sprint(n+1)]; scan(text, "finish %d", &item) {
			unsure[item] = true
		}
	}
	for n, h := range items {
		switch {
		case !h.tried:
			t.Errorf("item %d was invented: %+v", n, *h)
		case h.full && h.have+inQueue[n] > 0:
			t.Errorf("item %d came, and was not pushed: %+v", n, *h)
		case h.done > 1, h.done+inQueue[n] > 1:
			t.Errorf("item %d was done with %d times, and %d are left: %+v", n, h.done, inQueue[n], *h)
		case h.pushed && h.done+inQueue[n] == 0 && !unsure[n]:
			t.Errorf("item %d is lost: %+v", n, *h)
		}
		// Who was killed before it noted that it has an item makes a gap.
		if d := h.deliveries; !slices.IsSorted(d) || len(slices.Compact(slices.Clone(d))) != len(d) {
			t.Errorf("item %d was delivered %v times", n, d)
		}
		delete(inQueue, n)
	}
	if len(inQueue) > 0 {
		t.Errorf("items %v were invented", inQueue)
	}
	t.Logf("%d items, %d kills", len(items), len(killed))
}

func scan(text, format string, to ...any) bool {
	n, err := fmt.Sscanf(text, format, to...)
	return err == nil && n == len(to)
}
