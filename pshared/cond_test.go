package pshared_test

import (
	"context"
	"errors"
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

// What those who wait for tokens share.
type condScene struct {
	Mu     pshared.MutexWord
	Cond   pshared.CondWord
	_      [48]byte
	Tokens int64
	Taken  int64
	Given  atomic.Uint32 // how often the victim came to its point
}

// A taker waits for tokens.
type taker struct {
	s  share
	d  *condScene
	mu *pshared.Mutex
	c  *pshared.Cond
}

func takerIn(s share, d *condScene) *taker {
	return &taker{s, d, s.Mutex(&d.Mu), s.Cond(&d.Cond)}
}

func openTaker(t testing.TB, dir string) *taker {
	s := openScene[condScene](t, dir)
	return takerIn(s, s.Data())
}

// told is err without the news of a death, after the repair that it asks for: those who wait
// are to look.
func (x *taker) told(err error) error {
	if !errors.Is(err, pshared.ErrOwnerDead) {
		return err
	}
	return errors.Join(x.c.Broadcast(), x.mu.MakeConsistent())
}

// take takes a token, when there is one.
func (x *taker) take(ctx context.Context) error {
	if err := x.told(x.mu.Lock(ctx)); err != nil {
		return err
	}
	for x.d.Tokens == 0 {
		if err := x.told(x.c.Wait(ctx, x.mu)); err != nil {
			if errors.Is(err, ctx.Err()) {
				err = errors.Join(err, x.mu.Unlock())
			}
			return err
		}
	}
	x.d.Tokens--
	x.d.Taken++
	return x.mu.Unlock()
}

// put puts n tokens, and says so by Signal or Broadcast.
func (x *taker) put(ctx context.Context, n int64, say func() error) error {
	if err := x.told(x.mu.Lock(ctx)); err != nil {
		return err
	}
	x.d.Tokens += n
	return errors.Join(x.mu.Unlock(), say())
}

func (x *taker) mustPut(t testing.TB, n int64, say func() error) {
	t.Helper()
	if err := x.put(limited(t), n, say); err != nil {
		t.Fatal(err)
	}
}

func (x *taker) taking(t testing.TB) <-chan error {
	return begin(func() error { return x.take(limited(t)) })
}

// waiters waits until so many goroutines wait, or the victim, if there is one, is dead.
func (x *taker) waiters(t testing.TB, n int, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "all wait", func() bool {
		is, _ := x.c.Waiting()
		return victim != nil && victim.Ended() || is == n
	})
}

func TestSignalWakesOneAndBroadcastAll(t *testing.T) {
	const n = 40
	dir := shmtest.Dir(t)
	a, b := openTaker(t, dir), openTaker(t, dir)
	var woken atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		x := []*taker{a, b}[i%2]
		all.Go(func() {
			lock(t, x.mu)
			if err := x.c.Wait(limited(t), x.mu); err != nil {
				t.Error(err)
			}
			woken.Add(1)
			unlock(t, x.mu)
		})
	}
	a.waiters(t, n, nil)
	for i := range n / 2 {
		if err := b.c.Signal(); err != nil {
			t.Fatal(err)
		}
		shmtest.Eventually(t, "one more is awake", func() bool { return woken.Load() == int64(i+1) })
	}
	if is, signals := a.c.Waiting(); is != n/2 || signals != 0 {
		t.Errorf("%d wait, with %d signals", is, signals)
	}
	if err := a.c.Broadcast(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if is, signals := a.c.Waiting(); is != 0 || signals != 0 {
		t.Errorf("at the end %d wait, with %d signals", is, signals)
	}
	if err := errors.Join(a.c.Signal(), a.c.Broadcast()); err != nil { // to nobody
		t.Error(err)
	}
}

