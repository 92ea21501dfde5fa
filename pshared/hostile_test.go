package pshared_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// ownerOf is the word of a holder.
func ownerOf(slot, generation uint32) uint32 { return slot<<20 | generation }

// states that no correct member writes, and some that a dead one leaves.
var states = map[string]struct {
	state uint32
	want  error
}{
	"abandoned":                               {pshared.InconsistentOf, pshared.ErrOwnerDead},
	"the same with waiters":                   {pshared.InconsistentOf | pshared.Waiters, pshared.ErrOwnerDead},
	"of no generation":                        {ownerOf(1, 0), pshared.ErrCorrupt},
	"of a slot that was never taken":          {ownerOf(5, 1), pshared.ErrCorrupt},
	"of a slot there is not":                  {ownerOf(1023, 1), pshared.ErrCorrupt},
	"of a generation to come":                 {ownerOf(0, 2), pshared.ErrCorrupt},
	"of the last generation":                  {ownerOf(0, 1<<20-1), pshared.ErrCorrupt},
	"all ones but waiters":                    {math.MaxUint32 >> 1, pshared.ErrCorrupt},
	"all ones but inconsistent":               {math.MaxUint32 &^ pshared.InconsistentOf, pshared.ErrCorrupt},
	"not recoverable":                         {pshared.Lost, pshared.ErrNotRecoverable},
	"of a member that left":                   {ownerOf(2, 1), nil}, // it held nothing
	"of a member that left, with waiters":     {ownerOf(2, 1) | pshared.Waiters, nil},
	"of a member that left, for the 2nd time": {ownerOf(2, 1) | pshared.InconsistentOf | pshared.Waiters, pshared.ErrOwnerDead},
}

func TestEveryStateMayBeHostile(t *testing.T) {
	for name, c := range states {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b := openMutex(t, dir, "x"), openMutex(t, dir, "x")
			gone, err := pshared.OpenMutex("x", &pshared.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := gone.Close(); err != nil {
				t.Fatal(err)
			}
			a.Word().SetState(c.state)
			a.Word().SetHurry(math.MaxUint32)
			if _, err := pshared.Look("lock", "x", dir); err != nil {
				t.Error(err)
			}
			for _, m := range []*pshared.Mutex{a, b} {
				if err := m.Unlock(); !errors.Is(err, pshared.ErrNotHeld) {
					t.Errorf("Unlock: %v", err)
				}
				if err := m.MakeConsistent(); !errors.Is(err, pshared.ErrNotHeld) {
					t.Errorf("MakeConsistent: %v", err)
				}
			}
			held, tryErr := a.TryLock()
			if !errors.Is(tryErr, c.want) || held != (tryErr == nil || errors.Is(tryErr, pshared.ErrOwnerDead)) {
				t.Errorf("TryLock: %t, %v", held, tryErr)
			}
			if held {
				if err := errors.Join(a.MakeConsistent(), a.Unlock()); err != nil {
					t.Error(err)
				}
				return
			}
			if err := b.Lock(limited(t)); !errors.Is(err, c.want) {
				t.Errorf("Lock: %v", err)
			}
			if err := b.Reset(); err != nil {
				t.Fatal(err)
			}
			lock(t, a)
			unlock(t, a)
		})
	}
}

// A word that changes under those who sleep, without a wake-up, is seen at the next look.
func TestAStateChangedUnderWaiters(t *testing.T) {
	for name, c := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shmtest.Dir(t)
			a, b := openMutex(t, dir, "x"), openMutex(t, dir, "x")
			gone, err := pshared.OpenMutex("x", &pshared.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := gone.Close(); err != nil {
				t.Fatal(err)
			}
			lock(t, a)
			waiting := begin(func() error { return b.Lock(limited(t)) })
			allWait(t, dir, 1)
			a.Word().SetState(c.state)
			if err := <-waiting; !errors.Is(err, c.want) {
				t.Fatalf("who waited got %v", err)
			} else if err == nil || errors.Is(err, pshared.ErrOwnerDead) {
				if err := errors.Join(b.MakeConsistent(), b.Unlock()); err != nil {
					t.Error(err)
				}
			} else if err := b.Reset(); err != nil {
				t.Error(err)
			}
		})
	}
}

// FuzzMutexWord tries any two words. Nothing but the words may be written to, and every
// outcome has a name.
func FuzzMutexWord(f *testing.F) {
	for _, c := range states {
		f.Add(c.state, uint32(1))
	}
	f.Add(uint32(1), uint32(0))
	f.Fuzz(func(t *testing.T, state, hurry uint32) {
		dir := shmtest.Dir(t)
		a, b := openMutex(t, dir, "x"), openMutex(t, dir, "x")
		before, err := os.ReadFile(a.Path())
		if err != nil {
			t.Fatal(err)
		}
		a.Word().SetState(state)
		a.Word().SetHurry(hurry)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		lockErr := b.Lock(ctx)
		switch {
		case lockErr == nil, errors.Is(lockErr, pshared.ErrOwnerDead), errors.Is(lockErr, pshared.ErrCorrupt), errors.Is(lockErr, pshared.ErrNotRecoverable):
		case errors.Is(lockErr, context.DeadlineExceeded):
			if owner := state &^ (pshared.Waiters | pshared.InconsistentOf); owner != a.Me() && owner != b.Me() {
				t.Errorf("state %#x is waited for", state)
			}
		default:
			t.Errorf("state %#x: %v", state, lockErr)
		}
		a.Word().SetState(0)
		a.Word().SetHurry(0)
		after, err := os.ReadFile(a.Path())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, after) {
			t.Errorf("state %#x: something else was written to", state)
		}
	})
}

// A lock is not taken for another thing.
func TestAnotherTypeOrSize(t *testing.T) {
	dir := shmtest.Dir(t)
	o := &pshared.Options{Dir: dir}
	type one struct{ A, B int64 }
	type two struct {
		A int64
		C int64
	}
	type three struct{ A, B, C int64 }
	s, err := pshared.Open[one]("x", o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := pshared.Open[two]("x", o); !errors.Is(err, pshared.ErrType) {
		t.Errorf("another name in it: %v", err)
	}
	if _, err := pshared.Open[three]("x", o); !errors.Is(err, pshared.ErrType) {
		t.Errorf("another size: %v", err)
	}
	m := openMutex(t, dir, "x") // kinds have names of their own
	lock(t, m)
	unlock(t, m)
	if err := os.Rename(m.Path(), dir+"/lock.y"); err != nil { // and what has moved is another's
		t.Fatal(err)
	}
	defer os.Remove(dir + "/lock.y")
	if err := os.Rename(dir+"/struct.x", dir+"/lock.z"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir + "/lock.z")
	if _, err := pshared.OpenMutex("z", o); !errors.Is(err, pshared.ErrType) {
		t.Errorf("a struct in a lock's place: %v", err)
	}
	if text := fmt.Sprint(err); text == "" {
		t.Error("no text")
	}
}
