package pshared_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func openBarrier(t testing.TB, dir, name string, parties int) *pshared.Barrier {
	t.Helper()
	b, err := pshared.OpenBarrier(name, parties, &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var fault *shmkit.FaultError
		if err := b.Close(); err != nil && !errors.As(err, &fault) {
			t.Error(err)
		}
	})
	return b
}

// arriving waits at the barrier in a goroutine.
func arriving(t testing.TB, b *pshared.Barrier) <-chan error {
	return begin(func() error {
		_, err := b.Wait(limited(t))
		return err
	})
}

// Goroutines of several members go through phases together: nobody is in the next one while
// another is in the one before, and one of them completes each. The race detector must
// agree that what was done before a phase is seen after it.
func TestPhasesAreGoneThroughTogether(t *testing.T) {
	const members, each, phases = 3, 4, 50
	dir := shmtest.Dir(t)
	var in [phases]atomic.Int64
	var last [phases]atomic.Int64
	var heap [members * each]int
	var all sync.WaitGroup
	for m := range members {
		b := openBarrier(t, dir, "x", members*each)
		for g := range each {
			me := m*each + g
			all.Go(func() {
				for p := range phases {
					heap[me] = p
					in[p].Add(1)
					index, err := b.Wait(limited(t))
					if err != nil {
						t.Error(err)
						return
					}
					if index == members*each-1 {
						last[p].Add(1)
					}
					if n := in[p].Load(); n != members*each || heap[(me+1)%len(heap)] != p {
						t.Errorf("through phase %d with %d in it", p, n)
					}
					if _, err := b.Wait(limited(t)); err != nil { // so that heap may be written again
						t.Error(err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	for p := range phases {
		if last[p].Load() != 1 {
			t.Errorf("%d completed phase %d", last[p].Load(), p)
		}
	}
}

func TestABarrierOfOne(t *testing.T) {
	b := openBarrier(t, shmtest.Dir(t), "x", 1)
	for range 3 {
		if index, err := b.Wait(ctx); index != 0 || err != nil {
			t.Error(index, err)
		}
		if complete, err := b.TryWait(); !complete || err != nil {
			t.Error(complete, err)
		}
	}
}

func TestPartiesAreAgreedUpon(t *testing.T) {
	dir := shmtest.Dir(t)
	openBarrier(t, dir, "x", 3)
	if _, err := pshared.OpenBarrier("x", 2, &pshared.Options{Dir: dir}); !errors.Is(err, pshared.ErrType) {
		t.Errorf("of another number: %v", err)
	}
	for _, n := range []int{0, -1, 1<<30 + 1} {
		if _, err := pshared.OpenBarrier("y", n, &pshared.Options{Dir: dir}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("of %d: %v", n, err)
		}
	}
	type scene struct{ B pshared.BarrierWord }
	s := openScene[scene](t, dir)
	good, bad := s.Barrier(&s.Data().B, 1), s.Barrier(&s.Data().B, 2)
	if _, err := bad.Wait(ctx); !errors.Is(err, pshared.ErrType) {
		t.Errorf("of another number in a struct: %v", err)
	}
	if _, err := good.Wait(ctx); err != nil {
		t.Error(err)
	}
}

// A wrong number in a struct is not the last word of its handle.
func TestPartiesMayBeSaidAgain(t *testing.T) {
	type scene struct{ B, New pshared.BarrierWord }
	dir := shmtest.Dir(t)
	a, b := openScene[scene](t, dir), openScene[scene](t, dir)
	a.Barrier(&a.Data().B, 1)
	for _, wrong := range []int{2, 0, -1, 1<<32 + 1} {
		if _, err := b.Barrier(&b.Data().B, wrong).Wait(ctx); !errors.Is(err, pshared.ErrType) && !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%d parties: %v", wrong, err)
		}
	}
	i, err := pshared.Look("struct", "scene", dir)
	if err != nil || len(i.Words[0].Holders) != 1 {
		t.Errorf("%v, parties: %v", err, i.Words[0].Holders)
	}
	if index, err := b.Barrier(&b.Data().B, 1).Wait(ctx); index != 0 || err != nil {
		t.Error(index, err)
	}
	if _, err := a.Barrier(&a.Data().New, 0).Wait(ctx); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("of none: %v", err)
	}
	if _, err := a.Barrier(&a.Data().New, 1).Wait(ctx); err != nil {
		t.Error(err)
	}
}

// Who gives up has not arrived; in a phase that was completed meanwhile it has.
func TestGivingUpTakesTheArrivalBack(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := openBarrier(t, dir, "x", 2), openBarrier(t, dir, "x", 2)
	short, cancel := context.WithCancel(ctx)
	w := begin(func() error { _, err := a.Wait(short); return err })
	allSleep(t, dir, object.Barrier, "x", 1, nil)
	cancel()
	if err := <-w; !errors.Is(err, context.Canceled) || a.Arrived() != 0 {
		t.Errorf("%v, and %d have arrived", err, a.Arrived())
	}
	if complete, err := b.TryWait(); complete || err != nil || a.Arrived() != 0 {
		t.Errorf("TryWait: %t, %v", complete, err)
	}
	w = arriving(t, a)
	allSleep(t, dir, object.Barrier, "x", 1, nil)
	if complete, err := b.TryWait(); !complete || err != nil {
		t.Errorf("TryWait: %t, %v", complete, err)
	}
	if err := <-w; err != nil {
		t.Error(err)
	}
	for range 300 { // at any moment
		short, cancel := context.WithCancel(ctx)
		w := begin(func() error { _, err := a.Wait(short); return err })
		go cancel()
		complete, err := b.TryWait()
		if mine := <-w; err != nil || complete != (mine == nil) || mine != nil && !errors.Is(mine, context.Canceled) {
			t.Fatalf("one says %t, %v, the other %v", complete, err, mine)
		}
	}
}

// The handle that is closed takes its arrivals along, and is no party any more.
func TestCloseWhileOthersWaitAtABarrier(t *testing.T) {
	const n = 300
	dir := shmtest.Dir(t)
	a, b := openBarrier(t, dir, "x", n+1), openBarrier(t, dir, "x", n+1)
	var gone []<-chan error
	for range n - 1 {
		gone = append(gone, arriving(t, b))
	}
	stays := arriving(t, a)
	allSleep(t, dir, object.Barrier, "x", n, nil)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for _, g := range gone {
		if err := <-g; !errors.Is(err, pshared.ErrClosed) {
			t.Fatalf("who waited got %v", err)
		}
	}
	if a.Arrived() != 1 || done(stays) {
		t.Errorf("%d have arrived", a.Arrived())
	}
	c := openBarrier(t, dir, "x", n+1)
	for range n {
		gone = append(gone, arriving(t, c))
	}
	if err := <-stays; err != nil {
		t.Error(err)
	}
	_, tryErr := b.TryWait()
	_, waitErr := b.Wait(ctx)
	for what, err := range map[string]error{"Wait": waitErr, "TryWait": tryErr, "Reset": b.Reset(ctx)} {
		if !errors.Is(err, pshared.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

func TestTruncationUnderABarrier(t *testing.T) {
	dir := shmtest.Dir(t)
	b := openBarrier(t, dir, "x", 9)
	var all []<-chan error
	for range 5 {
		all = append(all, arriving(t, b))
	}
	allSleep(t, dir, object.Barrier, "x", 5, nil)
	path := b.Path()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	var fault *shmkit.FaultError
	for _, w := range all {
		if err := <-w; !errors.As(err, &fault) && !errors.Is(err, syscall.EFAULT) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waited got %v", err)
		}
	}
	if err := b.Close(); err != nil && !errors.As(err, &fault) {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzBarrierWord tries any words, before and under a waiter: it is told something, or waits
// until its context ends, and Reset makes them good.
func FuzzBarrierWord(f *testing.F) {
	for _, v := range []uint64{0, 1, 2, 3, 4, 1 << 32, 2 << 32, 3 << 32, 1<<64 - 1, 1<<32 - 4} {
		f.Add(v, v, uint32(3))
		f.Add(uint64(0), v, uint32(0))
	}
	f.Fuzz(func(t *testing.T, before, under uint64, parties uint32) {
		dir := shmtest.Dir(t)
		a, b := openBarrier(t, dir, "x", 3), openBarrier(t, dir, "x", 3)
		a.SetWords(before, parties)
		limit, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		w := begin(func() error { _, err := b.Wait(limit); return err })
		shmtest.Eventually(t, "it waits or is told", func() bool { return done(w) || sleepers(t, dir, object.Barrier, "x") == 1 })
		a.SetWords(under, parties)
		switch err := <-w; {
		case err == nil, errors.Is(err, pshared.ErrBroken), errors.Is(err, pshared.ErrCorrupt), errors.Is(err, context.DeadlineExceeded):
		default:
			t.Errorf("%#x, then %#x: %v", before, under, err)
		}
		if err := a.Reset(limited(t)); err != nil {
			t.Errorf("%#x, then %#x: Reset: %v", before, under, err)
		}
		for a.Arrived() < 2 {
			n := a.Arrived()
			arriving(t, b)
			shmtest.Eventually(t, "one more arrives", func() bool { return a.Arrived() != n })
		}
		if complete, err := a.TryWait(); !complete || err != nil {
			t.Errorf("%#x, then %#x: after Reset: %t, %v", before, under, complete, err)
		}
	})
}

func TestACrowdAtABarrier(t *testing.T) {
	crowd := 12_000
	if testing.Short() {
		crowd = 2000
	}
	dir := shmtest.Dir(t)
	a, b := openBarrier(t, dir, "x", crowd+1), openBarrier(t, dir, "x", crowd+1)
	var all sync.WaitGroup
	var through atomic.Int64
	for range crowd {
		all.Go(func() {
			if _, err := b.Wait(limited(t)); err != nil {
				t.Error(err)
			}
			through.Add(1)
		})
	}
	allSleep(t, dir, object.Barrier, "x", crowd, nil)
	if n := threads(t); n > 500 || through.Load() != 0 {
		t.Errorf("%d threads, %d through", n, through.Load())
	}
	if index, err := a.Wait(limited(t)); index != crowd || err != nil {
		t.Error(index, err)
	}
	all.Wait()
}

func BenchmarkBarrier(b *testing.B) {
	x := openBarrier(b, shmtest.Dir(b), "x", 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Wait(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
