package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What a dead holder had comes back once, whether somebody waits for it, tries, or comes later.
func TestPermitsOfADeadHolderComeBackOnce(t *testing.T) {
	t.Run("to who waits", func(t *testing.T) {
		dir := shmtest.Dir(t)
		a, b := mustOpenPool(t, dir, 2), mustOpenPool(t, dir, 3)
		acquire(t, a.sem, 1)
		p := aPoolHolder(t, dir, 2, 0)
		two := begin(func() error { return b.sem.Acquire(limited(t), 2) })
		poolWaiting(t, dir, nil, 1)
		p.Kill()
		must(t, <-two)
		wantFree(t, a.sem, 0)
		wantTry(t, a.sem, 1, false)
		release(t, a.sem, 1)
		release(t, b.sem, 2)
		refill(t, a)
	})
	t.Run("to who tries", func(t *testing.T) {
		dir := shmtest.Dir(t)
		a := mustOpenPool(t, dir, 2)
		aPoolHolder(t, dir, 3, 0).Release()
		wantTry(t, a.sem, 2, true)
		wantFree(t, a.sem, 1)
		release(t, a.sem, 2)
		refill(t, a)
	})
	t.Run("swept before", func(t *testing.T) {
		dir := shmtest.Dir(t)
		a := mustOpenPool(t, dir, 2)
		aPoolHolder(t, dir, 3, 0).Release()
		for _, want := range []int{1, 0} {
			if n, err := a.sem.Sweep(); n != want || err != nil {
				t.Errorf("swept %d, %v, want %d", n, err, want)
			}
		}
		refill(t, a)
	})
	t.Run("with the one who died waiting", func(t *testing.T) {
		dir := shmtest.Dir(t)
		a := mustOpenPool(t, dir, 2)
		acquire(t, a.sem, 3)
		p := startPool(t, dir, 9, "bather", "3", "1")
		poolWaiting(t, dir, nil, 1)
		behind := begin(func() error { return a.sem.Acquire(limited(t), 1) })
		poolWaiting(t, dir, nil, 2)
		p.Release()
		release(t, a.sem, 3)
		must(t, <-behind)
		release(t, a.sem, 1)
		refill(t, a)
	})
}

// Each death is told of once, to one who waits, who tries, or who comes later.
func TestLostTokensAreToldOfOnce(t *testing.T) {
	told := func(t *testing.T, err error, n int64) {
		t.Helper()
		var lost *pshared.TokensLostError
		if !errors.As(err, &lost) || lost.N != n || !errors.Is(err, pshared.ErrTokensLost) {
			t.Errorf("%v, want to be told of %d tokens", err, n)
		}
	}
	dir := shmtest.Dir(t)
	a, b := mustOpenPool(t, dir, 2), mustOpenPool(t, dir, 3)
	must(t, a.count.Post(4))

	p := aPoolHolder(t, dir, 0, 4)
	var all []<-chan error
	for _, c := range []*bather{a, b, b} {
		all = append(all, begin(func() error { return c.count.Wait(limited(t)) }))
	}
	poolWaiting(t, dir, nil, 3)
	p.Kill()
	// Of the three one is told, and then the others have tokens.
	shmtest.Eventually(t, "one is told", func() bool {
		x, err1 := a.count.Unsettled()
		y, err2 := b.count.Unsettled()
		return err1 == nil && err2 == nil && (x == 4 || y == 4)
	})
	must(t, a.count.Post(4)) // for the one who was told, and for those who wait on
	tolds, oks := 0, 0
	for _, c := range all {
		switch err := <-c; {
		case err == nil:
			oks++
		default:
			told(t, err, 4)
			tolds++
		}
	}
	if tolds != 1 || oks != 2 {
		t.Errorf("%d were told, %d got a token", tolds, oks)
	}
	if tokens, more := drainTokens(t, a); tokens != 2 || more != 0 {
		t.Errorf("%d tokens left, told of %d more", tokens, more)
	}
}

// Who tries gets what the dead had, also if another goroutine of the handle has cleaned up
// after them just before it would itself.
func TestATrySeesWhatAnotherGoroutineHasCleanedUp(t *testing.T) {
	for _, what := range []string{"permits", "tokens"} {
		t.Run(what, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a := mustOpenPool(t, dir, 2)
			must(t, a.count.Post(1))
			aPoolHolder(t, dir, 2, 1).Release()
			p := startPool(t, dir, 3, "late", what)
			if err := p.Wait(); err != nil {
				t.Error(err, p.Stderr())
			}
		})
	}
}

