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

// rwStates are words that no correct member writes, and some that a dead one leaves: what
// readers and writers make of them.
var rwStates = map[string]struct {
	state, gate uint32
	read, write error
}{
	"closed by nobody":                      {0, pshared.GateClosed, pshared.ErrCorrupt, pshared.ErrCorrupt},
	"the same, with sleepers":               {pshared.Waiters, pshared.GateClosed | pshared.ReadersSleep, pshared.ErrCorrupt, pshared.ErrCorrupt},
	"open, with sleepers":                   {0, pshared.ReadersSleep, nil, nil},
	"the last phase":                        {0, math.MaxUint32 &^ pshared.GateClosed, nil, nil},
	"a writer of a slot that was not taken": {ownerOf(5, 1), 0, nil, pshared.ErrCorrupt},
	"the same inside":                       {ownerOf(5, 1), pshared.GateClosed, pshared.ErrCorrupt, pshared.ErrCorrupt},
	"a writer of a slot there is not":       {ownerOf(1023, 1), pshared.GateClosed, pshared.ErrCorrupt, pshared.ErrCorrupt},
	"a writer of a generation to come":      {ownerOf(0, 2) | pshared.InconsistentOf, pshared.GateClosed, pshared.ErrCorrupt, pshared.ErrCorrupt},
	"lost, and open":                        {pshared.Lost, 0, nil, pshared.ErrNotRecoverable},
	"lost":                                  {pshared.Lost, math.MaxUint32, pshared.ErrNotRecoverable, pshared.ErrNotRecoverable},
	"abandoned":                             {pshared.InconsistentOf, pshared.GateClosed, pshared.ErrWriterDead, pshared.ErrOwnerDead},
	"abandoned, and open":                   {pshared.InconsistentOf | pshared.Waiters, 0, nil, nil},
	"a writer that left":                    {ownerOf(3, 1), pshared.GateClosed, pshared.ErrWriterDead, pshared.ErrCorrupt},
	"a writer that left, and open":          {ownerOf(3, 1) | pshared.Waiters, 0, nil, nil},
	"a writer that left in the last phase":  {ownerOf(3, 1), math.MaxUint32, pshared.ErrWriterDead, pshared.ErrCorrupt},
}

// threeAndOneThatLeft opens x three times; a fourth, slot 3, has left.
func threeAndOneThatLeft(t *testing.T, dir string) (a, b, c *pshared.RWMutex) {
	t.Helper()
	a, b, c = openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
	gone, err := pshared.OpenRWMutex("x", &pshared.Options{Dir: dir})
	must(t, errors.Join(err, gone.Close()))
	return a, b, c
}

func is(err, want error) bool {
	return want == nil && err == nil || want != nil && errors.Is(err, want)
}

func TestEveryStateOfAnRWMutexMayBeHostile(t *testing.T) {
	for name, c := range rwStates {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b, d := threeAndOneThatLeft(t, dir)
			a.Word().Set(c.state, c.gate, math.MaxUint32)
			for name, err := range map[string]error{
				"Unlock": a.Unlock(), "RUnlock": b.RUnlock(), "MakeConsistent": a.MakeConsistent(), "Abandon": b.Abandon(),
			} {
				wantErr(t, name, err, pshared.ErrNotHeld)
			}
			held, err := a.TryRLock()
			if held != (c.read == nil) || !is(err, c.read) {
				t.Errorf("TryRLock: %t, %v, want %v", held, err, c.read)
			}
			if held {
				must(t, a.RUnlock())
			}
			if err := b.RLock(limited(t)); !is(err, c.read) {
				t.Errorf("RLock: %v, want %v", err, c.read)
			} else if err == nil {
				must(t, b.RUnlock())
			}
			held, err = d.TryLock()
			if held != (c.write == nil || c.write == pshared.ErrOwnerDead) || !is(err, c.write) {
				t.Errorf("TryLock: %t, %v, want %v", held, err, c.write)
			}
			if held {
				must(t, errors.Join(d.MakeConsistent(), d.Unlock()))
			} else {
				if err := d.Lock(limited(t)); !is(err, c.write) {
					t.Errorf("Lock: %v, want %v", err, c.write)
				}
				must(t, d.Reset())
			}
			must(t, errors.Join(a.Lock(limited(t)), a.Unlock(), b.RLock(limited(t)), b.RUnlock()))
		})
	}
}

