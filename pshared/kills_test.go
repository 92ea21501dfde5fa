package pshared_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
)

// randomKills is how many die in the random run.
func randomKills() int {
	switch {
	case shmtest.Soaking():
		return 10_000
	case testing.Short():
		return 50
	}
	return 500
}

// Participants that work at a bank are killed at random moments. Each writes down when it
// had the lock; put together, nobody had it together with another, nobody's was stolen, and
// no turn is missing or was taken twice but for the last of each of the dead.
func TestNoLockIsLostDoubledOrStolenAmidRandomKills(t *testing.T) {
	t.Parallel()
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 1<<40)
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 4, Kills: randomKills()}, func(n int) *shmtest.Proc {
		return shmtest.Start(t, "scribe", dir, fmt.Sprint(n+1), l.Path())
	})
	finish(t, b)
	total := b.s.Data().A.Load() - 1 // but for finish
	dead := func(who string) bool {
		n, err := strconv.Atoi(who)
		return err == nil && killed[n-1]
	}
	entries := l.Entries(t)
	lastOf := map[string]time.Duration{}
	for _, e := range entries {
		lastOf[e.Who] = e.At
	}

	var inside string // who has the lock, "" nobody
	var next, missing, takenOver int64
	for _, e := range entries {
		var n, before int64
		var told bool
		switch {
		case scan(e.Text, "enter %d %t %d", &n, &told, &before):
			if inside != "" && (!told || !dead(inside) || lastOf[inside] > e.At) {
				t.Fatalf("%+v, and %s has the lock, killed %t, told %t: stolen", e, inside, dead(inside), told)
			}
			if who := fmt.Sprint(before); before != 0 && (!dead(who) || lastOf[who] > e.At) {
				t.Fatalf("%+v took over from %s, killed %t, who last wrote at %v: stolen", e, who, dead(who), lastOf[who])
			}
			if n <= next {
				t.Fatalf("%+v after turn %d: a turn was taken twice", e, next)
			}
			if told {
				takenOver++
			}
			missing += n - next - 1
			next, inside = n, e.Who
		case scan(e.Text, "leave %d", &n):
			if inside != e.Who || n != next {
				t.Fatalf("%+v, but %s has the lock, turn %d", e, inside, next)
			}
			inside = ""
		default:
			t.Fatalf("%+v", e)
		}
	}
	missing += total - next
	t.Logf("%d turns, %d told of a death, %d kills, %d turns of theirs not written down", total, takenOver, len(killed), missing)
	if missing > int64(len(killed)) {
		t.Errorf("%d turns are missing, %d were killed: lost", missing, len(killed))
	}
	if takenOver == 0 && len(killed) > 100 { // of a few, none may have held it
		t.Error("nobody took over from the dead")
	}
}

func scan(text, format string, to ...any) bool {
	n, err := fmt.Sscanf(text, format, to...)
	return err == nil && n == len(to)
}
