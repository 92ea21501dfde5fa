package queue_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// hostile makes a queue of four with two items ready, one claimed, one dead letter and one loan.
func hostile(t testing.TB, dir string) *queue.Queue[job] {
	t.Helper()
	t.Cleanup(func() { // with what is in it
		if err := queue.Remove("jobs", dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	q := mustOpen(t, dir, queue.Options{Capacity: 5, Deliveries: 1, DeadLetters: 2})
	for n := range int64(4) {
		mustPush(t, q, n)
	}
	it := mustPop(t, q, 0, 1)
	must(t, it.Retry())
	return q
}

// exercise does what can be done, and says what came of it. Nothing may hang or panic.
func exercise(t testing.TB, q *queue.Queue[job]) (errs []error) {
	t.Helper()
	add := func(err error) {
		if err == nil || err == queue.ErrEmpty || err == queue.ErrFull {
			return
		}
		if !errors.Is(err, queue.ErrCorrupt) && !errors.Is(err, queue.ErrNotHeld) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an error of another kind: %v", err)
		}
		errs = append(errs, err)
	}
	for range 3 {
		it, err := q.TryPop()
		if add(err); err == nil {
			add(it.Retry())
		}
		add(q.TryPush(&job{N: 9}))
		it, err = q.TryPop()
		if add(err); err == nil {
			add(it.Done())
		}
		it, err = q.PopDead()
		if add(err); err == nil {
			add(it.Keep())
		}
		_, err = q.Stat()
		add(err)
	}
	c, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	it, err := q.Pop(c)
	if add(err); err == nil {
		add(it.Done())
	}
	return errs
}

// heal puts a new queue's bytes in the place of spoilt ones, so that it can be closed.
func heal(q *queue.Queue[job], image []byte) { copy(q.Body(), image) }

// Each word of the body gets values that no member writes there, or that one does elsewhere.
func TestHostileWords(t *testing.T) {
	dir := shmtest.Dir(t)
	q := hostile(t, dir)
	image := append([]byte(nil), q.Body()...)
	interesting := func(was uint32) []uint32 {
		return []uint32{0, 1, was + 1, was - 1, 5, 7, 8, 1 << 20, 1 << 31, 1<<32 - 1}
	}
	corrupt := 0
	// Not the mutex's two words: they are pshared's, and its own tests do this to them.
	for at := 8; at < queue.WordsSize+3*int(q.Stride()); at += 4 {
		if in := (at - queue.WordsSize) % int(q.Stride()); at >= queue.WordsSize && in >= 24 {
			continue // padding, and the payload
		}
		for _, v := range interesting(binary.NativeEndian.Uint32(image[at:])) {
			heal(q, image)
			binary.NativeEndian.PutUint32(q.Body()[at:], v)
			if len(exercise(t, q)) > 0 {
				corrupt++
			}
		}
	}
	if corrupt == 0 {
		t.Error("nothing was found corrupt")
	}
	t.Logf("found corrupt: %d", corrupt)
	heal(q, image)
}

// All of the body is noise, but for the mutex.
func TestNoise(t *testing.T) {
	dir := shmtest.Dir(t)
	q := hostile(t, dir)
	image := append([]byte(nil), q.Body()...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		heal(q, image)
		for range 1 + rng.IntN(40) {
			at := 8 + 4*rng.IntN((len(image)-8)/4)
			v := rng.Uint32()
			if rng.IntN(2) == 0 {
				v %= 10
			}
			binary.NativeEndian.PutUint32(q.Body()[at:], v)
		}
		exercise(t, q)
	}
	heal(q, image)
}

// Lists and counts that are spoilt are made anew, and nothing is lost.
func TestSpoiltListsAreMadeAnew(t *testing.T) {
	dir := shmtest.Dir(t)
	q := hostile(t, dir)
	image := append([]byte(nil), q.Body()...)
	for _, at := range []int{12, 16, 20} { // free, ready, readyLast
		for _, v := range []uint32{6, 8, 1 << 20, 1<<32 - 1} {
			heal(q, image)
			binary.NativeEndian.PutUint32(q.Body()[at:], v)
			mustPush(t, q, 4)
			for n := range int64(4) {
				it := mustPop(t, q, n+1, 1)
				must(t, it.Done())
			}
		}
	}
	empty(t, q)
}

func TestStatesThatNobodyWritesAreCorrupt(t *testing.T) {
	dir := shmtest.Dir(t)
	q := hostile(t, dir)
	image := append([]byte(nil), q.Body()...)
	for name, v := range map[string]uint64{
		"state 6": queue.Pack(6, 0, 0), "state 7": queue.Pack(7, 0, 0), "free with a count": queue.Pack(0, 1, 0),
		"ready with an owner": queue.Pack(2, 0, q.Me()), "claimed by nobody": queue.Pack(3, 1, 0), "claimed by who never was": queue.Pack(3, 1, 77),
		"a later generation": queue.Pack(3, 1, q.Me()+1), "written for the second time": queue.Pack(1, 1, q.Me()),
	} {
		heal(q, image)
		q.State(1).Store(v) // of a ready cell
		var errs []error
		for range 3 {
			it, err := q.TryPop()
			if err == nil {
				err = it.Done()
			}
			errs = append(errs, err)
		}
		if !errors.Is(errors.Join(errs...), queue.ErrCorrupt) {
			t.Errorf("%s: %v", name, errs)
		}
	}
	heal(q, image)
}

// What another kind of object, or settings that nobody wrote, say is not believed.
func TestHostileSettings(t *testing.T) {
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 2})
	f, err := os.OpenFile(q.Path(), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	const settings = 128
	for word := range int64(4) {
		var was [8]byte
		_, err := f.ReadAt(was[:], settings+8*word)
		must(t, err)
		for _, v := range []uint64{0, 1 << 20, 1 << 30, 1 << 63} {
			_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, v), settings+8*word)
			must(t, err)
			other, err := queue.Open[job]("jobs", &queue.Options{Dir: dir})
			if err == nil { // some are as good as others
				if word < 2 {
					t.Errorf("setting %d is %d, and opened", word, v)
				}
				must(t, other.Close())
			} else if !errors.Is(err, queue.ErrCorrupt) {
				t.Errorf("setting %d is %d: %v", word, v, err)
			}
		}
		_, err = f.WriteAt(was[:], settings+8*word)
		must(t, err)
	}
}