// Words that change under those who sleep, without a wake-up, are seen at the next look.
func TestRWStatesChangedUnderWaiters(t *testing.T) {
	for name, c := range rwStates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shmtest.Dir(t)
			a, b, d := threeAndOneThatLeft(t, dir)
			must(t, a.Lock(ctx))
			read := begin(func() error { return b.RLock(limited(t)) })
			allWait(t, dir, 1)
			shmtest.Eventually(t, "it sleeps", func() bool { return a.Word().Gate()&pshared.ReadersSleep != 0 })
			a.Word().Set(c.state, c.gate, 0)
			if err := <-read; !is(err, c.read) {
				t.Errorf("a reader that waited: %v, want %v", err, c.read)
			} else if err == nil {
				must(t, b.RUnlock())
			}
			wantErr(t, "Unlock", a.Unlock(), pshared.ErrNotHeld)

			// The same to writers: one that waits for readers to go, and one for that one.
			a.Word().Set(0, 0, 0)
			must(t, a.RLock(ctx))
			front := begin(func() error { return b.Lock(limited(t)) })
			shmtest.Eventually(t, "a writer waits for readers", func() bool { return a.Word().Bell()&1 != 0 && a.Word().Gate()&pshared.GateClosed != 0 })
			behind := begin(func() error { return d.Lock(limited(t)) })
			shmtest.Eventually(t, "another waits for it", func() bool { return a.Word().State()&pshared.Waiters != 0 })
			a.Word().Set(c.state, c.gate, 0)
			must(t, a.RUnlock())
			<-front // it believes that it is inside: whoever may write to the memory can do that
			_ = b.Unlock()
			_ = b.Reset()
			if err := <-behind; err != nil && !errors.Is(err, c.write) && !errors.Is(err, pshared.ErrOwnerDead) {
				t.Errorf("a writer that waited: %v", err)
			}
			_ = d.Unlock()
			a.Word().Set(0, 0, 0)
		})
	}
}

// An entry that no member writes keeps nobody out who is not its owner's peer, and is written
// to by nobody but where it says so.
func TestEveryEntryMayBeHostile(t *testing.T) {
	const all = math.MaxUint64
	for name, c := range map[string]struct {
		a, b   uint64 // of the victim's entry; its generation is 1
		read   error  // what comes of its own
		closed bool   // writers wait for it in vain: it says that it reads
	}{
		"many inside":                {1<<32 | math.MaxUint32>>1, 0, nil, true},
		"all inside":                 {1<<32 | math.MaxUint32, 0, pshared.ErrCorrupt, false}, // one more is another generation
		"of another generation":      {7<<32 | 5, 0, pshared.ErrCorrupt, false},
		"of an impossible one":       {math.MaxUint32<<32 | 5, 0, pshared.ErrCorrupt, false},
		"of none":                    {5, all, pshared.ErrCorrupt, false},
		"everybody waits":            {1 << 32, all, nil, false},
		"everything":                 {all, all, pshared.ErrCorrupt, false},
		"nothing, though it is open": {0, 0, pshared.ErrCorrupt, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			victim, other := openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
			a, b := victim.Entry()
			if a != 1<<32 || b != 0 {
				t.Fatalf("%#x %#x at the beginning", a, b)
			}
			victim.SetEntry(c.a, c.b)
			limit, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			switch err := other.Lock(limit); {
			case c.closed:
				wantErr(t, "Lock", err, context.DeadlineExceeded)
			case name == "all inside":
				wantErr(t, "Lock", err, context.DeadlineExceeded)
				victim.SetEntry(c.a, c.b)
			default:
				must(t, err)
				must(t, other.Unlock())
			}
			victim.SetEntry(c.a, c.b)
			err := victim.RLock(limited(t))
			if name == "all inside" { // one got in, and took the entry with it
				must(t, err)
				err = victim.RLock(limited(t))
			}
			if !is(err, c.read) {
				t.Errorf("RLock: %v, want %v", err, c.read)
			} else if err == nil {
				must(t, victim.RUnlock())
			}
			held, err := victim.TryRLock()
			if !is(err, c.read) || held != (err == nil) {
				t.Errorf("TryRLock: %t, %v, want %v", held, err, c.read)
			}
			must(t, errors.Join(other.RLock(ctx), other.RUnlock()))
			victim.SetEntry(a, b)
			must(t, errors.Join(victim.RLock(ctx), victim.RUnlock(), other.Lock(ctx), other.Unlock()))
		})
	}
}