// Whoever was told answers for the tokens: until it posts or settles them, its own death is told
// of with them.
func TestWhoIsToldAnswersForTheTokens(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(2))
	aPoolHolder(t, dir, 0, 2).Release()
	b, err := openPool(dir, 3) // takes the dead one's slot
	must(t, err)
	var lost *pshared.TokensLostError
	if ok, err := b.count.TryWait(); ok || !errors.As(err, &lost) || lost.N != 2 {
		t.Fatalf("%t, %v", ok, err)
	}
	if n, err := b.count.Unsettled(); n != 2 || err != nil {
		t.Errorf("%d unsettled, %v", n, err)
	}
	must(t, b.count.Settle(1))
	if n, err := b.count.Unsettled(); n != 1 || err != nil {
		t.Errorf("%d unsettled, %v", n, err)
	}
	must(t, b.count.Post(1))
	must(t, b.s.Close())
	if tokens, told := drainTokens(t, a); tokens != 1 || told != 0 {
		t.Errorf("%d tokens, told of %d", tokens, told)
	}
}

// What is settled, or posted by its taker, nobody is told of; nor of one who left.
func TestNobodyIsToldOfWhatIsSettled(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(3))
	b, err := openPool(dir, 3)
	must(t, errors.Join(err, b.count.Wait(ctx), b.count.Wait(ctx), b.count.Settle(1), b.s.Close()))
	p := startPool(t, dir, 4, "taker", "5")
	p.Expect("ready")
	must(t, p.Wait())
	if tokens, told := drainTokens(t, a); tokens != 1 || told != 0 {
		t.Errorf("%d tokens, told of %d", tokens, told)
	}
}

// A holder that is stopped keeps its permits and tokens, and deadlines end meanwhile.
func TestAStoppedHolderKeepsItsPermits(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(1))
	p := aPoolHolder(t, dir, 3, 1)
	p.Stop()
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		wantErr(t, "Acquire", a.sem.Acquire(ctx, 1), context.DeadlineExceeded)
		wantErr(t, "Wait", a.count.Wait(ctx), context.DeadlineExceeded)
		cancel()
	}
	wantTry(t, a.sem, 1, false)
	if ok, err := a.count.TryWait(); ok || err != nil {
		t.Errorf("TryWait: %t, %v", ok, err)
	}
	permit := begin(func() error { return a.bathe(limited(t), 1) })
	token := begin(func() error { return a.count.Wait(limited(t)) })
	poolWaiting(t, dir, nil, 2)
	p.Send("leave")
	p.Continue()
	must(t, errors.Join(<-permit, <-token, p.Wait()))
	refill(t, a)
}

// A handle that is closed sends those away who wait in its process, and only those.
func TestCloseWhileOthersWaitForPermitsAndTokens(t *testing.T) {
	dir := shmtest.Dir(t)
	a, c := mustOpenPool(t, dir, 2), mustOpenPool(t, dir, 3)
	b, err := openPool(dir, 4)
	must(t, err)
	acquire(t, a.sem, 3)
	var gone []<-chan error
	for range 100 {
		gone = append(gone, begin(func() error { return b.sem.Acquire(limited(t), 1) }),
			begin(func() error { return b.count.Wait(limited(t)) }))
	}
	permit := begin(func() error { return c.sem.Acquire(limited(t), 2) })
	token := begin(func() error { return c.count.Wait(limited(t)) })
	poolWaiting(t, dir, nil, 202)
	must(t, b.s.Close())
	for _, g := range gone {
		wantErr(t, "who waited", <-g, pshared.ErrClosed)
	}
	release(t, a.sem, 3)
	must(t, a.count.Post(1))
	must(t, errors.Join(<-permit, <-token))
	release(t, c.sem, 2)
	for name, err := range map[string]error{"Acquire": b.sem.Acquire(ctx, 1), "Release": b.sem.Release(1), "Wait": b.count.Wait(ctx), "Post": b.count.Post(1)} {
		wantErr(t, name, err, pshared.ErrClosed)
	}
	refill(t, a)
}

// Whoever is at work while the handle is being closed either holds something, and Close is
// refused, or does not, and nothing is left behind.
func TestCloseRacesWithPermitsAndTokens(t *testing.T) {
	dir := shmtest.Dir(t)
	keep := mustOpenPool(t, dir, 2)
	must(t, keep.count.Post(2))
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		b, err := openPool(dir, 3)
		must(t, err)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for {
					if err := b.sem.Acquire(limited(t), 1); err != nil {
						if !errors.Is(err, pshared.ErrClosed) {
							t.Error(err)
						}
						return
					}
					if err := b.sem.Release(1); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Go(func() {
			for b.count.Post(1) == nil && b.count.Wait(limited(t)) == nil {
			}
		})
		for {
			err := b.s.Close()
			if err == nil {
				break
			}
			wantErr(t, "Close", err, pshared.ErrHeld)
		}
		all.Wait()
		refill(t, keep)
	}
}

