package queue_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

func TestItemsComeInTheOrderTheyWerePushed(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 4})
	for n := range int64(40) {
		mustPush(t, q, 2*n)
		mustPush(t, q, 2*n+1)
		for k := range int64(2) {
			it := mustPop(t, q, 2*n+k, 1)
			must(t, it.Done())
		}
	}
	is(t, q, 0, 0, 0, 0)
}

func TestFullAndEmptyAreSaid(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 2})
	if _, err := q.TryPop(); err != queue.ErrEmpty {
		t.Fatalf("empty: %v", err)
	}
	mustPush(t, q, 1)
	l, err := q.TryLoan()
	must(t, err)
	if err := q.TryPush(&job{}); err != queue.ErrFull {
		t.Fatalf("full: %v", err)
	}
	must(t, l.Drop())
	mustPush(t, q, 2)
	it := mustPop(t, q, 1, 1)
	if err := q.TryPush(&job{}); err != queue.ErrFull {
		t.Fatalf("what is held counts: %v", err)
	}
	must(t, it.Done())
	if got := empty(t, q); len(got) != 1 || got[0] != 2 {
		t.Fatal(got)
	}
}

func TestALoanIsWrittenInPlace(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{})
	l, err := q.Loan(ctx)
	must(t, err)
	l.Data().N = 7
	is(t, q, 0, 0, 1, 0)
	must(t, l.Push())
	for _, err := range []error{l.Push(), l.Drop()} {
		if !errors.Is(err, queue.ErrNotHeld) {
			t.Fatalf("again: %v", err)
		}
	}
	it := mustPop(t, q, 7, 1)
	must(t, it.Done())
	for _, err := range []error{it.Done(), it.Retry(), it.Keep()} {
		if !errors.Is(err, queue.ErrNotHeld) {
			t.Fatalf("again: %v", err)
		}
	}
	is(t, q, 0, 0, 0, 0)
}

func TestACopyOfAnItemIsNotDoneTwice(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 1})
	mustPush(t, q, 1)
	it := mustPop(t, q, 1, 1)
	stale := it
	must(t, it.Done())
	mustPush(t, q, 2)
	it = mustPop(t, q, 2, 1) // the same cell, in the same state
	if err := stale.Done(); !errors.Is(err, queue.ErrNotHeld) {
		t.Fatalf("another item was done: %v", err)
	}
	must(t, it.Done())
}

// A handle that takes the same cell again, in the same state, is not undone by who had it before.
func TestACopyOfALoanIsNotGivenBackTwice(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 1})
	stale, err := q.TryLoan()
	must(t, err)
	must(t, stale.Push())
	it := mustPop(t, q, 0, 1)
	must(t, it.Done())
	l, err := q.TryLoan()
	must(t, err)
	for _, err := range []error{stale.Drop(), stale.Push()} {
		if !errors.Is(err, queue.ErrNotHeld) {
			t.Fatalf("another loan was given back: %v", err)
		}
	}
	l.Data().N = 5
	must(t, l.Push())
	it = mustPop(t, q, 5, 1)
	must(t, it.Done())
}

func TestACopyOfALetterIsNotGivenBackTwice(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 1, Deliveries: 1})
	mustPush(t, q, 1)
	it := mustPop(t, q, 1, 1)
	must(t, it.Retry())
	stale, err := q.PopDead()
	must(t, err)
	must(t, stale.Keep())
	letter, err := q.PopDead()
	must(t, err)
	for _, err := range []error{stale.Keep(), stale.Retry(), stale.Done()} {
		if !errors.Is(err, queue.ErrNotHeld) {
			t.Fatalf("what another has was given back: %v", err)
		}
	}
	must(t, letter.Done())
}

func TestARetriedItemGoesToItsOldPlace(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 5})
	for n := range int64(4) {
		mustPush(t, q, n)
	}
	zero, one, two := mustPop(t, q, 0, 1), mustPop(t, q, 1, 1), mustPop(t, q, 2, 1)
	mustPush(t, q, 4)
	must(t, errors.Join(two.Retry(), zero.Retry(), one.Retry()))
	for n, deliveries := range []int{2, 2, 2, 1, 1} {
		it := mustPop(t, q, int64(n), deliveries)
		if it.Sequence() != uint64(n+1) {
			t.Errorf("item %d has sequence %d", n, it.Sequence())
		}
		must(t, it.Done())
	}
}

