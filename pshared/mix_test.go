package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// A market is one struct with all that the tests that kill at random have in one of their own.
type market struct {
	Bank    bank
	Library library
	Pool    pool
	Cond    condScene
	Event   eventScene
	Gate    gate
	Barrier barrierScene
	Hall    hall
	Turns   atomic.Int64 // taken by all
}

// A gate is opened and shut again and again by a host.
type gate struct {
	Event  pshared.EventWord
	_      [60]byte
	Opened atomic.Int64 // how often the host has begun to open it
	Shut   atomic.Int64 // how often it had shut it
}

// A hall has many things to be done once, one after the other.
type hall struct {
	Now   atomic.Int64 // which is to be done
	Onces [2000]pshared.OnceWord
}

// A dealer is at the market: a participant, or the host.
type dealer struct {
	s     *pshared.Shared[market]
	d     *market
	notes *notes
	bank  *teller
	books *clerk
	pool  *bather
	cond  *taker
	auto  *pshared.Event
	gate  *pshared.Event
}

func dealerIn(s *pshared.Shared[market], who int64, to *notes) (x *dealer, err error) {
	d := s.Data()
	x = &dealer{
		s: s, d: d, notes: to,
		bank: tellerIn(s, &d.Bank, who), books: clerkIn(s, &d.Library, who), cond: takerIn(s, &d.Cond),
		auto: s.AutoEvent(&d.Event.Auto), gate: s.Event(&d.Gate.Event),
	}
	x.pool, err = batherIn(s, &d.Pool, who)
	return x, err
}

// What notes are about.
const (
	aboutBank    = "bank"
	aboutLibrary = "library"
	aboutPool    = "pool"
	aboutTokens  = "tokens"
	aboutEvent   = "event"
	aboutBarrier = "barrier"
	aboutOnce    = "once"
)

// dealing is a role: it does one thing after the other at the market until it is dismissed or
// killed, and writes down all it does. Its arguments are the ledger and who it is.
var dealing = inScene(func(s *pshared.Shared[market], args []string) error {
	who, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	to, err := takeNotes(args[0], who)
	if err != nil {
		return err
	}
	x, err := dealerIn(s, who, to)
	if err != nil {
		return err
	}
	x.bank.notes, x.books.notes, x.pool.notes = to.of(aboutBank), to.of(aboutLibrary), to.of(aboutPool)
	atBarrier := x.d.Barrier.visit(s.Barrier(&x.d.Barrier.Barrier, 2), to.of(aboutBarrier))
	turns := []func(n int64) error{
		often(x.bank.turn), often(x.books.turn), often(x.pool.turn), // that wait for nobody long
		x.takeToken, takesEvent(x.auto, to.of(aboutEvent)), x.goThrough, atBarrier, x.doOnce,
	}
	return untilDismissed(who, func(n int64) error {
		err := turns[rand.IntN(len(turns))](n)
		x.d.Turns.Add(1)
		return err
	}, to)
})

// often is a turn of many.
func often(turn func(n int64) error) func(n int64) error {
	return func(n int64) error {
		for i := range int64(100) {
			if err := turn(n + i); err != nil {
				return err
			}
		}
		return nil
	}
}

var _ = addRoles(map[string]shmtest.Role{"dealer": dealing})

func (x *dealer) takeToken(n int64) error {
	return forAMoment(n, func(ctx context.Context) error {
		return x.notes.of(aboutTokens).asking("taken", func() error { return x.cond.take(ctx) })
	})
}

// goThrough goes through the gate, and would see it if that was shut all the time.
func (x *dealer) goThrough(n int64) error {
	g := &x.d.Gate
	shut := g.Shut.Load()
	return forAMoment(n, func(ctx context.Context) error {
		err := x.gate.Wait(ctx)
		if opened := g.Opened.Load(); err == nil && opened <= shut {
			err = fmt.Errorf("through a gate that was opened %d times, and %d times shut before", opened, shut)
		}
		return err
	})
}

// doOnce sees to it that what is to be done now is done, unless who does it takes longer.
func (x *dealer) doOnce(n int64) error {
	to, k := x.notes.of(aboutOnce), x.d.Hall.Now.Load()
	return forAMoment(n, func(ctx context.Context) error {
		err := x.s.Once(&x.d.Hall.Onces[k]).Do(ctx, func() error {
			err := to.note("begin %d", k)
			time.Sleep(3 * time.Millisecond) // sleep-ok: what is done takes time, in which it can be killed
			return errors.Join(err, to.note("end %d", k))
		})
		if err != nil {
			return err
		}
		return to.note("done %d", k)
	})
}

// A host sets, opens and puts what the others wait for, as long as they are there. It is not
// killed.
type host struct {
	*dealer
	over             atomic.Bool
	settings, tokens int
}

func (h *host) work() error {
	for ; !h.over.Load(); time.Sleep(100 * time.Microsecond) { // sleep-ok: it is the load that is bounded
		if h.auto.State()&1 == 0 {
			h.settings++
			if err := h.auto.Set(); err != nil {
				return err
			}
		}
		h.d.Gate.Opened.Add(1)
		if err := errors.Join(h.gate.Set(), h.putToken(), h.gate.Reset()); err != nil {
			return err
		}
		h.d.Gate.Shut.Add(1)
	}
	return nil
}