// Memory that is cut off is an error to those who wait, not the end of the program.
func TestTruncationUnderWaitersForPermitsAndTokens(t *testing.T) {
	dir := shmtest.Dir(t)
	a, err := openPool(dir, 1)
	must(t, err)
	b, err := openPool(dir, 2)
	must(t, err)
	acquire(t, a.sem, 3)
	var all []<-chan error
	for range 3 {
		all = append(all, begin(func() error { return b.sem.Acquire(limited(t), 1) }),
			begin(func() error { return b.count.Wait(limited(t)) }))
	}
	poolWaiting(t, dir, nil, 6)
	path := dir + "/struct.pool"
	must(t, os.Truncate(path, 0))
	var fault *shmkit.FaultError
	for _, c := range all {
		if err := <-c; err == nil || !errors.As(err, &fault) && !errors.Is(err, syscall.EFAULT) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waited got %v", err)
		}
	}
	for _, h := range []*bather{a, b} {
		if err := h.s.Close(); err != nil && !errors.As(err, &fault) {
			t.Error(err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// 12,000 goroutines wait at once, and all are served.
func TestACrowdGetsPermitsAndTokens(t *testing.T) {
	crowd := 12_000
	if testing.Short() {
		crowd = 2000
	}
	for name, c := range map[string]struct {
		wait, done func(b *bather) error
	}{
		"permits": {func(b *bather) error { return b.sem.Acquire(limited(t), 1) }, func(b *bather) error { return b.sem.Release(1) }},
		"tokens":  {func(b *bather) error { return b.count.Wait(limited(t)) }, func(b *bather) error { return b.count.Post(1) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b := mustOpenPool(t, dir, 2), mustOpenPool(t, dir, 3)
			acquire(t, a.sem, poolPermits)
			var all sync.WaitGroup
			var served atomic.Int64
			for range crowd {
				all.Go(func() {
					if err := c.wait(b); err != nil {
						t.Error(err)
						return
					}
					served.Add(1)
					if err := c.done(b); err != nil {
						t.Error(err)
					}
				})
			}
			shmtest.Eventually(t, "all wait", func() bool { return b.s.Waiting() == crowd })
			if n := threads(t); n > 500 {
				t.Errorf("%d threads", n)
			}
			if served.Load() != 0 {
				t.Error("somebody was served")
			}
			release(t, a.sem, poolPermits)
			must(t, a.count.Post(2))
			all.Wait()
			refill(t, a)
		})
	}
}

func TestTokensOverflow(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(pshared.MaxTokens-1))
	for _, n := range []int64{2, pshared.MaxTokens, pshared.MaxTokens + 1, 1<<63 - 1} {
		err := a.count.Post(n)
		wantErr(t, "Post", err, pshared.ErrTooManyTokens)
		wantErr(t, "Post", err, syscall.EOVERFLOW)
	}
	for _, n := range []int64{0, -1} {
		wantErr(t, "Post", a.count.Post(n), os.ErrInvalid)
		wantErr(t, "Settle", a.count.Settle(n), os.ErrInvalid)
	}
	must(t, a.count.Post(1))
	if n, err := a.count.Tokens(); n != pshared.MaxTokens || err != nil {
		t.Errorf("%d tokens, %v", n, err)
	}
	must(t, a.count.Wait(ctx))
}

// tokensScene is one counting semaphore.
type tokensScene struct{ Tokens pshared.CountingWord }

var _ = addRoles(map[string]shmtest.Role{
	// It finds the tag of a dead member, whose slot is another's when it comes to that.
	"late helper": inScene(func(s *pshared.Shared[tokensScene], args []string) error {
		other, err := pshared.Open[tokensScene]("scene", &pshared.Options{Dir: args[0]})
		if err != nil {
			return err
		}
		a, b := s.CountingSemaphore(&s.Data().Tokens), other.CountingSemaphore(&other.Data().Tokens)
		a.SetLost(2, b)
		var late sync.Once
		var taking error
		countPoint("lose:tag seen", func() {
			late.Do(func() {
				a.Set(1, 0)
				taking = b.Wait(ctx)
				a.Set(0, 2)
			})
		})
		err = a.Wait(ctx)
		n, failed := b.Unsettled()
		if !errors.Is(err, pshared.ErrTokensLost) || errors.Join(taking, failed) != nil || n != 1 {
			return fmt.Errorf("late: %v; the other: %v, with %d taken", err, errors.Join(taking, failed), n)
		}
		return errors.Join(a.Settle(2), b.Settle(1), other.Close())
	}),
})

// Who helps to clear the account of a dead member, and is late, leaves that of the slot's next
// owner alone.
func TestALateHelperClearsNobodysAccount(t *testing.T) {
	dir := shmtest.Dir(t)
	p := shmtest.Start(t, "late helper", dir, dir)
	if err := p.Wait(); err != nil {
		t.Error(err, p.Stderr())
	}
}
