package pshared_test

import (
	"fmt"
	"testing"

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
	return 250
}

// Participants that work at a bank are killed at random moments. Each writes down when it
// had the lock; put together, nobody had it together with another, nobody's was stolen, and
// no turn is missing or was taken twice but for the last of each of the dead.
func TestNoLockIsLostDoubledOrStolenAmidRandomKills(t *testing.T) {
	t.Parallel()
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 1<<40)
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 4, Kills: randomKills(), Ledger: l}, func(n int) *shmtest.Proc {
		return shmtest.Start(t, "scribe", dir, fmt.Sprint(n+1), l.Path())
	})
	finish(t, b)
	entries := l.Entries(t)
	takenOver := balanceBank(t, entries, fatesIn(entries, killed), b.d.A.Load()-1) // but for finish
	if takenOver == 0 && len(killed) > 100 {                                       // of a few, none may have held it
		t.Error("nobody took over from the dead")
	}
}

// balanceBank adds up what tellers wrote down who had so many turns in all. It returns how many
// took over from the dead.
func balanceBank(t *testing.T, entries []shmtest.Entry, f *fates, total int64) (takenOver int) {
	t.Helper()
	var inside string // who has the lock, "" nobody
	var next, missing int64
	for _, e := range entries {
		var n, before int64
		var told bool
		switch {
		case scan(e.Text, "enter %d %t %d", &n, &told, &before):
			if inside != "" && (!told || !f.gone(inside, e.At)) {
				t.Fatalf("%+v, and %s has the lock, killed %t, told %t: stolen", e, inside, f.dead(inside), told)
			}
			if who := fmt.Sprint(before); before != 0 && !f.gone(who, e.At) {
				t.Fatalf("%+v took over from %s, killed %t, who last wrote at %v: stolen", e, who, f.dead(who), f.lastAt[who])
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
	t.Logf("%d turns, %d told of a death, %d kills, %d turns of theirs not written down", total, takenOver, len(f.killed), missing)
	if missing > int64(len(f.killed)) {
		t.Errorf("%d turns are missing, %d were killed: lost", missing, len(f.killed))
	}
	return takenOver
}

func scan(text, format string, to ...any) bool {
	n, err := fmt.Sscanf(text, format, to...)
	return err == nil && n == len(to)
}
