package pshared_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

var ctx = context.Background()

func openMutex(t testing.TB, dir, name string) *pshared.Mutex {
	t.Helper()
	m, err := pshared.OpenMutex(name, &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func lock(t testing.TB, m *pshared.Mutex) {
	t.Helper()
	if err := m.Lock(ctx); err != nil {
		t.Fatal(err)
	}
}

func unlock(t testing.TB, m *pshared.Mutex) {
	t.Helper()
	if err := m.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestTwoHandlesExcludeEachOther(t *testing.T) {
	d := shmtest.Dir(t)
	a, b := openMutex(t, d, "x"), openMutex(t, d, "x")
	lock(t, a)
	if held, err := b.TryLock(); held || err != nil {
		t.Errorf("TryLock of a held lock: %t, %v", held, err)
	}
	if err := b.Unlock(); !errors.Is(err, pshared.ErrNotHeld) {
		t.Errorf("Unlock of another's: %v", err)
	}
	if err := a.Close(); !errors.Is(err, pshared.ErrHeld) {
		t.Errorf("Close while holding: %v", err)
	}
	unlock(t, a)
	lock(t, b)
	unlock(t, b)
}

func TestManyGoroutinesOfTwoMembersCount(t *testing.T) {
	d := shmtest.Dir(t)
	type shared struct {
		Mu    pshared.MutexWord
		Total int64
	}
	var heap int // guarded by the lock too: the race detector must agree
	a, err := pshared.Open[shared]("counter", &pshared.Options{Dir: d})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := pshared.Open[shared]("counter", &pshared.Options{Dir: d})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const goroutines, rounds = 20, 200
	var all sync.WaitGroup
	for i := range goroutines {
		s := []*pshared.Shared[shared]{a, b}[i%2]
		mu := s.Mutex(&s.Data().Mu)
		all.Go(func() {
			for range rounds {
				if err := mu.Lock(ctx); err != nil {
					t.Error(err)
					return
				}
				s.Data().Total++
				heap++
				if err := mu.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := a.Data().Total; n != goroutines*rounds || heap != goroutines*rounds {
		t.Errorf("counted %d and %d, want %d", n, heap, goroutines*rounds)
	}
}
