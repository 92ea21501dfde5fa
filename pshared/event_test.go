package pshared_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func openEvent(t testing.TB, dir, name string, auto bool) *pshared.Event {
	t.Helper()
	open := pshared.OpenEvent
	if auto {
		open = pshared.OpenAutoEvent
	}
	e, err := open(name, &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var fault *shmkit.FaultError
		if err := e.Close(); err != nil && !errors.As(err, &fault) {
			t.Error(err)
		}
	})
	return e
}

func set(t testing.TB, e *pshared.Event) {
	t.Helper()
	if err := e.Set(); err != nil {
		t.Fatal(err)
	}
}

func isSet(t testing.TB, e *pshared.Event) bool {
	t.Helper()
	ok, err := e.TryWait()
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func waiting(t testing.TB, e *pshared.Event) <-chan error {
	return begin(func() error { return e.Wait(limited(t)) })
}

func TestAManualEventStaysSet(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openEvent(t, dir, "x", false), openEvent(t, dir, "x", false)
	if isSet(t, b) {
		t.Error("set from the beginning")
	}
	set(t, a)
	for range 2 {
		if !isSet(t, b) || b.Wait(limited(t)) != nil {
			t.Error("not set")
		}
	}
	if err := b.Reset(); err != nil || isSet(t, a) {
		t.Errorf("after Reset: %v", err)
	}
}

func TestAnAutoEventLetsOneThrough(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openEvent(t, dir, "x", true), openEvent(t, dir, "x", true)
	set(t, a)
	set(t, a) // is the same
	if !isSet(t, b) || isSet(t, a) {
		t.Error("it lets none or two through")
	}
	set(t, a)
	if err := a.Reset(); err != nil || isSet(t, b) {
		t.Errorf("after Reset: %v", err)
	}
	const n = 50
	var through atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		e := []*pshared.Event{a, b}[i%2]
		all.Go(func() {
			if err := e.Wait(limited(t)); err != nil {
				t.Error(err)
			}
			through.Add(1)
		})
	}
	allSleep(t, dir, object.Event, "x", n, nil)
	for i := range n {
		set(t, a)
		shmtest.Eventually(t, "one more is through", func() bool { return through.Load() == int64(i+1) })
	}
	all.Wait()
	if isSet(t, a) {
		t.Error("set once more than it was")
	}
}