// putToken puts a token if there is none.
func (h *host) putToken() error {
	held, err := h.cond.mu.TryLock()
	if err := h.cond.told(err); err != nil || !held {
		return err
	}
	if h.cond.d.Tokens > 0 {
		return h.cond.mu.Unlock()
	}
	h.cond.d.Tokens++
	h.tokens++
	return errors.Join(h.cond.mu.Unlock(), h.cond.c.Signal())
}

// Participants use all primitives of one struct by turns, and are killed at random moments. Put
// together, of none of the primitives anything was lost, doubled or stolen, but for what the
// dead were in the middle of; and nothing of the dead is left.
func TestAllPrimitivesTogetherAmidRandomKills(t *testing.T) {
	t.Parallel()
	for left := randomKills(); left > 0; left -= roundOfKills {
		t.Run(fmt.Sprintf("%d to go", left), func(t *testing.T) { playMarket(t, min(left, roundOfKills)) })
	}
}

// roundOfKills is how many are killed before accounts are made, and all begins anew: what is
// written down is a lot.
const roundOfKills = 500

func playMarket(t *testing.T, kills int) {
	const tokens, living = 2, 4
	s := openScene[market](t, shmtest.Dir(t))
	x, err := dealerIn(s, 1<<40, nil)
	must(t, err)
	must(t, x.pool.count.Post(tokens))
	h := &host{dealer: x}
	worked := begin(h.work)
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: living, Kills: kills, Ledger: l}, func(n int) *shmtest.Proc {
		if before := x.d.Turns.Load(); n >= living { // the others go on after a death
			shmtest.Eventually(t, "some turns are taken", func() bool { return x.d.Turns.Load() > before+2 })
		}
		x.d.Hall.Now.Store(int64(n * len(x.d.Hall.Onces) / (kills + living)))
		return shmtest.Start(t, "dealer", s.Dir(), l.Path(), strconv.Itoa(n+1))
	})
	h.over.Store(true)
	must(t, <-worked)

	finish(t, x.bank)
	settle(t, x.books)
	refill(t, x.pool)
	left, told := drainTokens(t, x.pool)
	x.cond.inOrder(t)
	if s.Dead() != 0 {
		t.Errorf("%d records of the dead are left", s.Dead())
	}
	mustComplete(t, s.Barrier(&x.d.Barrier.Barrier, 2))

	all := l.Entries(t)
	f, entries := fatesIn(all, killed), entriesAbout(all)
	ofBank := balanceBank(t, entries[aboutBank], f, x.d.Bank.A.Load()-1)
	_, ofLibrary := balanceRW(t, entries[aboutLibrary], f, x.d.Library.A.Load()-1)
	balancePool(t, entries[aboutPool], f, tokens, left, told)
	balanceTokens(t, entries[aboutTokens], f, h.tokens-int(x.d.Cond.Tokens))
	if isSet(t, x.auto) {
		h.settings--
	}
	balanceEvent(t, entries[aboutEvent], f, h.settings)
	balanceBarrier(t, entries[aboutBarrier], f)
	ofOnces := balanceOnce(t, entries[aboutOnce], f)

	if len(killed) < 100 { // they may not have come to everything
		return
	}
	if ofBank+ofLibrary+ofOnces == 0 {
		t.Error("nobody took over from the dead")
	}
	for _, about := range []string{aboutBank, aboutLibrary, aboutPool, aboutTokens, aboutEvent, aboutBarrier, aboutOnce} {
		if len(entries[about]) == 0 {
			t.Errorf("nobody did anything with the %s", about)
		}
	}
}

// balanceTokens adds up how many tokens were taken, of those that were put and are not there any
// more.
func balanceTokens(t *testing.T, entries []shmtest.Entry, f *fates, gone int) {
	t.Helper()
	taken, perhaps := answers(entries, "taken"), f.asking(entries)
	t.Logf("%d tokens are gone, %d were taken, and perhaps by %d of %d who were killed", gone, taken, perhaps, len(f.killed))
	if taken > gone || gone-taken > perhaps {
		t.Error("some were lost, or taken twice")
	}
}

// balanceOnce adds up who did what was to be done once: one alone, and after it nobody, unless it
// was killed before anybody knew that it was done. It returns how many took over from the dead.
func balanceOnce(t *testing.T, entries []shmtest.Entry, f *fates) (replaced int) {
	t.Helper()
	runner, done := map[int]string{}, map[int]bool{}
	for _, e := range entries {
		var k int
		switch {
		case scan(e.Text, "begin %d", &k):
			if done[k] {
				t.Fatalf("%+v, and it was done", e)
			}
			if before := runner[k]; before != "" {
				if !f.gone(before, e.At) {
					t.Fatalf("%+v, and %s does it, killed %t", e, before, f.dead(before))
				}
				replaced++
			}
			runner[k] = e.Who
		case scan(e.Text, "end %d", &k):
			if runner[k] != e.Who {
				t.Fatalf("%+v, and %s does it", e, runner[k])
			}
		case scan(e.Text, "done %d", &k):
			if runner[k] == "" {
				t.Fatalf("%+v, and nobody did it", e)
			}
			done[k] = true
		default:
			t.Fatalf("%+v", e)
		}
	}
	t.Logf("%d were done, %d who did it were replaced, %d kills", len(done), replaced, len(f.killed))
	return replaced
}
