package pshared_test

import (
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
)

// Readers and writers are killed at random moments. Each writes down when it had the lock;
// put together, no writer was inside with anybody, no writer's lock was stolen, every
// reader saw the last write, and no write is missing but the last of each of the dead.
func TestNoReadIsTornAmidRandomKills(t *testing.T) {
	t.Parallel()
	dir := shmtest.Dir(t)
	c := mustOpenLibrary(t, dir, 1<<40)
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 4, Kills: randomKills(), Ledger: l}, func(n int) *shmtest.Proc {
		return startRW(t, dir, int64(n+1), "scribe", l.Path())
	})
	settle(t, c)
	entries := l.Entries(t)
	reads, takenOver := balanceRW(t, entries, fatesIn(entries, killed), c.d.A.Load()-1) // but for settle
	if reads == 0 || takenOver == 0 && len(killed) > 100 {                              // of a few, none may have been inside
		t.Error("nobody read, or nobody took over from the dead")
	}
}

// balanceRW adds up what clerks wrote down who wrote in the book so often in all. It returns how
// many read, and how many took over from the dead.
func balanceRW(t *testing.T, entries []shmtest.Entry, f *fates, written int64) (reads, takenOver int) {
	t.Helper()
	readers := map[string]bool{}
	writer := "" // who is inside
	var next, missing int64
	for _, e := range entries {
		var n, before int64
		var told bool
		switch {
		case scan(e.Text, "read %d", &n):
			if writer != "" {
				t.Fatalf("%+v, and %s writes", e, writer)
			}
			if n != next {
				t.Fatalf("%+v, and nobody wrote that: the last is %d", e, next)
			}
			readers[e.Who] = true
			reads++
		case scan(e.Text, "done %d", &n):
			if !readers[e.Who] || n != next {
				t.Fatalf("%+v, and it reads: %t, the last write is %d", e, readers[e.Who], next)
			}
			delete(readers, e.Who)
		case scan(e.Text, "write %d %t %d", &n, &told, &before):
			for who := range readers {
				if !f.gone(who, e.At) {
					t.Fatalf("%+v, and %s reads", e, who)
				}
			}
			clear(readers)
			if writer != "" && (!told || !f.gone(writer, e.At)) {
				t.Fatalf("%+v, and %s writes, killed %t, told %t: stolen", e, writer, f.dead(writer), told)
			}
			if who := fmt.Sprint(before); before != 0 && !f.gone(who, e.At) {
				t.Fatalf("%+v took over from %s, killed %t, who last wrote at %v: stolen", e, who, f.dead(who), f.lastAt[who])
			}
			if n <= next {
				t.Fatalf("%+v after write %d", e, next)
			}
			if told {
				takenOver++
			}
			missing += n - next - 1
			next, writer = n, e.Who
		case scan(e.Text, "written %d", &n):
			if writer != e.Who || n != next {
				t.Fatalf("%+v, but %s writes, %d", e, writer, next)
			}
			writer = ""
		default:
			t.Fatalf("%+v", e)
		}
	}
	missing += written - next
	t.Logf("%d reads, %d writes, %d told of a death, %d kills, %d writes of theirs not written down", reads, written, takenOver, len(f.killed), missing)
	if missing > int64(len(f.killed)) {
		t.Errorf("%d writes are missing, %d were killed: lost", missing, len(f.killed))
	}
	return reads, takenOver
}
