package pshared_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// briefly is a context that a hostile word may run out.
func briefly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 500*time.Millisecond)
}

// named requires an outcome that has a name.
func named(t *testing.T, what string, err error) {
	t.Helper()
	for _, known := range []error{pshared.ErrCorrupt, pshared.ErrNotHeld, pshared.ErrTokensLost, pshared.ErrTooManyTokens, os.ErrInvalid, context.DeadlineExceeded} {
		if err == nil || errors.Is(err, known) {
			return
		}
	}
	t.Errorf("%s: %v", what, err)
}

// Words and entries that no correct member writes: what comes of them has a name.
func TestASemaphoresWordsMayBeHostile(t *testing.T) {
	const all, none = math.MaxUint64, math.MaxUint32
	for name, c := range map[string]struct {
		mu, turn       uint32
		taken, wanted  uint64
		bell           uint32
		entry, acquire uint64 // of a third member; what is acquired
		want           error
	}{
		"mu lost":                   {mu: pshared.Lost, acquire: 1, want: pshared.ErrCorrupt},
		"mu of a slot there is not": {mu: ownerOf(1023, 1), acquire: 1, want: pshared.ErrCorrupt},
		"mu with waiters":           {mu: pshared.Waiters, acquire: 1},
		"mu abandoned":              {mu: pshared.InconsistentOf, acquire: 1},
		"mu of one who left":        {mu: ownerOf(3, 1), acquire: 3},
		"turn lost":                 {turn: pshared.Lost, acquire: 1, want: pshared.ErrCorrupt},
		"turn abandoned":            {turn: pshared.InconsistentOf, acquire: 1},
		"turn with waiters":         {turn: pshared.Waiters, acquire: 1},
		"turn of one who left":      {turn: ownerOf(3, 1), acquire: 3},
		"too many taken":            {taken: all, acquire: 3},
		"all taken":                 {taken: 3, acquire: 3},
		"too many wanted":           {wanted: all, bell: none, acquire: 2},
		"one holds too many":        {entry: 4, taken: 3, acquire: 1, want: pshared.ErrCorrupt},
		"one holds all there can":   {entry: all, taken: 3, acquire: 1, want: pshared.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b, d := openSemaphore(t, dir, 3), openSemaphore(t, dir, 3), openSemaphore(t, dir, 3)
			gone, err := pshared.OpenSemaphore("s", 3, &pshared.Options{Dir: dir})
			must(t, err)
			must(t, gone.Close())
			a.Set(c.mu, c.turn, c.taken, c.wanted, c.bell)
			d.SetEntry(c.entry, 1)
			if _, err := pshared.Look("semaphore", "s", dir); err != nil {
				t.Error(err)
			}
			ctx, cancel := briefly()
			defer cancel()
			err = b.Acquire(ctx, int64(c.acquire))
			if !is(err, c.want) {
				t.Errorf("Acquire: %v, want %v", err, c.want)
			}
			if err == nil {
				release(t, b, int64(c.acquire))
			}
			ok, err := a.TryAcquire(1)
			if ok != (c.want == nil) || !is(err, c.want) {
				t.Errorf("TryAcquire: %t, %v, want %v", ok, err, c.want)
			}
			if ok {
				release(t, a, 1)
			}
			named(t, "Release", a.Release(1))
			a.Set(0, 0, 0, 0, 0)
			d.SetEntry(0, 1)
			acquire(t, a, 3)
			release(t, a, 3)
		})
	}
}

