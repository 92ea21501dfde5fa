package pshared

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"structs"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// OnceWord is a Once in shared memory: 16 bytes. The zero value is one that nobody has
// done.
type OnceWord struct {
	_       structs.HostLayout
	running MutexWord
	done    words.Uint32
	_       uint32
}

// Once is a handle of something that is to be done once, by whichever process comes first.
// Its methods may be called by any number of goroutines at once.
type Once struct {
	word *OnceWord // immutable, like running
	core
	running *Mutex
}

// OpenOnce opens the once of a name, or makes it, as OpenMutex does. It goes with the last
// handle unless it is persistent, and what comes under the name then is to be done anew.
func OpenOnce(name string, o *Options) (*Once, error) {
	h, err := open(object.Once, name, reflect.TypeFor[OnceWord](), o, nil)
	if err != nil {
		return nil, err
	}
	return obtain(h, 0, h.newOnce), nil
}

// Once returns a handle of a once in the struct, as Mutex does.
func (s *Shared[T]) Once(w *OnceWord) *Once {
	return obtain(s.in, offsetIn(s.data, w), s.in.newOnce)
}

func (h *handle) newOnce(at *place) *Once {
	w := wordAt[OnceWord](h.o.Body(), at.offset)
	o := &Once{word: w, running: &Mutex{real: &w.running}}
	o.init(h, at)
	o.running.init(h, at)
	if h.closing {
		o.running.shut()
		return o
	}
	o.running.reopen()
	h.list = append(h.list, o.running)
	return o
}

// doneKey is what the end of the function is known to the race detector by.
func (o *Once) doneKey() race.Key {
	return race.KeyOf(o.in.device, o.in.inode, o.o.BodyOffset()+o.at.offset+8)
}

// Do returns nil when a function was run to its end: f, if this call is the first, or
// that of whoever was before. While another runs its own, in whatever process, Do waits
// until ctx ends; its error is then the context's. Once it is done ctx is not looked at.
//
// If f returns an error or panics, that is for this call alone, and it is not done: the next
// one runs its function. If the process is killed in f, another one runs its function from
// the beginning, so it must be right to begin again after a part of it. While f runs the
// handle is not closed (ErrHeld), and a Do of the same once in it waits for ever.
func (o *Once) Do(ctx context.Context, f func() error) error {
	if o.word.done.Load() == onceDone && o.running.word.Load() == o.running.real {
		race.Acquire(o.doneKey())
		runtime.KeepAlive(o)
		return nil
	}
	told, err := held(o.running.Lock(ctx))
	if err != nil {
		return o.fail("do", cause(err))
	}
	return o.do(told, f)
}

// TryDo is Do that does not wait: false if another is running its function.
func (o *Once) TryDo(f func() error) (done bool, err error) {
	if is, err := o.Done(); is || err != nil {
		return is, err
	}
	ok, err := o.running.TryLock()
	told, err := held(err)
	if err != nil || !ok {
		return false, o.fail("do", cause(err))
	}
	err = o.do(told, f)
	return err == nil, err
}

// Done reports whether a function was run to its end.
func (o *Once) Done() (bool, error) {
	if o.running.word.Load() != o.running.real {
		return false, o.fail("look at", ErrClosed)
	}
	v := o.word.done.Load()
	runtime.KeepAlive(o)
	switch v {
	case 0:
		return false, nil
	case onceDone:
		race.Acquire(o.doneKey())
		return true, nil
	}
	return false, o.fail("look at", ErrCorrupt)
}

const onceDone = 1

// do runs f if that is still to be done, and gives the mutex back, which this member holds.
// So the handle cannot be closed meanwhile.
func (o *Once) do(told bool, f func() error) (err error) {
	point("once:mine")
	returned := false
	defer func() {
		e := o.leave(told)
		if returned && e != nil { // else a panic goes on, or f's own error is the caller's
			err = errors.Join(err, e)
		}
	}()
	v := uint32(0)
	if err := o.guard(func() error { v = o.word.done.Load(); return nil }); err != nil {
		returned = true
		return o.fail("do", err)
	}
	switch v {
	case 0:
		err = f()
		point("once:ran")
		if err == nil {
			race.Release(o.doneKey())
			err = o.fail("do", o.guard(func() error { o.word.done.Store(onceDone); return nil }))
			point("once:done")
		}
	case onceDone:
		race.Acquire(o.doneKey())
	default:
		err = o.fail("do", ErrCorrupt)
	}
	returned = true
	return err
}

// leave gives the mutex back. What a dead owner left in it is in order: done says all.
func (o *Once) leave(told bool) (err error) {
	if told {
		err = o.running.MakeConsistent()
		point("once:consistent")
	}
	race.Release(o.key)
	return errors.Join(err, o.fail("do", o.guard(func() error { return o.running.unlockSlow(o.running.real) })))
}

// Reset makes a once that is corrupt one that nobody has done. Any other is left alone.
// ErrNotHeld: somebody runs a function, or was killed in it.
func (o *Once) Reset() error {
	return o.fail("reset", o.run(func() error {
		if err := o.running.Reset(); err != nil {
			return err
		}
		if v := o.word.done.Load(); v > onceDone && o.word.done.CompareAndSwap(v, 0) {
			point("once:reset")
		}
		return nil
	}))
}

// shut, held, reopen, recall and look implement primitive. The mutex is another one, and
// nobody sleeps but for it.
func (o *Once) shut() {}

func (o *Once) held() bool { return false }

func (o *Once) reopen() {}

func (o *Once) recall() {}

func (o *Once) look(asker) {}

// seeOnce tells of a once; who runs its function holds it.
func seeOnce(s *sight, w *WordInfo) {
	var state string
	state, w.Holders, w.Waiters = s.mutex(0)
	switch done := s.u32(8); {
	case done > onceDone:
		w.State = Corrupt
	case done == onceDone:
		w.State = "done"
	case state == Held || state == Inconsistent:
		w.State = "running"
	case state == Unlocked || state == OwnerDead:
		w.State = "not done"
	default:
		w.State = state
	}
}