// Every token is taken by somebody, among many who put and take.
func TestTokensGoRound(t *testing.T) {
	dir := shmtest.Dir(t)
	const each = 300
	var all sync.WaitGroup
	heap := 0 // the race detector must agree that the mutex guards it
	for range 3 {
		x := openTaker(t, dir)
		for range 3 {
			all.Go(func() {
				for range each {
					if err := x.take(limited(t)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			all.Go(func() {
				for range each {
					lock(t, x.mu)
					x.d.Tokens++
					heap++
					if err := x.c.Signal(); err != nil {
						t.Error(err)
					}
					unlock(t, x.mu)
				}
			})
		}
	}
	all.Wait()
	if heap != 9*each {
		t.Errorf("%d tokens", heap)
	}
}

// Who gives up has the lock, and leaves the signal to another; or it has it in time after all.
func TestACondWaitEndsWithItsContext(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openTaker(t, dir), openTaker(t, dir)
	over, cancel := context.WithCancel(ctx)
	cancel()
	lock(t, a.mu)
	if err := a.c.Wait(over, a.mu); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	unlock(t, a.mu)
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		short, cancel := context.WithCancel(ctx)
		wait := func(ctx context.Context, x *taker) <-chan error {
			return begin(func() error {
				if err := x.mu.Lock(limited(t)); err != nil {
					return err
				}
				err := x.c.Wait(ctx, x.mu)
				if e := x.mu.Unlock(); e != nil {
					return e
				}
				return err
			})
		}
		mine := wait(short, a)
		a.waiters(t, 1, nil)
		other := wait(limited(t), b)
		a.waiters(t, 2, nil)
		a.c.SetTurn(a.c.Slot())
		go cancel()
		if err := b.c.Signal(); err != nil {
			t.Fatal(err)
		}
		switch err := <-mine; {
		case err == nil:
			if err := b.c.Signal(); err != nil {
				t.Fatal(err)
			}
		case !errors.Is(err, context.Canceled):
			t.Fatal(err)
		}
		if err := <-other; err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaitWithoutTheMutex(t *testing.T) {
	x := openTaker(t, shmtest.Dir(t))
	if err := x.c.Wait(limited(t), x.mu); !errors.Is(err, pshared.ErrNotHeld) {
		t.Errorf("%v", err)
	}
	if is, _ := x.c.Waiting(); is != 0 {
		t.Errorf("%d wait", is)
	}
}

// Those who wait through a handle that is closed are sent away; what they had been given
// goes to others.
func TestCloseWhileOthersWaitForACond(t *testing.T) {
	const n = 300
	dir := shmtest.Dir(t)
	b, err := pshared.Open[condScene]("scene", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	a, x := openTaker(t, dir), takerIn(b, b.Data())
	var gone []<-chan error
	for range n {
		gone = append(gone, x.taking(t))
	}
	a.waiters(t, n, nil)
	stays := a.taking(t)
	a.waiters(t, n+1, nil)
	lock(t, a.mu) // so that nobody has taken its signal when it is sent away
	a.d.Tokens = 1
	a.c.SetTurn(x.c.Slot())
	for range n {
		if err := a.c.Signal(); err != nil {
			t.Fatal(err)
		}
		a.c.SetTurn(x.c.Slot())
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for _, g := range gone {
		if err := <-g; !errors.Is(err, pshared.ErrClosed) {
			t.Fatalf("who waited got %v", err)
		}
	}
	unlock(t, a.mu)
	if err := <-stays; err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{"Signal": x.c.Signal(), "Broadcast": x.c.Broadcast(), "Wait": x.c.Wait(ctx, x.mu)} {
		if !errors.Is(err, pshared.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

// A condition and a mutex that have names of their own: closing the condition does not
// wait for the mutex.
func TestCloseWhileTheMutexIsTakenBack(t *testing.T) {
	dir := shmtest.Dir(t)
	o := &pshared.Options{Dir: dir}
	c, err := pshared.OpenCond("x", o)
	if err != nil {
		t.Fatal(err)
	}
	mine, others := openMutex(t, dir, "x"), openMutex(t, dir, "x")
	lock(t, mine)
	w := begin(func() error { return c.Wait(limited(t), mine) })
	shmtest.Eventually(t, "it waits", func() bool { return others.Word().State() == 0 })
	lock(t, others)
	if err := c.Signal(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-w; !errors.Is(err, pshared.ErrClosed) {
		t.Errorf("who waited got %v", err)
	}
	if err := mine.Unlock(); !errors.Is(err, pshared.ErrNotHeld) {
		t.Errorf("it holds the mutex: %v", err)
	}
	unlock(t, others)
}

func TestTruncationUnderACond(t *testing.T) {
	dir := shmtest.Dir(t)
	s, err := pshared.Open[condScene]("scene", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	x := takerIn(s, s.Data())
	var all []<-chan error
	for range 5 {
		all = append(all, x.taking(t))
	}
	x.waiters(t, 5, nil)
	path := x.c.Path()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	var fault *shmkit.FaultError
	for _, w := range all {
		if err := <-w; !errors.As(err, &fault) && !errors.Is(err, syscall.EFAULT) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waited got %v", err)
		}
	}
	if err := s.Close(); err != nil && !errors.As(err, &fault) {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzCondWords tries any words and any entry, before and under a waiter: it returns, and
// what peers do does not hang.
func FuzzCondWords(f *testing.F) {
	for _, v := range []uint64{0, 1, 2, 3, 1 << 32, 1<<32 | 3, 1<<64 - 1, 1<<63 | 1<<31} {
		f.Add(uint32(v), v, v)
		f.Add(uint32(0), v, uint64(0))
	}
	f.Fuzz(func(t *testing.T, turn uint32, a, b uint64) {
		dir := shmtest.Dir(t)
		x, y := openTaker(t, dir), openTaker(t, dir)
		for _, under := range []bool{false, true} {
			if !under {
				x.c.SetWords(turn, a, b)
			}
			limit, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			w := begin(func() error {
				if err := x.mu.Lock(limited(t)); err != nil {
					return err
				}
				return x.c.Wait(limit, x.mu)
			})
			if under {
				x.c.SetWords(turn, a, b)
			}
			if err := errors.Join(y.c.Signal(), y.c.Broadcast()); err != nil {
				t.Error(err)
			}
			switch err := <-w; {
			case err == nil, errors.Is(err, context.DeadlineExceeded):
				unlock(t, x.mu)
			case !errors.Is(err, pshared.ErrCorrupt):
				t.Errorf("%#x, %#x, %#x: %v", turn, a, b, err)
			}
			cancel()
		}
		x.c.SetWords(0, 0, 0)
	})
}

func TestACrowdIsBroadcastTo(t *testing.T) {
	crowd := 12_000
	if testing.Short() {
		crowd = 2000
	}
	dir := shmtest.Dir(t)
	a, b := openTaker(t, dir), openTaker(t, dir)
	each := func() (err error) {
		for range crowd {
			err = errors.Join(err, a.c.Signal())
		}
		return err
	}
	for _, say := range []func() error{a.c.Broadcast, each} {
		var all sync.WaitGroup
		for i := range crowd {
			x := []*taker{a, b}[i%2]
			all.Go(func() {
				if err := x.take(limited(t)); err != nil {
					t.Error(err)
				}
			})
		}
		a.waiters(t, crowd, nil)
		if n := threads(t); n > 500 {
			t.Errorf("%d threads", n)
		}
		a.mustPut(t, int64(crowd), say)
		all.Wait()
	}
}

// Nobody waits, nothing is allocated.
func BenchmarkCondSignalToNobody(b *testing.B) {
	x := openTaker(b, shmtest.Dir(b))
	b.ReportAllocs()
	for b.Loop() {
		if x.c.Signal() != nil {
			b.Fatal("failed")
		}
	}
}