// A peer cuts the file off: who works on it, or sleeps, gets a fault.
func TestTruncation(t *testing.T) {
	if race.Enabled {
		t.Skip("with -race a fault in an atomic access ends the program")
	}
	dir := shmtest.Dir(t)
	q, err := queue.Open[job]("jobs", &queue.Options{Dir: dir})
	must(t, err)
	mustPush(t, q, 1)
	held := mustPop(t, q, 1, 1)
	sleeper := begin(func() error { _, err := q.Pop(ctx); return err })
	asleep(t, dir, 1, nil)
	path := q.Path()
	must(t, os.Truncate(path, 4096))
	var fault *shmkit.FaultError
	for n, f := range []func() error{
		func() error { _, err := q.TryPop(); return err },
		func() error { return q.TryPush(&job{}) },
		func() error { _, err := q.Stat(); return err },
		func() error { return <-sleeper },
		held.Done,
	} {
		if err := f(); !errors.As(err, &fault) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if err := q.Close(); err != nil && !errors.As(err, &fault) { // what was held is gone with the memory
		t.Error(err)
	}
	_ = os.Remove(path)
}

// The cells are cut off and the words are not: the mutex is not left held.
func TestTruncationOfCells(t *testing.T) {
	if race.Enabled {
		t.Skip("with -race a fault in an atomic access ends the program")
	}
	dir := shmtest.Dir(t)
	q, err := queue.OpenBytes("big", &queue.Options{Dir: dir, Capacity: 4, MaxItem: 1 << 16})
	must(t, err)
	path := q.Path()
	for range 2 {
		must(t, q.Push(ctx, []byte("x")))
	}
	i, err := object.Look(object.ChooseDir(dir), object.Queue, "big", nil)
	must(t, errors.Join(err, i.Err))
	must(t, os.Truncate(path, i.Size-i.BodySize/4096*4096+4096))
	for n := range 5 {
		var fault *shmkit.FaultError
		if err := q.Push(ctx, []byte(fmt.Sprint(n))); !errors.As(err, &fault) {
			t.Errorf("push %d: %v", n, err)
		}
	}
	_ = q.Close()
	_ = os.Remove(path)
}
