package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func openOnce(t testing.TB, dir, name string) *pshared.Once {
	t.Helper()
	o, err := pshared.OpenOnce(name, &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var fault *shmkit.FaultError
		if err := o.Close(); err != nil && !errors.As(err, &fault) {
			t.Error(err)
		}
	})
	return o
}

func isDone(t testing.TB, o *pshared.Once) bool {
	t.Helper()
	is, err := o.Done()
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func never() error { return errors.New("it was run again") }

func TestOnceIsDoneOnce(t *testing.T) {
	dir := shmtest.Dir(t)
	var ran int // the race detector must agree
	var all sync.WaitGroup
	if isDone(t, openOnce(t, dir, "x")) {
		t.Error("done from the beginning")
	}
	for range 4 {
		o := openOnce(t, dir, "x")
		for range 10 {
			all.Go(func() {
				if err := o.Do(limited(t), func() error { ran++; return nil }); err != nil || ran != 1 {
					t.Error(err, ran)
				}
			})
		}
	}
	all.Wait()
	o := openOnce(t, dir, "x")
	if ran != 1 || !isDone(t, o) {
		t.Errorf("ran %d times", ran)
	}
	if is, err := o.TryDo(never); !is || err != nil {
		t.Errorf("TryDo: %t, %v", is, err)
	}
}

func TestAFunctionThatFailsLeavesItToTheNext(t *testing.T) {
	for name, f := range map[string]func(o *pshared.Once) error{
		"error": func(o *pshared.Once) error {
			if err := o.Do(ctx, func() error { return errFunction }); err != errFunction {
				return fmt.Errorf("its error is %w", err)
			}
			return nil
		},
		"error of TryDo": func(o *pshared.Once) error {
			if is, err := o.TryDo(func() error { return errFunction }); is || err != errFunction {
				return fmt.Errorf("its error is %w", err)
			}
			return nil
		},
		"panic": func(o *pshared.Once) (err error) {
			defer func() {
				if r := recover(); r != "ouch" {
					err = fmt.Errorf("recovered %v", r)
				}
			}()
			return o.Do(ctx, func() error { panic("ouch") })
		},
		"Goexit": func(o *pshared.Once) error {
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_ = o.Do(ctx, func() error { runtime.Goexit(); return nil })
			}()
			<-gone
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b := openOnce(t, dir, "x"), openOnce(t, dir, "x")
			if err := f(a); err != nil || isDone(t, a) {
				t.Errorf("%v, done %t", err, isDone(t, a))
			}
			ran := false
			if err := b.Do(limited(t), func() error { ran = true; return nil }); err != nil || !ran || !isDone(t, a) {
				t.Error(err, ran)
			}
		})
	}
}

var errFunction = errors.New("the function failed")

// While one runs, others wait, give up with their context, or are sent away, and its handle
// is not closed.
func TestOthersWhileOneRuns(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b, c := openOnce(t, dir, "x"), openOnce(t, dir, "x"), openOnce(t, dir, "x")
	in, out := make(chan struct{}), make(chan struct{})
	runs := begin(func() error { return a.Do(ctx, func() error { close(in); <-out; return nil }) })
	<-in
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	var le *pshared.LockError
	if err := b.Do(short, never); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &le) || le.Op != "do" || !le.Timeout() {
		t.Errorf("with a context: %v", err)
	}
	if is, err := b.TryDo(never); is || err != nil {
		t.Errorf("TryDo: %t, %v", is, err)
	}
	if err := a.Close(); !errors.Is(err, pshared.ErrHeld) {
		t.Errorf("Close while it runs: %v", err)
	}
	if err := b.Reset(); !errors.Is(err, pshared.ErrNotHeld) {
		t.Errorf("Reset while it runs: %v", err)
	}
	const n = 100
	var gone []<-chan error
	for range n {
		gone = append(gone, begin(func() error { return b.Do(limited(t), never) }))
	}
	stays := begin(func() error { return c.Do(limited(t), never) })
	allSleep(t, dir, object.Once, "x", n+1, nil)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for _, g := range gone {
		if err := <-g; !errors.Is(err, pshared.ErrClosed) {
			t.Fatalf("who waited got %v", err)
		}
	}
	close(out)
	for _, w := range []<-chan error{runs, stays} {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Done(); !errors.Is(err, pshared.ErrClosed) {
		t.Errorf("Done after Close: %v", err)
	}
	if err := b.Do(ctx, never); !errors.Is(err, pshared.ErrClosed) {
		t.Errorf("Do after Close: %v", err)
	}
}