// Who waits goes on also if it is not set any more when it looks.
func TestSetAndResetLetsThroughWhoWaited(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openEvent(t, dir, "x", false), openEvent(t, dir, "x", false)
	for range 100 {
		w := waiting(t, b)
		allSleep(t, dir, object.Event, "x", 1, nil)
		set(t, a)
		if err := a.Reset(); err != nil {
			t.Fatal(err)
		}
		if err := <-w; err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnEventWaitEndsWithItsContext(t *testing.T) {
	for _, auto := range []bool{false, true} {
		dir := shmtest.Dir(t)
		e := openEvent(t, dir, "x", auto)
		ctx, cancel := context.WithCancel(context.Background())
		w := begin(func() error { return e.Wait(ctx) })
		allSleep(t, dir, object.Event, "x", 1, nil)
		cancel()
		if err := <-w; !errors.Is(err, context.Canceled) {
			t.Errorf("auto %t: %v", auto, err)
		}
		set(t, e)
		if !isSet(t, e) {
			t.Errorf("auto %t: who gave up has taken it", auto)
		}
	}
}

func TestTheTwoKindsOfEventAreNotMixedUp(t *testing.T) {
	dir := shmtest.Dir(t)
	openEvent(t, dir, "x", false)
	if _, err := pshared.OpenAutoEvent("x", &pshared.Options{Dir: dir}); !errors.Is(err, pshared.ErrType) {
		t.Errorf("a manual event opened as auto: %v", err)
	}
	openEvent(t, dir, "y", true)
	if _, err := pshared.OpenEvent("y", &pshared.Options{Dir: dir}); !errors.Is(err, pshared.ErrType) {
		t.Errorf("an auto event opened as manual: %v", err)
	}
}

// Through select, in a struct.
func TestAnEventThroughAChannel(t *testing.T) {
	type scene struct {
		Manual pshared.EventWord
		Auto   pshared.AutoEventWord
	}
	s := openScene[scene](t, shmtest.Dir(t))
	manual, auto := s.Event(&s.Data().Manual), s.AutoEvent(&s.Data().Auto)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, a := manual.Chan(ctx), auto.Chan(ctx)
	select {
	case <-m:
		t.Error("the manual one is not set")
	case <-a:
		t.Error("the auto one is not set")
	default:
	}
	set(t, manual)
	<-m
	<-m // it is closed
	for range 3 {
		set(t, auto)
		<-a
	}
	// Taken, and not received when the context ends: set again.
	set(t, auto)
	shmtest.Eventually(t, "it is taken", func() bool { return s.Waiting() == 1 && auto.State()&1 == 0 })
	cancel()
	if err := auto.Wait(limited(t)); err != nil {
		t.Error(err)
	}
	shmtest.Eventually(t, "the goroutines are gone", func() bool { return s.Waiting() == 0 })
}

// A handle that is closed gives back what its channel has not delivered.
func TestCloseGivesBackWhatAChannelHolds(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openEvent(t, dir, "x", true), openEvent(t, dir, "x", true)
	c := a.Chan(context.Background())
	set(t, b)
	shmtest.Eventually(t, "it is taken", func() bool { return b.State()&1 == 0 })
	w := waiting(t, b)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := <-w; err != nil {
		t.Error(err)
	}
	select {
	case <-c:
		t.Error("delivered after all")
	default:
	}
}

func TestCloseWhileOthersWaitForAnEvent(t *testing.T) {
	for _, auto := range []bool{false, true} {
		dir := shmtest.Dir(t)
		b, c := openEvent(t, dir, "x", auto), openEvent(t, dir, "x", auto)
		const n = 300
		var gone []<-chan error
		for range n {
			gone = append(gone, waiting(t, b))
		}
		stays := waiting(t, c)
		allSleep(t, dir, object.Event, "x", n+1, nil)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		for _, g := range gone {
			if err := <-g; !errors.Is(err, pshared.ErrClosed) {
				t.Fatalf("who waited got %v", err)
			}
		}
		set(t, c)
		if err := <-stays; err != nil {
			t.Error(err)
		}
		_, tryErr := b.TryWait()
		for what, err := range map[string]error{"Wait": b.Wait(ctx), "Set": b.Set(), "Reset": b.Reset(), "TryWait": tryErr} {
			if !errors.Is(err, pshared.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		<-begin(func() error { b.Chan(ctx); return nil })
	}
}

func TestTruncationUnderEventWaiters(t *testing.T) {
	for _, auto := range []bool{false, true} {
		dir := shmtest.Dir(t)
		e := openEvent(t, dir, "x", auto)
		var all []<-chan error
		for range 5 {
			all = append(all, waiting(t, e))
		}
		allSleep(t, dir, object.Event, "x", 5, nil)
		path := e.Path()
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		var fault *shmkit.FaultError
		for _, w := range all {
			if err := <-w; !errors.As(err, &fault) && !errors.Is(err, syscall.EFAULT) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who waited got %v", err)
			}
		}
		if err := e.Close(); err != nil && !errors.As(err, &fault) {
			t.Error(err)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}

// FuzzEventWord tries any word, before and under waiters: everything goes on, and no other
// byte is written.
func FuzzEventWord(f *testing.F) {
	for _, v := range []uint32{0, 1, 2, 3, 1 << 31, 1<<32 - 1} {
		f.Add(v, v^3, true)
		f.Add(v, v+4, false)
	}
	f.Fuzz(func(t *testing.T, before, under uint32, auto bool) {
		dir := shmtest.Dir(t)
		a, b := openEvent(t, dir, "x", auto), openEvent(t, dir, "x", auto)
		untouched, err := os.ReadFile(a.Path())
		if err != nil {
			t.Fatal(err)
		}
		a.SetState(before)
		w := waiting(t, b)
		shmtest.Eventually(t, "it waits or is through", func() bool { return done(w) || sleepers(t, dir, object.Event, "x") == 1 })
		a.SetState(under)
		shmtest.Eventually(t, "it is through", func() bool { set(t, a); return done(w) })
		if err := <-w; err != nil {
			t.Errorf("%#x, then %#x: %v", before, under, err)
		}
		a.SetState(0)
		after, err := os.ReadFile(a.Path())
		if err != nil {
			t.Fatal(err)
		}
		if string(untouched) != string(after) {
			t.Errorf("%#x, then %#x: something else was written to", before, under)
		}
	})
}

// 12,000 goroutines wait, and all go on; the heap that the event guards is no race.
func TestACrowdAtAnEvent(t *testing.T) {
	crowd := 12_000
	if testing.Short() {
		crowd = 2000
	}
	for _, auto := range []bool{false, true} {
		dir := shmtest.Dir(t)
		a, b := openEvent(t, dir, "x", auto), openEvent(t, dir, "x", auto)
		ready := 0
		var all sync.WaitGroup
		for range crowd {
			all.Go(func() {
				if err := b.Wait(limited(t)); err != nil || ready == 0 {
					t.Error(err, ready)
				}
				if auto { // one lets the next through
					set(t, b)
				}
			})
		}
		allSleep(t, dir, object.Event, "x", crowd, nil)
		if n := threads(t); n > 500 {
			t.Errorf("%d threads", n)
		}
		ready = 1
		set(t, a)
		all.Wait()
	}
}

func BenchmarkEvent(b *testing.B) {
	e := openEvent(b, shmtest.Dir(b), "x", true)
	b.Run("set and wait", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if e.Set() != nil || e.Wait(ctx) != nil {
				b.Fatal("failed")
			}
		}
	})
	b.Run("try in vain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if ok, err := e.TryWait(); ok || err != nil {
				b.Fatal("failed")
			}
		}
	})
}
