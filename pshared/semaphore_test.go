package pshared_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func openSemaphore(t testing.TB, dir string, permits int64) *pshared.Semaphore {
	t.Helper()
	s, err := pshared.OpenSemaphore("s", permits, &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func acquire(t testing.TB, s *pshared.Semaphore, n int64) {
	t.Helper()
	if err := s.Acquire(limited(t), n); err != nil {
		t.Fatal(err)
	}
}

func release(t testing.TB, s *pshared.Semaphore, n int64) {
	t.Helper()
	if err := s.Release(n); err != nil {
		t.Fatal(err)
	}
}

func wantTry(t testing.TB, s *pshared.Semaphore, n int64, want bool) {
	t.Helper()
	if got, err := s.TryAcquire(n); got != want || err != nil {
		t.Errorf("TryAcquire(%d): %t, %v, want %t", n, got, err, want)
	}
}

func wantFree(t testing.TB, s *pshared.Semaphore, want int64) {
	t.Helper()
	if n, err := s.Available(); n != want || err != nil {
		t.Errorf("%d are available, %v, want %d", n, err, want)
	}
}

func TestTwoHandlesShareThePermits(t *testing.T) {
	d := shmtest.Dir(t)
	a, b := openSemaphore(t, d, 3), openSemaphore(t, d, 3)
	acquire(t, a, 2)
	wantFree(t, b, 1)
	wantTry(t, b, 2, false)
	wantTry(t, b, 1, true)
	wantFree(t, a, 0)
	if err := b.Release(2); !errors.Is(err, pshared.ErrNotHeld) {
		t.Errorf("Release of more than is held: %v", err)
	}
	if n, err := b.Held(); n != 1 || err != nil {
		t.Errorf("%d are held, %v", n, err)
	}
	if err := a.Close(); !errors.Is(err, pshared.ErrHeld) {
		t.Errorf("Close while holding: %v", err)
	}
	release(t, a, 1)
	wantFree(t, b, 1)
	release(t, a, 1)
	release(t, b, 1)
	wantFree(t, b, 3)
	acquire(t, b, 3)
	release(t, b, 3)
}

func TestNumbersThatCannotBe(t *testing.T) {
	s := openSemaphore(t, shmtest.Dir(t), 3)
	for _, n := range []int64{0, -1, 4, 1<<63 - 1, -1 << 63} {
		if err := s.Acquire(ctx, n); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Acquire(%d): %v", n, err)
		}
		if ok, err := s.TryAcquire(n); ok || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("TryAcquire(%d): %t, %v", n, ok, err)
		}
		if err := s.Release(n); err == nil {
			t.Errorf("Release(%d)", n)
		}
	}
	wantFree(t, s, 3)
}

// The first to open it says how many permits there are, and all others say the same.
func TestAllSayTheSameCapacity(t *testing.T) {
	d := shmtest.Dir(t)
	o := &pshared.Options{Dir: d}
	var c *pshared.CapacityError
	for _, n := range []int64{0, -1} {
		if _, err := pshared.OpenSemaphore("s", n, o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%d permits: %v", n, err)
		}
	}
	s := openSemaphore(t, d, 7)
	_, err := pshared.OpenSemaphore("s", 8, o)
	if !errors.As(err, &c) || c.Capacity != 7 || c.Wanted != 8 || !errors.Is(err, pshared.ErrType) {
		t.Errorf("another number: %v", err)
	}
	if n := openSemaphore(t, d, 0).Permits(); n != 7 || s.Permits() != 7 {
		t.Errorf("%d and %d permits", n, s.Permits())
	}
	type pools struct {
		A, B pshared.SemaphoreWord
	}
	p, err := pshared.Open[pools]("p", o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, err := p.Semaphore(&p.Data().A, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Semaphore(&p.Data().A, 3); !errors.As(err, &c) || c.Capacity != 2 {
		t.Errorf("another number in a struct: %v", err)
	}
	b, err := p.Semaphore(&p.Data().B, 5)
	if err != nil {
		t.Fatal(err)
	}
	acquire(t, a, 2)
	wantFree(t, b, 5)
	acquire(t, b, 4)
	wantFree(t, a, 0)
	release(t, b, 4)
	release(t, a, 2)
}

// One name is of one kind of semaphore.
func TestASemaphoreIsNoCountingOne(t *testing.T) {
	d := shmtest.Dir(t)
	openSemaphore(t, d, 1)
	if _, err := pshared.OpenCountingSemaphore("s", &pshared.Options{Dir: d}); !errors.Is(err, pshared.ErrType) {
		t.Errorf("a semaphore as a counting one: %v", err)
	}
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	d := shmtest.Dir(t)
	a, b := openSemaphore(t, d, 2), openSemaphore(t, d, 2)
	acquire(t, a, 1)
	ctx, cancel := context.WithCancel(limited(t))
	first := begin(func() error { return b.Acquire(ctx, 2) })
	waitForWaiters(t, d, 1)
	second := begin(func() error { return b.Acquire(ctx, 1) }) // it is free, and not its turn
	waitForWaiters(t, d, 2)
	wantTry(t, a, 1, false)
	cancel()
	for _, c := range []<-chan error{first, second} {
		if err := <-c; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		} else if err == nil {
			release(t, b, 1)
		}
	}
	wantFree(t, b, 1)
	wantTry(t, a, 1, true) // nobody is before it any more
	release(t, a, 2)
	expired, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	acquire(t, a, 2)
	var timeout interface{ Timeout() bool }
	if err := b.Acquire(expired, 1); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", err)
	}
	release(t, a, 2)
}