func TestACrowdAtAOnce(t *testing.T) {
	crowd := 12_000
	if testing.Short() {
		crowd = 2000
	}
	dir := shmtest.Dir(t)
	a, b := openOnce(t, dir, "x"), openOnce(t, dir, "x")
	in, out := make(chan struct{}), make(chan struct{})
	runs := begin(func() error { return a.Do(ctx, func() error { close(in); <-out; return nil }) })
	<-in
	var all sync.WaitGroup
	var through atomic.Int64
	for range crowd {
		all.Go(func() {
			if err := b.Do(limited(t), never); err != nil {
				t.Error(err)
			}
			through.Add(1)
		})
	}
	allSleep(t, dir, object.Once, "x", crowd, nil)
	if n := threads(t); n > 500 || through.Load() != 0 {
		t.Errorf("%d threads, %d through", n, through.Load())
	}
	close(out)
	all.Wait()
	if err := <-runs; err != nil {
		t.Error(err)
	}
}

// Any words are survived, and Reset makes them good.
func FuzzOnceWord(f *testing.F) {
	for _, v := range []uint32{0, 1, 2, 1<<30 + 1, 1<<32 - 1} {
		f.Add(v, uint32(0))
		f.Add(uint32(0), v)
	}
	f.Fuzz(func(t *testing.T, state, done uint32) {
		dir := shmtest.Dir(t)
		a, b := openOnce(t, dir, "x"), openOnce(t, dir, "x")
		before, err := os.ReadFile(a.Path())
		if err != nil {
			t.Fatal(err)
		}
		a.SetWords(state, done)
		limit, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		ran := false
		switch err := b.Do(limit, func() error { ran = true; return nil }); {
		case err == nil:
			if !isDone(t, a) {
				t.Errorf("%#x, %#x: done and not done", state, done)
			}
		case errors.Is(err, pshared.ErrCorrupt), errors.Is(err, pshared.ErrNotRecoverable):
			if err := a.Reset(); err != nil {
				t.Errorf("%#x, %#x: Reset: %v", state, done, err)
			}
			if err := b.Do(limited(t), func() error { return nil }); err != nil {
				t.Errorf("%#x, %#x: after Reset: %v", state, done, err)
			}
		case errors.Is(err, context.DeadlineExceeded):
			if o := state &^ (pshared.Waiters | pshared.InconsistentOf); o != a.Me() && o != b.Me() {
				t.Errorf("%#x, %#x is waited for", state, done)
			}
		default:
			t.Errorf("%#x, %#x: %v", state, done, err)
		}
		if ran && done != 0 {
			t.Errorf("%#x, %#x: it was run", state, done)
		}
		a.SetWords(0, 0)
		after, err := os.ReadFile(a.Path())
		if err != nil {
			t.Fatal(err)
		}
		if string(before) != string(after) {
			t.Errorf("%#x, %#x: something else was written to", state, done)
		}
	})
}

func TestTruncationUnderAOnce(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openOnce(t, dir, "x"), openOnce(t, dir, "x")
	path := a.Path()
	var waits <-chan error
	err := a.Do(ctx, func() error {
		waits = begin(func() error { return b.Do(limited(t), never) })
		allSleep(t, dir, object.Once, "x", 1, nil)
		return os.Truncate(path, 0)
	})
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) {
		t.Errorf("who ran it got %v", err)
	}
	if err := <-waits; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who waited got %v", err)
	}
	for _, o := range []*pshared.Once{a, b} {
		if err := o.Close(); err != nil && !errors.As(err, &fault) {
			t.Error(err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// What is done costs a load, and allocates nothing.
func BenchmarkOnce(b *testing.B) {
	o := openOnce(b, shmtest.Dir(b), "x")
	f := func() error { return nil }
	b.Run("pshared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if o.Do(ctx, f) != nil {
				b.Fatal("failed")
			}
		}
	})
	b.Run("sync", func(b *testing.B) {
		var once sync.Once
		for b.Loop() {
			once.Do(func() {})
		}
	})
}