// A capacity that changes under those who know it is not read again.
func TestTheCapacityIsReadOnce(t *testing.T) {
	dir := shmtest.Dir(t)
	a := openSemaphore(t, dir, 3)
	a.SetCapacity(math.MaxUint64)
	acquire(t, a, 3)
	wantTry(t, a, 1, false)
	if _, err := pshared.OpenSemaphore("s", 3, &pshared.Options{Dir: dir}); !errors.Is(err, pshared.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	release(t, a, 3)
}

// FuzzSemaphoreWords tries any words and entry. Nothing but the words and entries may be written
// to, and every outcome has a name.
func FuzzSemaphoreWords(f *testing.F) {
	f.Add(uint32(0), uint32(0), uint64(0), uint64(0), uint32(0), uint64(0), uint64(1))
	f.Add(uint32(math.MaxUint32), uint32(1), uint64(math.MaxUint64), uint64(1), uint32(1), uint64(math.MaxUint64), uint64(0))
	f.Add(uint32(1<<20|1), uint32(1<<31), uint64(3), uint64(3), uint32(7), uint64(2), uint64(7))
	f.Fuzz(func(t *testing.T, mu, turn uint32, taken, wanted uint64, bell uint32, entry, generation uint64) {
		dir := shmtest.Dir(t)
		a, b := openSemaphore(t, dir, 3), openSemaphore(t, dir, 3)
		path := dir + "/semaphore.s"
		before, err := os.ReadFile(path)
		must(t, err)
		a.Set(mu, turn, taken, wanted, bell)
		a.SetEntry(entry, generation)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		named(t, "Acquire", b.Acquire(ctx, 2))
		_, err = b.TryAcquire(1)
		named(t, "TryAcquire", err)
		// If one who lives has mu, as it seems, Release waits for that one.
		if owner := mu &^ (pshared.Waiters | pshared.InconsistentOf); owner != ownerOf(0, 1) && owner != ownerOf(1, 1) {
			named(t, "Release", b.Release(1))
		}
		a.Set(0, 0, 0, 0, 0)
		a.SetEntry(0, 1)
		b.SetEntry(0, 1)
		after, err := os.ReadFile(path)
		must(t, err)
		if a, b := clearHurry(before), clearHurry(after); !bytes.Equal(a, b) {
			t.Error("something else was written to")
		}
	})
}

// clearHurry clears what is advice: who waited for long.
func clearHurry(object []byte) []byte {
	body := len(object) - os.Getpagesize()
	clear(object[body+4 : body+8])
	clear(object[body+12 : body+16])
	return object
}

func TestACountingSemaphoresWordsMayBeHostile(t *testing.T) {
	const mine = uint64(1) << 44 // generation 1
	for name, c := range map[string]struct {
		state uint32
		lost  uint64
		entry uint64
		want  error
	}{
		"one token":                  {1, 0, mine, nil},
		"marked for nobody":          {1<<31 | 1, 0, mine, nil},
		"lost":                       {0, 7, mine, pshared.ErrTokensLost},
		"lost, and a token":          {1, 7, mine, pshared.ErrTokensLost},
		"a tag without tokens":       {1, 1 << 48, mine, nil},
		"a tag of no slot":           {1, 0xffff << 48, mine, nil},
		"everything lost":            {0, math.MaxUint64, mine, pshared.ErrTokensLost},
		"an entry of no generation":  {1, 0, 0, pshared.ErrCorrupt},
		"an entry of another":        {1, 0, 7 << 44, pshared.ErrCorrupt},
		"an entry that is shut":      {1, 0, mine | 1<<43, pshared.ErrCorrupt},
		"an entry that is very busy": {1, 0, mine | 1023<<33, pshared.ErrCorrupt},
		"an account that is full":    {1, 0, mine | 1<<33 - 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b := mustOpenPool(t, dir, 1), mustOpenPool(t, dir, 2)
			entry := a.count.Entry()
			if entry != mine {
				t.Fatalf("%#x at the beginning", entry)
			}
			a.count.Set(c.state, c.lost)
			a.count.SetEntry(c.entry)
			if _, err := pshared.Look("struct", "pool", dir); err != nil {
				t.Error(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := a.count.Wait(ctx); !is(err, c.want) {
				t.Errorf("Wait: %v, want %v", err, c.want)
			}
			named(t, "Post", a.count.Post(1))
			named(t, "Settle", a.count.Settle(1))
			a.count.SetEntry(entry)
			a.count.Set(1, 0)
			must(t, errors.Join(b.count.Wait(ctx), b.count.Post(1), a.count.Wait(ctx)))
		})
	}
}

// FuzzCountingWords tries any words and entry. Every outcome has a name.
func FuzzCountingWords(f *testing.F) {
	f.Add(uint32(0), uint64(0), uint64(1<<44))
	f.Add(uint32(math.MaxUint32), uint64(math.MaxUint64), uint64(math.MaxUint64))
	f.Add(uint32(1<<31), uint64(2<<48|5), uint64(1<<44|5))
	f.Fuzz(func(t *testing.T, state uint32, lost, entry uint64) {
		dir := shmtest.Dir(t)
		a, b := mustOpenPool(t, dir, 1), mustOpenPool(t, dir, 2)
		a.count.Set(state, lost)
		a.count.SetEntry(entry)
		for _, c := range []*bather{b, a} {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			named(t, "Wait", c.count.Wait(ctx))
			cancel()
			_, err := c.count.TryWait()
			named(t, "TryWait", err)
			named(t, "Post", c.count.Post(1))
		}
		a.count.SetEntry(1 << 44)
	})
}

// What an outsider is told.
func TestLookAtSemaphores(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 1)
	must(t, a.count.Post(3))
	must(t, a.count.Wait(ctx))
	acquire(t, a.sem, 1)
	p := aPoolHolder(t, dir, 2, 1)
	check := func(tokens string) {
		t.Helper()
		i, err := pshared.Look("struct", "pool", dir)
		must(t, err)
		if len(i.Words) != 2 {
			t.Fatalf("%+v", i.Words)
		}
		sem, count := i.Words[0], i.Words[1]
		if sem.Kind != "semaphore" || sem.State != "0 of 3 free" || len(sem.Holders) != 2 || sem.Holders[0].Count != 1 || sem.Holders[1].Count != 2 {
			t.Errorf("%+v", sem)
		}
		if count.Kind != "counting semaphore" || count.State != tokens || len(count.Holders) != 2 || count.Holders[1].Count != 1 {
			t.Errorf("%+v", count)
		}
	}
	check("1 tokens")
	p.Kill()
	check("1 tokens, 1 may be lost")
	release(t, a.sem, 1)
	openSemaphore(t, dir, 4)
	if names, err := pshared.Names("semaphore", dir); err != nil || len(names) != 1 || names[0] != "s" {
		t.Errorf("%v, %v", names, err)
	}
}
