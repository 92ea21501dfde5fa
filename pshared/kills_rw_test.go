package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
)

// takeNotes opens this clerk's page of the ledger at path.
func (c *clerk) takeNotes(path string) (err error) {
	c.notes, err = shmtest.OpenLedger(path, fmt.Sprint(c.who))
	return err
}

// rwScribe reads and writes until it is dismissed or killed, and writes down all it does.
func rwScribe(c *clerk, args []string) error {
	if err := c.takeNotes(args[0]); err != nil {
		return err
	}
	for n := c.who; ; n++ {
		select {
		case <-shmtest.Dismissed():
			return errors.Join(c.s.Close(), c.notes.Close())
		default:
		}
		// A deadline now and then: who gives up must leave nothing behind either.
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%7+1)*time.Millisecond)
		var err error
		if n%3 == 0 {
			_, err = c.write(ctx)
		} else {
			err = c.read(ctx)
		}
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// Readers and writers are killed at random moments. Each writes down when it had the lock;
// put together, no writer was inside with anybody, no writer's lock was stolen, every
// reader saw the last write, and no write is missing but the last of each of the dead.
func TestNoReadIsTornAmidRandomKills(t *testing.T) {
	t.Parallel()
	dir := shmtest.Dir(t)
	c := mustOpenLibrary(t, dir, 1<<40)
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 4, Kills: randomKills()}, func(n int) *shmtest.Proc {
		return startRW(t, dir, int64(n+1), "scribe", l.Path())
	})
	settle(t, c)
	balanceRW(t, l, killed, c.s.Data().A.Load()-1) // but for settle
}

// balanceRW adds up a ledger of rwScribes, of whom those in killed were killed, and who wrote
// so often.
func balanceRW(t *testing.T, l *shmtest.Ledger, killed map[int]bool, written int64) {
	t.Helper()
	dead := func(who string) bool {
		n, err := strconv.Atoi(who)
		return err == nil && killed[n-1]
	}
	entries := l.Entries(t)
	lastOf := map[string]time.Duration{}
	for _, e := range entries {
		lastOf[e.Who] = e.At
	}
	gone := func(who string, at time.Duration) bool { return dead(who) && lastOf[who] < at }

	readers := map[string]bool{}
	writer := "" // who is inside
	var next, missing, reads, takenOver int64
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
				if !gone(who, e.At) {
					t.Fatalf("%+v, and %s reads", e, who)
				}
			}
			clear(readers)
			if writer != "" && (!told || !gone(writer, e.At)) {
				t.Fatalf("%+v, and %s writes, killed %t, told %t: stolen", e, writer, dead(writer), told)
			}
			if who := fmt.Sprint(before); before != 0 && !gone(who, e.At) {
				t.Fatalf("%+v took over from %s, killed %t, who last wrote at %v: stolen", e, who, dead(who), lastOf[who])
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
	t.Logf("%d reads, %d writes, %d told of a death, %d kills, %d writes of theirs not written down", reads, written, takenOver, len(killed), missing)
	if missing > int64(len(killed)) {
		t.Errorf("%d writes are missing, %d were killed: lost", missing, len(killed))
	}
	if reads == 0 || takenOver == 0 && len(killed) > 100 { // of a few, none may have been inside
		t.Error("nobody read, or nobody took over from the dead")
	}
}
