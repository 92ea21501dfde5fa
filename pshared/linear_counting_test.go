package pshared_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/shmtest"
)

// What the counting semaphore does, one step after the other.
type tokenModel struct {
	tokens  int16
	account [64]int16 // what each participant took, or was told of, and has not posted or settled
	lost    int16     // accounts of the dead that nobody was told of yet
	// maybe is what one may be told of beyond that: what the dead were in the middle of.
	maybe int16
}

// Actions: wait, try, postN, settleN; told: knowing that of all the dead somebody was told; rest:
// knowing that there are no tokens.
var countingModel = behaviour[tokenModel]{
	die: func(s tokenModel, a action) tokenModel {
		var n int16
		switch {
		case scan(a.in, "post%d", &n): // it may be in the account yet
			s.maybe += n
		case a.in == "wait", a.in == "try": // a token that it did not take yet; or those that it was about to be told of
			s.maybe += 1 + s.lost + s.maybe
		}
		s.maybe = min(s.maybe, mostMaybe)
		s.lost += s.account[a.who]
		s.account[a.who] = 0
		return s
	},
	also: tokenModel.told,
	step: func(s tokenModel, a action, out string) (bool, tokenModel) {
		var n int16
		switch {
		case scan(a.what, "post%d", &n):
			s.tokens += n
			s.account[a.who] -= min(n, s.account[a.who])
		case scan(a.what, "settle%d", &n):
			s.account[a.who] -= min(n, s.account[a.who])
		case a.what == "told":
			s.maybe = 0
			return s.lost == 0, s
		case a.what == "rest":
			return s.tokens == 0, s
		case scan(out, "lost %d", &n):
			certain := min(n, s.lost)
			s.lost -= certain
			s.maybe -= n - certain
			s.account[a.who] += n
			return n > 0 && s.maybe >= 0, s
		case out == gaveUp:
		case out == refused:
			return s.tokens == 0, s
		case s.tokens == 0:
			return out == pending, s
		default:
			s.tokens--
			s.account[a.who]++
		}
		return true, s
	},
}.model()

// told is s when it is this participant that was told of what the dead had.
func (s tokenModel) told(a action) tokenModel {
	if a.what == "wait" || a.what == "try" {
		s.account[a.who] += s.lost
		s.lost = 0
	}
	return s
}

// mostMaybe bounds the states that there are. Nobody is ever told of as many, here.
const mostMaybe = 20

// countingRecorder is one of poolRoles.
func countingRecorder(b *bather, args []string) error {
	owed := int64(0)
	return record(args[0], b.who, &b.d.Turns, func(r *recording, n int64) error { return b.recordTokens(r, n, &owed) }, b.s)
}

// post posts n tokens, one after the other or all at once.
func (b *bather) post(r *recording, n int64) error {
	if n == 2 {
		return r.must("post2", func() error { return b.count.Post(2) })
	}
	for range n {
		if err := r.must("post1", func() error { return b.count.Post(1) }); err != nil {
			return err
		}
	}
	return nil
}

// recordTokens takes a token, or two, and posts as many; but now and then it settles them, and owes
// them until the next turn. What it is told of it posts.
func (b *bather) recordTokens(r *recording, n int64, owed *int64) error {
	if err := b.post(r, *owed); err != nil {
		return err
	}
	var mine int64
	*owed = 0
	for range n%2 + 1 {
		var out string
		var err error
		if n%5 == 0 {
			out, err = r.do("try", try(b.count.TryWait))
		} else {
			out, err = r.do("wait", limit(n, b.count.Wait))
		}
		var lost int64
		switch {
		case err != nil:
			return err
		case scan(out, "lost %d", &lost):
			mine += lost
		case out == ok:
			mine++
		}
	}
	if mine == 0 {
		return nil
	}
	dwell(n)
	if n%5 != 1 {
		return b.post(r, mine)
	}
	*owed = mine
	return r.must(fmt.Sprint("settle", mine), func() error { return b.count.Settle(mine) })
}

// inquire is told of the dead, unless others were, and posts what it gets; or others, for those that
// were owed. Nobody dies meanwhile.
func (b *bather) inquire(t testing.TB, r *recording) {
	t.Helper()
	b.sweepAll(t)
	out, err := r.do("try", try(b.count.TryWait))
	must(t, err)
	must(t, r.must("told", func() error { return nil }))
	n := int64(1)
	if out == refused {
		n = 2
	}
	scan(out, "lost %d", &n)
	must(t, b.post(r, n))
}

// clearAway takes all tokens. Nobody else is there any more.
func (b *bather) clearAway(t testing.TB, r *recording) {
	t.Helper()
	for range 1000 { // as many are never there
		out, err := r.do("try", try(b.count.TryWait))
		must(t, err)
		if out == refused {
			break
		}
	}
	must(t, r.must("rest", func() error { return nil }))
	left, err := b.count.Unsettled()
	must(t, err)
	must(t, b.count.Settle(max(left, 1)))
}

func TestCountingSemaphoreHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	areLinearizable(t, countingModel, func(t *testing.T, ledger string) gathering {
		const keeper = 64
		dir := shmtest.Dir(t)
		keep := mustOpenPool(t, dir, keeper)
		to, err := takeNotes(ledger, keeper)
		must(t, err)
		r := &recording{to, &keep.d.Turns}
		must(t, keep.post(r, 2))
		return gathering{
			start: func(who int64, ledger string) *shmtest.Proc {
				if who%5 == 0 { // else the others should be told
					keep.inquire(t, r)
				}
				return startPool(t, dir, who, "token recorder", ledger)
			},
			end: func() {
				keep.inquire(t, r)
				keep.clearAway(t, r)
				must(t, to.Close())
			},
		}
	})
}

func TestTheCountingSemaphoreModelFindsFaults(t *testing.T) {
	const forever = math.MaxInt64
	two := did(0, "post2", ok, 1, 2)
	killedIn := func(what string, who int, call, back int64) porcupine.Operation {
		return porcupine.Operation{ClientId: 1000 + who, Input: action{who, "die", what}, Output: ok, Call: call, Return: back}
	}
	findsFaults(t, countingModel, map[string][]porcupine.Operation{
		"none there":                {did(0, "wait", ok, 1, 2)},
		"taken twice":               {did(0, "post1", ok, 1, 2), did(0, "wait", ok, 3, 4), did(1, "try", ok, 5, 6)},
		"refused one that there is": {did(0, "post1", ok, 1, 2), did(1, "try", refused, 3, 4)},
		"told for nothing":          {two, did(1, "wait", ok, 3, 4), did(0, "try", "lost 1", 5, 6)},
		"told of too few": {two, did(1, "wait", ok, 3, 4), did(1, "wait", ok, 5, 6), did(1, "die", ok, 7, 8),
			did(0, "try", "lost 1", 9, 10), did(0, "told", ok, 11, 12)},
		"told of too many": {two, did(1, "wait", ok, 3, 4), did(1, "die", ok, 5, 6), did(0, "try", "lost 2", 7, 8)},
		"told of twice": {two, did(1, "wait", ok, 3, 4), did(1, "die", ok, 5, 6), did(0, "try", "lost 1", 7, 8),
			did(2, "try", "lost 1", 9, 10)},
		"told of what was posted": {two, did(1, "wait", ok, 3, 4), did(1, "post1", ok, 5, 6), did(1, "die", ok, 7, 8),
			did(0, "try", "lost 1", 9, 10)},
		"told of what was settled": {two, did(1, "wait", ok, 3, 4), did(1, "settle1", ok, 5, 6), did(1, "die", ok, 7, 8),
			did(0, "try", "lost 1", 9, 10)},
		"told of what nobody had":          {did(1, "post1", ok, 1, 2), did(1, "die", ok, 3, 4), did(0, "wait", "lost 1", 5, 6)},
		"told of nothing":                  {two, did(0, "wait", "lost 0", 3, 4)},
		"nobody told":                      {two, did(0, "try", ok, 3, 4), did(1, "try", ok, 5, 6), did(1, "die", ok, 7, 8), did(0, "told", ok, 9, 10)},
		"told of one who was not dead yet": {two, did(1, "wait", ok, 3, 4), did(0, "try", "lost 1", 5, 6), did(1, "die", ok, 7, 8)},
		"told later than known": {two, did(1, "wait", ok, 3, 4), killedIn("wait", 1, 5, 6), did(0, "try", "lost 1", 7, 8), did(0, "told", ok, 9, 10),
			did(0, "try", "lost 1", 11, 12)},
		"a posted token is not there": {did(0, "post1", ok, 1, 2), did(0, "rest", ok, 3, 4)},
	}, map[string][]porcupine.Operation{
		"whoever is told answers": {two, did(1, "wait", ok, 3, 4), did(1, "die", ok, 5, 6), did(2, "try", "lost 1", 7, 8),
			did(2, "die", ok, 9, 10), did(0, "try", "lost 1", 11, 12), did(0, "wait", ok, 13, 14), did(0, "rest", ok, 15, 16)},
		"killed taking": {two, did(1, "wait", pending, 3, forever), killedIn("wait", 1, 3, forever), did(0, "try", "lost 1", 5, 6),
			did(0, "try", ok, 7, 8), did(0, "try", ok, 9, 10), did(0, "rest", ok, 11, 12)},
		"killed posting": {two, did(1, "wait", ok, 3, 4), did(1, "post1", pending, 5, forever), killedIn("post1", 1, 5, forever),
			did(0, "try", "lost 1", 7, 8), did(0, "try", ok, 9, 10), did(0, "try", ok, 11, 12), did(0, "rest", ok, 13, 14)},
		"killed when it was told": {two, did(1, "wait", ok, 3, 4), killedIn("", 1, 5, 6), did(2, "wait", pending, 7, forever),
			did(0, "told", ok, 9, 10), killedIn("wait", 2, 11, forever), did(0, "try", "lost 1", 13, 14), did(0, "told", ok, 15, 16)},
		"told of two in two": {two, did(1, "wait", ok, 3, 4), did(2, "wait", ok, 5, 6), did(1, "die", ok, 7, 8), did(2, "die", ok, 9, 10),
			did(0, "try", "lost 1", 11, 12), did(0, "try", "lost 1", 13, 14), did(0, "rest", ok, 15, 16)},
	})
}