func TestDeadLetters(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 4, Deliveries: 2, DeadLetters: 2})
	kill := func(n int64) {
		t.Helper()
		mustPush(t, q, n)
		for k := range 2 {
			it := mustPop(t, q, n, k+1)
			must(t, it.Retry())
		}
	}
	kill(0)
	is(t, q, 0, 0, 0, 1)
	kill(1)
	kill(2) // 0 is dropped
	is(t, q, 0, 0, 0, 2)
	a, err := q.PopDead()
	must(t, err)
	b, err := q.PopDead()
	must(t, err)
	if a.Data().N != 1 || b.Data().N != 2 || a.Deliveries() != 2 {
		t.Fatalf("dead letters %d and %d", a.Data().N, b.Data().N)
	}
	if _, err := q.PopDead(); err != queue.ErrEmpty {
		t.Fatal(err)
	}
	kill(3) // all letters are being read: it is dropped
	s, err := q.Stat()
	must(t, err)
	if s.DeadHeld != 2 || s.Dropped != 2 || s.Dead != 0 {
		t.Fatalf("%+v", s)
	}
	must(t, a.Keep())
	for n := range int64(4) {
		mustPush(t, q, 10+n)
	}
	if err := b.Retry(); err != queue.ErrFull {
		t.Fatalf("a letter into a full queue: %v", err)
	}
	it := mustPop(t, q, 10, 1)
	must(t, it.Done())
	must(t, b.Retry())
	it = mustPop(t, q, 2, 1)
	must(t, it.Done())
	c, err := q.PopDead()
	must(t, err)
	if c.Data().N != 1 {
		t.Fatal(c.Data().N)
	}
	must(t, c.Done())
	empty(t, q)
}

func TestBytes(t *testing.T) {
	dir := shmtest.Dir(t)
	q, err := queue.OpenBytes("text", &queue.Options{Dir: dir, MaxItem: 10, Capacity: 3})
	must(t, err)
	for _, s := range []string{"", "0123456789", "abc"} {
		must(t, q.Push(ctx, []byte(s)))
	}
	for _, want := range []string{"", "0123456789", "abc"} {
		it, err := q.Pop(ctx)
		must(t, err)
		if got := string(it.Data()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		must(t, it.Done())
	}
	if err := q.Push(ctx, make([]byte, 11)); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	l, err := q.Loan(ctx)
	must(t, err)
	if len(l.Data()) != 10 {
		t.Errorf("room for %d", len(l.Data()))
	}
	if err := l.Push(11); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	copy(l.Data(), "xyz")
	must(t, l.Push(2))
	it, err := q.TryPop()
	must(t, err)
	if string(it.Data()) != "xy" || cap(it.Data()) != 2 {
		t.Errorf("got %q", it.Data())
	}
	must(t, it.Done())
	must(t, q.Close())
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 2})
	type other struct{ A, B, C, D int64 }
	if _, err := queue.Open[other]("jobs", &queue.Options{Dir: dir}); !errors.Is(err, queue.ErrType) || !strings.Contains(err.Error(), "job") {
		t.Errorf("another type: %v", err)
	}
	if _, err := queue.OpenBytes("jobs", &queue.Options{Dir: dir}); !errors.Is(err, queue.ErrType) {
		t.Errorf("bytes: %v", err)
	}
	if _, err := queue.Open[*int]("p", &queue.Options{Dir: dir}); err == nil {
		t.Error("pointers were accepted")
	}
	if _, err := queue.Open[struct{}]("e", &queue.Options{Dir: dir}); !errors.Is(err, shmkit.ErrBadType) {
		t.Errorf("nothing: %v", err)
	}
	for _, o := range []queue.Options{{Capacity: -1}, {Capacity: queue.MaxCapacity + 1}, {Deliveries: -1}, {DeadLetters: queue.MaxCapacity + 1},
		{Existing: true, Exclusive: true}} {
		o.Dir = dir
		if _, err := queue.Open[job]("bad", &o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := queue.Open[job]("none", &queue.Options{Dir: dir, Existing: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if _, err := queue.Open[job]("jobs", &queue.Options{Dir: dir, Exclusive: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("exclusive: %v", err)
	}
	// The settings are those it was made with.
	b := mustOpen(t, dir, queue.Options{Capacity: 100})
	s, err := b.Stat()
	must(t, err)
	if s.Capacity != 2 {
		t.Errorf("%+v", s)
	}
	mustPush(t, q, 1)
	it := mustPop(t, b, 1, 1)
	must(t, it.Done())
}

func TestAQueueWithItemsInItStays(t *testing.T) {
	dir := shmtest.Dir(t)
	o := &queue.Options{Dir: dir}
	q, err := queue.Open[job]("kept", o)
	must(t, err)
	path := q.Path()
	must(t, q.Push(ctx, &job{N: 5}))
	must(t, q.Close())
	q, err = queue.Open[job]("kept", &queue.Options{Dir: dir, Existing: true})
	must(t, err)
	it := mustPop(t, q, 5, 1)
	if err := queue.Remove("kept", dir); !errors.Is(err, queue.ErrInUse) {
		t.Errorf("removed while it is open: %v", err)
	}
	must(t, it.Done())
	must(t, q.Close())
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty, and closed: %v", err)
	}
	q, err = queue.Open[job]("kept", &queue.Options{Dir: dir, Persistent: true})
	must(t, err)
	must(t, q.Close())
	must(t, queue.Remove("kept", dir))
}

// A type that cannot be in shared memory makes no queue, also no persistent one.
func TestATypeThatCannotBeMakesNoQueue(t *testing.T) {
	dir := shmtest.Dir(t)
	o := &queue.Options{Dir: dir, Persistent: true}
	if _, err := queue.Open[string]("jobs", o); !errors.Is(err, shmkit.ErrBadType) {
		t.Errorf("a string: %v", err)
	}
	if _, err := queue.Open[struct{}]("jobs", o); !errors.Is(err, shmkit.ErrBadType) || !strings.Contains(err.Error(), "has no size") {
		t.Errorf("nothing: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
