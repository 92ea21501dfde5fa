package pshared_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func openRWMutex(t testing.TB, dir, name string) *pshared.RWMutex {
	t.Helper()
	rw, err := pshared.OpenRWMutex(name, &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rw.Close(); err != nil {
			t.Error(err)
		}
	})
	return rw
}

// tries expects that a try succeeds, or is refused.
func tries(t testing.TB, what string, try func() (bool, error), want bool) {
	t.Helper()
	if held, err := try(); held != want || err != nil {
		t.Errorf("%s: %t, %v, want %t", what, held, err, want)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestReadersShareAndWritersDoNot(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
	must(t, a.RLock(ctx))
	must(t, a.RLock(ctx))
	tries(t, "reading beside readers", b.TryRLock, true)
	tries(t, "writing beside readers", b.TryLock, false)
	tries(t, "writing beside one's own reader", a.TryLock, false)
	wantErr(t, "Unlock of who reads", a.Unlock(), pshared.ErrNotHeld)
	wantErr(t, "MakeConsistent of who reads", a.MakeConsistent(), pshared.ErrNotHeld)
	wantErr(t, "Close while reading", a.Close(), pshared.ErrHeld)
	must(t, errors.Join(a.RUnlock(), b.RUnlock()))
	tries(t, "writing beside a reader", b.TryLock, false)
	wantErr(t, "RUnlock of who does not read", b.RUnlock(), pshared.ErrNotHeld)
	must(t, a.RUnlock())
	tries(t, "writing alone", b.TryLock, true)
	for name, rw := range map[string]*pshared.RWMutex{"another": a, "the same": b} {
		tries(t, "reading beside a writer, "+name, rw.TryRLock, false)
		tries(t, "writing beside a writer, "+name, rw.TryLock, false)
		wantErr(t, "RUnlock, "+name, rw.RUnlock(), pshared.ErrNotHeld)
		wantErr(t, "Abandon, "+name, rw.Abandon(), pshared.ErrNotHeld)
		wantErr(t, "Reset, "+name, rw.Reset(), pshared.ErrNotHeld)
	}
	wantErr(t, "Unlock of another's", a.Unlock(), pshared.ErrNotHeld)
	wantErr(t, "Close while writing", b.Close(), pshared.ErrHeld)
	must(t, b.MakeConsistent()) // it is
	must(t, <-begin(b.Unlock))  // by another goroutine
	wantErr(t, "the second Unlock", b.Unlock(), pshared.ErrNotHeld)
	must(t, b.Reset()) // nothing is wrong
	must(t, a.Lock(ctx))
	must(t, a.Unlock())
}

// A handle that waits for readers does not hold the lock yet: whatever its other goroutines do
// must not let anybody else in.
func TestAWaitingWriterHoldsNothing(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
	must(t, a.RLock(ctx))
	waiting := begin(func() error { return b.Lock(limited(t)) })
	shmtest.Eventually(t, "the writer waits", func() bool { return b.Word().Bell()&1 != 0 })
	wantErr(t, "Unlock", b.Unlock(), pshared.ErrNotHeld)
	wantErr(t, "MakeConsistent", b.MakeConsistent(), pshared.ErrNotHeld)
	wantErr(t, "Abandon", b.Abandon(), pshared.ErrNotHeld)
	wantErr(t, "Reset", b.Reset(), pshared.ErrNotHeld)
	tries(t, "reading beside a writer that waits", a.TryRLock, false)
	must(t, a.RUnlock())
	must(t, <-waiting)
	tries(t, "writing beside a writer", a.TryLock, false)
	tries(t, "reading beside a writer", a.TryRLock, false)
	must(t, b.Unlock())
}

// Of many that unlock at once, as many succeed as the lock was taken.
func TestRacingUnlocks(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
	const unlockers = 4
	race := func(unlock func() error) (done int32) {
		var all sync.WaitGroup
		var n atomic.Int32
		for range unlockers {
			all.Go(func() {
				switch err := unlock(); {
				case err == nil:
					n.Add(1)
				case !errors.Is(err, pshared.ErrNotHeld):
					t.Error(err)
				}
			})
		}
		all.Wait()
		return n.Load()
	}
	for range 200 {
		must(t, a.Lock(ctx))
		if n := race(a.Unlock); n != 1 {
			t.Fatalf("one lock was unlocked %d times", n)
		}
		must(t, a.RLock(ctx))
		must(t, a.RLock(ctx))
		if n := race(a.RUnlock); n != 2 {
			t.Fatalf("two reading locks were unlocked %d times", n)
		}
		tries(t, "writing then", b.TryLock, true)
		must(t, b.Unlock())
	}
}

// An operation whose context ends has had no effect.
func TestRWContexts(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b, c := openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
	short := func(lock func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		return lock(ctx)
	}
	for range 3 {
		must(t, a.Lock(ctx))
		for name, lock := range map[string]func(context.Context) error{"Lock": b.Lock, "RLock": b.RLock} {
			err := short(lock)
			var timeout interface{ Timeout() bool }
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, marks := b.Entry(); marks != 0 {
			t.Errorf("marks %#x are left", marks)
		}
		must(t, a.Unlock())
		must(t, a.RLock(ctx))
		wantErr(t, "Lock beside a reader", short(b.Lock), context.DeadlineExceeded)
		tries(t, "reading after that", c.TryRLock, true)
		must(t, errors.Join(a.RUnlock(), c.RUnlock()))
		tries(t, "writing after that", c.TryLock, true)
		must(t, c.Unlock())
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	must(t, a.RLock(over)) // what is free is not waited for
	must(t, a.RUnlock())
	must(t, a.Lock(over))
	must(t, a.Unlock())
}

// Writers and readers of two handles, and under the race detector what they guard in this
// process's own memory.
func TestManyGoroutinesReadAndWrite(t *testing.T) {
	dir := shmtest.Dir(t)
	handles := []*pshared.RWMutex{openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")}
	heap := map[int]int{}
	const goroutines, rounds = 12, 150
	var all sync.WaitGroup
	for i := range goroutines {
		rw := handles[i%2]
		all.Go(func() {
			for n := range rounds {
				var err error
				if n%3 == i%3 {
					if err = rw.Lock(limited(t)); err == nil {
						heap[0]++
						heap[1]++
						err = rw.Unlock()
					}
				} else if err = rw.RLock(limited(t)); err == nil {
					if heap[0] != heap[1] {
						t.Errorf("%d and %d", heap[0], heap[1])
					}
					err = rw.RUnlock()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if n := goroutines * rounds / 3; heap[0] != n {
		t.Errorf("%d, want %d", heap[0], n)
	}
}

// A handle that is closed sends those away who wait in its process, and only those: readers,
// a writer that waits for readers, and writers that wait for that one.
func TestCloseWhileReadersAndWritersWait(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b, c := openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
	must(t, a.RLock(ctx))
	var gone []<-chan error
	gone = append(gone, begin(func() error { return b.Lock(limited(t)) }))
	shmtest.Eventually(t, "a writer waits for the reader", func() bool { return a.Word().Gate()&pshared.GateClosed != 0 && a.Word().Bell()&1 != 0 })
	const n = 150
	for range n {
		gone = append(gone, begin(func() error { return b.RLock(limited(t)) }), begin(func() error { return b.Lock(limited(t)) }))
	}
	stays := []<-chan error{begin(func() error { return c.RLock(limited(t)) })}
	allWait(t, dir, 2*n+2)
	must(t, b.Close())
	for _, g := range gone {
		wantErr(t, "who waited", <-g, pshared.ErrClosed)
	}
	must(t, <-stays[0]) // the writer in its way is gone
	must(t, errors.Join(a.RUnlock(), c.RUnlock()))
	for name, err := range map[string]error{"RLock": b.RLock(ctx), "Lock": b.Lock(ctx), "RUnlock": b.RUnlock(), "Unlock": b.Unlock(), "Reset": b.Reset()} {
		wantErr(t, name+" after Close", err, pshared.ErrClosed)
		wantErr(t, name+" after Close", err, os.ErrClosed)
	}
	_, err := b.TryRLock()
	wantErr(t, "TryRLock after Close", err, pshared.ErrClosed)
	_, err = b.TryLock()
	wantErr(t, "TryLock after Close", err, pshared.ErrClosed)
	must(t, c.Lock(limited(t)))
	must(t, c.Unlock())
}

// A Close that is refused changes nothing for who waits.
func TestCloseOfAnRWMutexRefusedDisturbsNobody(t *testing.T) {
	dir := shmtest.Dir(t)
	a := openRWMutex(t, dir, "x")
	must(t, a.RLock(ctx))
	over := make(chan struct{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := i; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				wait, cancel := context.WithTimeout(context.Background(), time.Millisecond)
				lock, unlock := a.RLock, a.RUnlock
				if n%2 == 0 {
					lock, unlock = a.Lock, a.Unlock
				}
				err := lock(wait)
				cancel()
				if err == nil {
					err = unlock()
				}
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2000 {
		if err := a.Close(); !errors.Is(err, pshared.ErrHeld) {
			t.Fatalf("Close while holding: %v", err)
		}
		runtime.Gosched()
	}
	close(over)
	all.Wait()
	must(t, a.RUnlock())
}

// Whoever locks while the handle is being closed either has the lock, and Close is refused,
// or does not, and nothing is left behind.
func TestCloseRacesWithReadersAndWriters(t *testing.T) {
	dir := shmtest.Dir(t)
	keep := openRWMutex(t, dir, "x")
	for range 200 {
		rw, err := pshared.OpenRWMutex("x", &pshared.Options{Dir: dir})
		must(t, err)
		var all sync.WaitGroup
		for i := range 4 {
			lock, unlock := rw.RLock, rw.RUnlock
			if i == 0 {
				lock, unlock = rw.Lock, rw.Unlock
			}
			all.Go(func() {
				for {
					if err := lock(limited(t)); err != nil {
						wantErr(t, "locking", err, pshared.ErrClosed)
						return
					}
					if err := unlock(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for {
			err := rw.Close()
			if err == nil {
				break
			}
			if !errors.Is(err, pshared.ErrHeld) {
				t.Fatal(err)
			}
		}
		all.Wait()
		told, err := tolds(keep.Lock(limited(t)))
		must(t, err)
		if told { // see handle.close; it did not get inside
			t.Error("told of a death that was none")
			must(t, keep.MakeConsistent())
		}
		must(t, keep.Unlock())
		must(t, keep.RLock(limited(t)))
		must(t, keep.RUnlock())
	}
}
