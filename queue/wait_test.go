package queue_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// begin runs f in a goroutine of its own.
func begin(f func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- f() }()
	return c
}

// sleepers is how many goroutines, of all living members, sleep.
func sleepers(t testing.TB, dir string) (n int) {
	t.Helper()
	i, err := object.Look(object.ChooseDir(dir), object.Queue, "jobs", nil)
	if err != nil || i.Err != nil {
		t.Fatal(err, i.Err)
	}
	for _, m := range i.Members {
		if m.Alive {
			n += m.Waiting
		}
	}
	return n
}

// asleep waits until so many sleep, or the victim, if there is one, is dead.
func asleep(t testing.TB, dir string, n int, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "all sleep", func() bool {
		return victim != nil && victim.Ended() || sleepers(t, dir) >= n
	})
}

func TestWhoSleepsForAnItemGetsIt(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := mustOpen(t, dir, queue.Options{Capacity: 4}), mustOpen(t, dir, queue.Options{})
	got := make(chan int64, 6)
	var all sync.WaitGroup
	for _, q := range []*queue.Queue[job]{a, a, a, b, b, b} {
		all.Go(func() {
			it, err := q.Pop(limited(t))
			if err == nil {
				got <- it.Data().N
				err = it.Done()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	asleep(t, dir, 6, nil)
	for n := range int64(6) {
		mustPush(t, a, n)
	}
	all.Wait()
	sum := int64(0)
	for range 6 {
		sum += <-got
	}
	if sum != 15 {
		t.Errorf("the sum is %d", sum)
	}
}

func TestWhoSleepsForRoomGetsIt(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := mustOpen(t, dir, queue.Options{Capacity: 1}), mustOpen(t, dir, queue.Options{})
	mustPush(t, a, 0)
	var all sync.WaitGroup
	for _, q := range []*queue.Queue[job]{a, a, b, b} {
		all.Go(func() {
			if err := q.Push(limited(t), &job{N: 1}); err != nil {
				t.Error(err)
			}
		})
	}
	asleep(t, dir, 4, nil)
	for n := range 5 {
		it := mustPop(t, b, min(int64(n), 1), 1)
		must(t, it.Done())
	}
	all.Wait()
}

func TestAContextEndsAWait(t *testing.T) {
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 1})
	c, cancel := context.WithCancelCause(ctx)
	pop := begin(func() error { _, err := q.Pop(c); return err })
	asleep(t, dir, 1, nil)
	cancel(errors.New("reason"))
	if err := <-pop; !errors.Is(err, context.Canceled) {
		t.Errorf("pop: %v", err)
	}
	mustPush(t, q, 1)
	c2, cancel2 := context.WithDeadline(ctx, time.Now().Add(time.Millisecond))
	defer cancel2()
	err := q.Push(c2, &job{})
	var e *queue.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || !e.Timeout() {
		t.Errorf("push: %v", err)
	}
	// What can be had at once is had.
	it, err := q.Pop(c2)
	must(t, err)
	must(t, it.Done())
	empty(t, q)
}

func TestCloseSendsAwayWhoWaits(t *testing.T) {
	dir := shmtest.Dir(t)
	keeper := mustOpen(t, dir, queue.Options{Capacity: 1})
	q, err := queue.Open[job]("jobs", &queue.Options{Dir: dir})
	must(t, err)
	pops := []<-chan error{}
	for range 3 {
		pops = append(pops, begin(func() error { _, err := q.Pop(ctx); return err }))
	}
	asleep(t, dir, 3, nil)
	must(t, q.Close())
	for _, c := range pops {
		if err := <-c; !errors.Is(err, queue.ErrClosed) {
			t.Errorf("pop: %v", err)
		}
	}
	must(t, q.Close())
	for _, f := range []func() error{
		func() error { _, err := q.TryPop(); return err },
		func() error { _, err := q.PopDead(); return err },
		func() error { return q.TryPush(&job{}) },
		func() error { return q.Push(ctx, &job{}) },
		func() error { _, err := q.Stat(); return err },
	} {
		if err := f(); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
	empty(t, keeper)
}

func TestWhatIsHeldIsNotClosed(t *testing.T) {
	dir := shmtest.Dir(t)
	q, err := queue.Open[job]("jobs", &queue.Options{Dir: dir, Capacity: 2})
	must(t, err)
	l, err := q.Loan(ctx)
	must(t, err)
	sleeper := begin(func() error {
		it, err := q.Pop(limited(t))
		if err != nil {
			return err
		}
		return it.Done()
	})
	asleep(t, dir, 1, nil)
	if err := q.Close(); !errors.Is(err, queue.ErrHeld) {
		t.Fatalf("a loan is held: %v", err)
	}
	must(t, l.Push())
	must(t, <-sleeper)
	mustPush(t, q, 1)
	it := mustPop(t, q, 1, 1)
	if err := q.Close(); !errors.Is(err, queue.ErrHeld) {
		t.Fatalf("an item is held: %v", err)
	}
	must(t, it.Done())
	must(t, q.Close())
}

// Closing while others are in the middle of something either closes, or is refused because
// something is held; nothing is lost.
func TestCloseAmidOperations(t *testing.T) {
	dir := shmtest.Dir(t)
	keeper := mustOpen(t, dir, queue.Options{Capacity: 8})
	var pushed, popped atomic.Int64
	for range 20 {
		q, err := queue.Open[job]("jobs", &queue.Options{Dir: dir})
		must(t, err)
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				for {
					var err error
					if n%2 == 0 {
						if err = q.Push(ctx, &job{N: 1}); err == nil {
							pushed.Add(1)
						}
					} else {
						var it queue.Item[job]
						if it, err = q.Pop(ctx); err == nil {
							err = it.Done()
							popped.Add(1)
						}
					}
					if errors.Is(err, queue.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		shmtest.Eventually(t, "it is closed", func() bool {
			err := q.Close()
			if err != nil && !errors.Is(err, queue.ErrHeld) {
				t.Fatal(err)
			}
			return err == nil
		})
		all.Wait()
	}
	is(t, keeper, int(pushed.Load()-popped.Load()), 0, 0, 0)
	empty(t, keeper)
}

func TestACrowd(t *testing.T) {
	dir := shmtest.Dir(t)
	qs := []*queue.Queue[job]{mustOpen(t, dir, queue.Options{Capacity: 8}), mustOpen(t, dir, queue.Options{})}
	const crowd, each = 200, 20
	var all sync.WaitGroup
	seen := make([]atomic.Int32, crowd*each)
	for n := range crowd {
		q := qs[n%2]
		all.Go(func() {
			for k := range each {
				if err := q.Push(limited(t), &job{N: int64(n*each + k)}); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range each {
				it, err := q.Pop(limited(t))
				if err != nil {
					t.Error(err)
					return
				}
				seen[it.Data().N].Add(1)
				if err := it.Done(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for n := range seen {
		if c := seen[n].Load(); c != 1 {
			t.Fatalf("item %d came %d times", n, c)
		}
	}
	empty(t, qs[0])
}

func TestNothingIsAllocatedInTheSteadyState(t *testing.T) {
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 4, Deliveries: 1, DeadLetters: 2})
	b, err := queue.OpenBytes("bytes", &queue.Options{Dir: dir})
	must(t, err)
	text := make([]byte, 100)
	item := &job{N: 1}
	for name, f := range map[string]func() error{
		"by copy": func() error {
			if err := q.Push(ctx, item); err != nil {
				return err
			}
			it, err := q.Pop(ctx)
			return errors.Join(err, it.Done())
		},
		"trying": func() error {
			if err := q.TryPush(item); err != nil {
				return err
			}
			it, err := q.TryPop()
			return errors.Join(err, it.Done())
		},
		"in place": func() error {
			l, err := q.Loan(ctx)
			if err != nil {
				return err
			}
			l.Data().N = 2
			err = l.Push()
			it, e := q.Pop(ctx)
			return errors.Join(err, e, it.Done())
		},
		"bytes": func() error {
			if err := b.Push(ctx, text); err != nil {
				return err
			}
			it, err := b.Pop(ctx)
			return errors.Join(err, it.Done())
		},
		"dead letters": func() error {
			if err := q.Push(ctx, item); err != nil {
				return err
			}
			it, err := q.Pop(ctx)
			err = errors.Join(err, it.Retry())
			d, e := q.PopDead()
			return errors.Join(err, e, d.Done())
		},
		"nothing to be had": func() error {
			if _, err := q.TryPop(); err != queue.ErrEmpty {
				return errors.New("not empty")
			}
			return nil
		},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	must(t, b.Close())
}
