package object

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

var ctx = context.Background()

// newDir is a directory in memory for objects of one test.
func newDir(t testing.TB) Dir {
	t.Helper()
	d := Dir{path: filepath.Join("/dev/shm", testenv.Name(t)), chosen: true}
	if err := os.Mkdir(d.path, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(d.path)
		for _, e := range entries {
			t.Errorf("left behind: %s", e.Name())
		}
		if err := errors.Join(err, os.RemoveAll(d.path)); err != nil {
			t.Error(err)
		}
	})
	return d
}

func small() Config { return Config{Kind: Struct, Type: "test", BodySize: 64, Members: 4, Stride: 128} }

func mustOpen(t testing.TB, d Dir, name string, c Config) *Object {
	t.Helper()
	o, err := OpenOrCreate(ctx, d, name, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOK(t, o) })
	return o
}

func closeOK(t testing.TB, o *Object) {
	t.Helper()
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func TestFirstMakesItAndLastRemovesIt(t *testing.T) {
	d := newDir(t)
	a := mustOpen(t, d, "x", small())
	b := mustOpen(t, d, "x", small())
	if a.slot == b.slot || a.id != b.id {
		t.Errorf("slots %d and %d, ids %x and %x", a.slot, b.slot, a.id, b.id)
	}
	a.Body()[0] = 7
	if b.Body()[0] != 7 {
		t.Error("they have different bodies")
	}
	if a.Dead(b.slot, b.gen) || b.Dead(a.slot, a.gen) {
		t.Error("the living are dead")
	}
	closeOK(t, a)
	if !b.Dead(a.slot, a.gen) {
		t.Error("who left is alive")
	}
	if _, err := Create(ctx, d, "x", small()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of what exists: %v", err)
	}
	closeOK(t, b)
	if _, err := Open(ctx, d, "x", small()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of what is gone: %v", err)
	}
}

func TestSlotsAreUsedAgainUnderAnotherGeneration(t *testing.T) {
	d := newDir(t)
	a := mustOpen(t, d, "x", small())
	for i := range 5 {
		b := mustOpen(t, d, "x", small())
		if b.slot != 1 || int(b.gen) != i+1 {
			t.Errorf("slot %d generation %d", b.slot, b.gen)
		}
		closeOK(t, b)
	}
	var all []*Object
	for range 3 {
		all = append(all, mustOpen(t, d, "x", small()))
	}
	for _, open := range []func(context.Context, Dir, string, Config) (*Object, error){Open, OpenOrCreate} {
		_, err := open(ctx, d, "x", small())
		if !errors.Is(err, ErrFull) || err.Error() != "open struct:x: object has no free member slot: 4 members are alive; make it with more, or close some" {
			t.Errorf("a fifth member: %v", err)
		}
	}
	for _, o := range all {
		closeOK(t, o)
	}
	closeOK(t, a)
}

// Two goroutines of one handle do not clean up one record at once, which the locks of the
// kernel would let them.
func TestOneGoroutineSweepsAtATime(t *testing.T) {
	d := newDir(t)
	c := small()
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	c.Recover = func(*Object, int) error {
		begun <- struct{}{}
		<-goOn
		return nil
	}
	o, dead := mustOpen(t, d, "x", c), mustOpen(t, d, "x", c)
	if err := dead.unmap(); err != nil { // as the kernel does for the dead
		t.Fatal(err)
	}
	dead.closed.Store(true)
	type swept struct {
		n   int
		err error
	}
	both := make(chan swept, 2)
	for range 2 {
		go func() {
			n, err := o.Sweep()
			both <- swept{n, err}
		}()
	}
	<-begun
	select {
	case <-begun:
		t.Error("both clean up one record at once")
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if a, b := <-both, <-both; a.n+b.n != 1 || a.err != nil || b.err != nil {
		t.Errorf("%v and %v", a, b)
	}
	closeOK(t, o)
}

// A dead member's record is recovered once, and then clean: by who sweeps, and by who needs
// the slot.
func TestADeadMembersRecordIsRecoveredAndClean(t *testing.T) {
	for _, by := range []string{"sweep", "join"} {
		t.Run(by, func(t *testing.T) {
			d := newDir(t)
			c, recovered := small(), 0
			c.Recover = func(o *Object, slot int) error {
				if o.Part(slot)[0] != 1 {
					t.Error("cleared before it was recovered")
				}
				o.Part(slot)[1] = 1
				recovered++
				return nil
			}
			o, dead := mustOpen(t, d, "x", c), mustOpen(t, d, "x", c)
			dead.Part(dead.slot)[0] = 1
			dead.Waiting(7)
			if err := dead.unmap(); err != nil { // as the kernel does for the dead
				t.Fatal(err)
			}
			dead.closed.Store(true)
			next := dead.gen + 1
			if by == "sweep" {
				if n, err := o.Sweep(); n != 1 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			} else {
				var last *Object
				for range c.Members - 1 { // free slots come first
					last = mustOpen(t, d, "x", c)
				}
				if last.slot != dead.slot || last.gen != dead.gen+2 {
					t.Errorf("slot %d, generation %d", last.slot, last.gen)
				}
				next = last.gen
			}
			r := o.record(dead.slot)
			if generation, _ := unpack(r.ident.Load()); generation != next || r.waiting.Load() != 0 || !zero(o.Part(dead.slot)) || recovered != 1 {
				t.Errorf("generation %d, %d wait, part %x, recovered %d times", generation, r.waiting.Load(), o.Part(dead.slot), recovered)
			}
			if o.Left(dead.slot, dead.gen) || !o.Dead(dead.slot, dead.gen) {
				t.Error("the dead have left")
			}
		})
	}
}

func TestTypesAndKindsAreTold(t *testing.T) {
	d := newDir(t)
	c := small()
	c.Fingerprint = 1
	mustOpen(t, d, "x", c)
	c.Fingerprint, c.Type = 2, "other"
	if _, err := Open(ctx, d, "x", c); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	i, err := Look(d, Struct, "x", nil)
	if err != nil || i.Err != nil || i.Living() != 1 || i.Type != "test" || i.Members[0].PID != os.Getpid() {
		t.Errorf("%+v, %v", i, err)
	}
	if err := Remove(d, Struct, "x"); !errors.Is(err, ErrInUse) {
		t.Errorf("Remove: %v", err)
	}
}

func TestPersistentObjectsStay(t *testing.T) {
	d := newDir(t)
	c := small()
	c.Persistent = true
	o := mustOpen(t, d, "a/b", c)
	o.Body()[1] = 9
	closeOK(t, o)
	o = mustOpen(t, d, "a/b", c)
	if o.Body()[1] != 9 {
		t.Error("it is another")
	}
	closeOK(t, o)
	all, err := List(d)
	if err != nil || len(all) != 1 || all[0].Name != "a/b" || !all[0].Persistent {
		t.Errorf("%+v, %v", all, err)
	}
	if err := Remove(d, Struct, "a/b"); err != nil {
		t.Error(err)
	}
}
