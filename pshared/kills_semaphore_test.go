package pshared_test

import (
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
)

// Participants are killed at random moments. Put together, there were never more permits out
// than there are, and all came back; no token is missing, and each death was told of once.
func TestNoPermitOrTokenIsLostOrDoubledAmidRandomKills(t *testing.T) {
	t.Parallel()
	const tokens = 2
	dir := shmtest.Dir(t)
	b := mustOpenPool(t, dir, 1<<40)
	must(t, b.count.Post(tokens))
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 4, Kills: randomKills(), Ledger: l}, func(n int) *shmtest.Proc {
		return startPool(t, dir, int64(n+1), "scribe", l.Path())
	})
	refill(t, b)
	left, told := drainTokens(t, b)
	entries := l.Entries(t)
	balancePool(t, entries, fatesIn(entries, killed), tokens, left, told)
}

// balancePool adds up what bathers wrote down among whom there were so many tokens; left are
// there at the end, when one was told of so many.
func balancePool(t *testing.T, entries []shmtest.Entry, f *fates, tokens, left, told int64) {
	t.Helper()
	last := map[string]string{}
	held := map[string]int64{}
	turns := 0
	for _, e := range entries {
		last[e.Who] = e.Text
		var n int64
		switch {
		case scan(e.Text, "hold %d", &n):
			held[e.Who] = n
			turns++
			out := int64(0)
			for who, n := range held {
				if !f.gone(who, e.At) {
					out += n
				}
			}
			if out > poolPermits {
				t.Fatalf("%+v, and %v hold the others: %d of %d are out", e, held, out, poolPermits)
			}
		case scan(e.Text, "give %d", &n):
			delete(held, e.Who)
		case scan(e.Text, "told %d", &n):
			told += n
		}
	}
	// Who was killed having taken a token and not begun to post it: told of. In the middle of
	// a step, or having been told of n: perhaps.
	var certain, perhaps int64
	for n := range f.killed {
		switch text := last[fmt.Sprint(n+1)]; text {
		case "took":
			certain++
		case "ask", "post":
			perhaps++
		default:
			var n int64
			if scan(text, "told %d", &n) || scan(text, "posted %d", &n) {
				perhaps += n
			}
		}
	}
	t.Logf("%d turns, %d kills, told of %d tokens, of %d for certain and perhaps %d; %d of %d are left",
		turns, len(f.killed), told, certain, perhaps, left, tokens)
	if told < certain || told > certain+perhaps {
		t.Errorf("told of %d tokens, of %d for certain and perhaps %d", told, certain, perhaps)
	}
	// One that died in the middle of a step may be told of for nothing.
	if left < tokens || left > tokens+perhaps {
		t.Errorf("%d tokens are left of %d", left, tokens)
	}
}