// FuzzRWMutexWords tries any words and entry. Nothing but these may be written to, and every
// outcome has a name.
func FuzzRWMutexWords(f *testing.F) {
	for _, c := range rwStates {
		f.Add(c.state, c.gate, uint32(1), uint64(1<<32), uint64(0))
	}
	f.Add(uint32(1), uint32(1), uint32(0), uint64(1<<32|1), uint64(1<<32|1))
	f.Add(uint32(0), uint32(0), uint32(math.MaxUint32), uint64(math.MaxUint64), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, state, gate, bell uint32, ea, eb uint64) {
		dir := shmtest.Dir(t)
		a, b := openRWMutex(t, dir, "x"), openRWMutex(t, dir, "x")
		before, err := os.ReadFile(a.Path())
		must(t, err)
		ca, cb := a.Entry()
		a.Word().Set(state, gate, bell)
		a.SetEntry(ea, eb)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		for name, f := range map[string]func() error{
			"RLock": func() error { return b.RLock(ctx) }, "RUnlock": b.RUnlock,
			"own RLock": func() error { return a.RLock(ctx) }, "own RUnlock": a.RUnlock,
			"Lock": func() error { return b.Lock(ctx) }, "MakeConsistent": b.MakeConsistent, "Abandon": b.Abandon, "Unlock": b.Unlock, "Reset": b.Reset,
			"TryRLock": func() error { _, err := b.TryRLock(); return err }, "TryLock": func() error { _, err := b.TryLock(); return err },
		} {
			err := f()
			known := err == nil
			for _, want := range []error{pshared.ErrOwnerDead, pshared.ErrCorrupt, pshared.ErrNotRecoverable, pshared.ErrNotHeld, context.DeadlineExceeded} {
				known = known || errors.Is(err, want)
			}
			if !known {
				t.Errorf("%s of %#x %#x %#x %#x %#x: %v", name, state, gate, bell, ea, eb, err)
			}
		}
		a.Word().Set(0, 0, 0)
		a.SetEntry(ca, cb)
		b.SetEntry(ca, cb) // the generations of slots that were taken once
		for range 3 {      // what is held by now
			_ = b.Unlock()
		}
		a.Word().Set(0, 0, 0)
		after, err := os.ReadFile(a.Path())
		must(t, err)
		if !bytes.Equal(before, after) {
			t.Errorf("%#x %#x %#x %#x %#x: something else was written to: %s", state, gate, bell, ea, eb, different(before, after))
		}
	})
}

func different(a, b []byte) string {
	for i := range a {
		if a[i] != b[i] {
			return fmt.Sprintf("from %d on", i)
		}
	}
	return "nothing"
}

// A mutex is not taken for a readers/writers lock. (The other way round: writingside_test.go.)
func TestAMutexIsNoRWMutex(t *testing.T) {
	dir := shmtest.Dir(t)
	o := &pshared.Options{Dir: dir}
	openMutex(t, dir, "m")
	_, err := pshared.OpenRWMutex("m", o)
	wantErr(t, "a mutex", err, pshared.ErrType)
}