// waitForWaiters waits until so many goroutines of all members wait for the semaphore s.
func waitForWaiters(t testing.TB, dir string, n int) {
	t.Helper()
	shmtest.Eventually(t, "all wait", func() bool {
		i, err := pshared.Look("semaphore", "s", dir)
		waiting := 0
		for _, m := range i.Members {
			waiting += m.Waiting
		}
		return err == nil && waiting == n
	})
}

// A stream of small requests does not starve a large one: once it waits nobody gets past it.
func TestALargeRequestIsNotStarved(t *testing.T) {
	d := shmtest.Dir(t)
	large := openSemaphore(t, d, 4)
	const rounds = 20
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		small := openSemaphore(t, d, 4)
		for range 2 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := small.Acquire(limited(t), 1); err != nil {
						t.Error(err)
						return
					}
					if err := small.Release(1); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	for range rounds {
		acquire(t, large, 4)
		release(t, large, 4)
	}
	close(stop)
	all.Wait()
	wantFree(t, large, 4)
}

// Who waits for much is first, and those behind it for little do not get past.
func TestNobodyGetsPastWhoWaits(t *testing.T) {
	d := shmtest.Dir(t)
	a, b := openSemaphore(t, d, 3), openSemaphore(t, d, 3)
	acquire(t, a, 1)
	large := begin(func() error { return b.Acquire(limited(t), 3) })
	waitForWaiters(t, d, 1)
	small := begin(func() error { return a.Acquire(limited(t), 1) })
	waitForWaiters(t, d, 2)
	wantTry(t, b, 1, false)
	select {
	case err := <-small:
		t.Fatalf("a small request got past a large one: %v", err)
	default:
	}
	release(t, a, 1)
	if err := <-large; err != nil {
		t.Fatal(err)
	}
	release(t, b, 3)
	if err := <-small; err != nil {
		t.Fatal(err)
	}
	release(t, a, 1)
}

func TestManyGoroutinesOfTwoMembersAcquire(t *testing.T) {
	d := shmtest.Dir(t)
	const permits = 5
	members := []*pshared.Semaphore{openSemaphore(t, d, permits), openSemaphore(t, d, permits)}
	var mu sync.Mutex
	out, most := int64(0), int64(0)
	count := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		out += n
		most = max(most, out)
	}
	var all sync.WaitGroup
	for i := range 20 {
		s, n := members[i%2], int64(i%3+1)
		all.Go(func() {
			for range 200 {
				if err := s.Acquire(limited(t), n); err != nil {
					t.Error(err)
					return
				}
				count(n)
				count(-n)
				if err := s.Release(n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if most > permits {
		t.Errorf("%d of %d permits were out at once", most, permits)
	}
	wantFree(t, members[0], permits)
}

// Under the race detector, what one permit guards in this process's own memory is not
// reported.
func TestHeapGuardedByASemaphoreIsNoRace(t *testing.T) {
	d := shmtest.Dir(t)
	m := map[int]int{}
	var all sync.WaitGroup
	for range 4 {
		s := openSemaphore(t, d, 1)
		all.Go(func() {
			for n := range 200 {
				if err := s.Acquire(limited(t), 1); err != nil {
					t.Error(err)
					return
				}
				m[n]++
				if err := s.Release(1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if m[0] != 4 {
		t.Error(m[0])
	}
}

func TestUseOfAClosedSemaphore(t *testing.T) {
	d := shmtest.Dir(t)
	openSemaphore(t, d, 1)
	s, err := pshared.OpenSemaphore("s", 1, &pshared.Options{Dir: d})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Acquire(ctx, 1); !errors.Is(err, pshared.ErrClosed) || !errors.Is(err, os.ErrClosed) {
		t.Errorf("Acquire: %v", err)
	}
	if ok, err := s.TryAcquire(1); ok || !errors.Is(err, pshared.ErrClosed) {
		t.Errorf("TryAcquire: %t, %v", ok, err)
	}
	if err := s.Release(1); !errors.Is(err, pshared.ErrClosed) {
		t.Errorf("Release: %v", err)
	}
	if _, err := s.Available(); !errors.Is(err, pshared.ErrClosed) {
		t.Errorf("Available: %v", err)
	}
}
