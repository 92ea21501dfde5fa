package pshared

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"runtime"
	"structs"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// SemaphoreWord is a Semaphore in shared memory: 48 bytes. In the zero value all permits
// are free, and how many there are the first says that makes a handle of it.
type SemaphoreWord struct {
	_        structs.HostLayout
	mu       MutexWord    // who changes what is below, or an entry, holds it
	turn     MutexWord    // who waits for permits holds it, and those who want to wait for it
	capacity words.Uint64 // permits there are; 0: not said yet
	taken    words.Uint64 // the sum of the entries, or more
	wanted   words.Uint64 // by who waited last; advice
	bell     bell         // rung when permits have become free
	_        uint32
}

// A member's entry: a is the permits that it holds, b its generation.

// Semaphore is a handle of a number of permits that processes share, as of
// golang.org/x/sync/semaphore. Permits belong to the handle that acquired them: whichever
// goroutine of the process may release them, and when the process dies, they come back.
// Its methods may be called by any number of goroutines at once.
type Semaphore struct {
	core
	real     *SemaphoreWord                // in shared memory; immutable
	word     atomic.Pointer[SemaphoreWord] // real, or nil once closed
	capacity atomic.Uint64                 // as it was agreed upon; the word's is not read again
	mu, turn *inner                        // of the word; immutable
	spin     futex.Spinner                 // for permits
	front    atomic.Uint64                 // what the one of this process wants that has the turn, 0 nobody
}

// inner is a mutex that is a part of something else. It is usable until those who use it have
// left: closing does not shut it, and holding it for a moment does not refuse a Close.
type inner struct{ Mutex }

func (m *inner) shut()      {}
func (m *inner) held() bool { return false }
func (m *inner) reopen()    {}

// newInner makes a handle of a mutex at the place of what it is a part of. handle.mu is held.
func (h *handle) newInner(at *place, w *MutexWord) *inner {
	m := &inner{Mutex{real: w}}
	m.init(h, at)
	m.word.Store(w)
	if !h.closing {
		h.list = append(h.list, m)
	}
	return m
}

// lock takes it, within run. told: whoever had it before died.
func (m *inner) lock(ctx context.Context) (told bool, err error) {
	if m.real.state.CompareAndSwap(0, m.me) {
		return false, nil
	}
	told, err = held(m.await(ctx, m.real))
	return told, lostIsCorrupt(err)
}

// lostIsCorrupt: what is always repaired before it is given back is never lost.
func lostIsCorrupt(err error) error {
	if errors.Is(err, ErrNotRecoverable) {
		return ErrCorrupt
	}
	return err
}

// unlock gives it back.
func (m *inner) unlock() {
	if m.real.state.CompareAndSwap(m.me, 0) {
		return
	}
	_ = m.guard(func() error { return m.unlockSlow(m.real) }) // if it fails the others find out themselves
}

// CapacityError says that a semaphore has another number of permits than was asked for. It
// is ErrType.
type CapacityError struct {
	Capacity int64 // permits that it has; 0: nobody has said yet
	Wanted   int64
}

func (e *CapacityError) Error() string {
	if e.Capacity == 0 {
		return "nobody has said yet how many permits it has; say a number above 0"
	}
	return fmt.Sprintf("it has %d permits, not %d; open it with as many, or with 0 for as many as it has", e.Capacity, e.Wanted)
}

// Is makes it ErrType, and if there is no number yet, fs.ErrInvalid.
func (e *CapacityError) Is(target error) bool {
	if e.Capacity == 0 {
		return target == fs.ErrInvalid
	}
	return target == ErrType
}

// OpenSemaphore opens the semaphore of a name, or makes it, with so many permits. All say
// the same number (*CapacityError), or 0, which takes what was said before. nil
// options are the zero Options. The names are those of counting semaphores as well: one is
// of either kind.
func OpenSemaphore(name string, permits int64, o *Options) (*Semaphore, error) {
	h, err := open(object.Semaphore, name, reflect.TypeFor[SemaphoreWord](), o, nil)
	if err != nil {
		return nil, err
	}
	s := obtain(h, 0, h.newSemaphore)
	if err := s.agree(permits); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return s, nil
}

// Semaphore returns a handle of a semaphore in the struct, as Mutex does of a lock, and says
// how many permits it has, as OpenSemaphore does.
func (s *Shared[T]) Semaphore(w *SemaphoreWord, permits int64) (*Semaphore, error) {
	sem := obtain(s.in, offsetIn(s.data, w), s.in.newSemaphore)
	if err := sem.agree(permits); err != nil {
		return nil, err
	}
	return sem, nil
}

func (h *handle) newSemaphore(at *place) *Semaphore {
	w := wordAt[SemaphoreWord](h.o.Body(), at.offset)
	s := &Semaphore{real: w, mu: h.newInner(at, &w.mu), turn: h.newInner(at, &w.turn)}
	s.init(h, at)
	if !h.closing {
		s.entry.b.Store(uint64(generationOf(s.me)))
		s.word.Store(w)
	}
	return s
}

// agree sees to it that the semaphore has so many permits.
func (s *Semaphore) agree(permits int64) error {
	return s.fail("open", s.run(func() error {
		if permits < 0 {
			return fmt.Errorf("%d permits: %w", permits, fs.ErrInvalid)
		}
		c := s.real.capacity.Load()
		if c == 0 && permits > 0 {
			point("semaphore:new")
			s.real.capacity.CompareAndSwap(0, uint64(permits))
			point("semaphore:agreed")
			c = s.real.capacity.Load()
		}
		switch {
		case c > math.MaxInt64:
			return ErrCorrupt
		case c == 0 || permits != 0 && c != uint64(permits):
			return &CapacityError{Capacity: int64(c), Wanted: permits}
		}
		s.capacity.Store(c)
		return nil
	}))
}

// Acquire takes n permits, waiting for them until ctx ends; its error is then the context's.
// If they are free ctx is not looked at. Nobody gets permits past one who waits. More
// permits than there are: fs.ErrInvalid. With any error none is taken.
func (s *Semaphore) Acquire(ctx context.Context, n int64) error {
	if s.acquireAtOnce(n) {
		race.Acquire(s.key)
		runtime.KeepAlive(s)
		return nil
	}
	err := s.fail("acquire", s.run(func() error { return s.acquireSlow(ctx, n) }))
	if err == nil {
		race.Acquire(s.key)
	}
	return err
}

// TryAcquire is Acquire that does not wait: ok is false if fewer than n permits are free, or
// others wait for some, or somebody is stopped in the middle of an operation.
func (s *Semaphore) TryAcquire(n int64) (ok bool, err error) {
	ok = s.acquireAtOnce(n)
	if !ok {
		err = s.fail("acquire", s.run(func() (err error) {
			ok, err = s.trySlow(n)
			return err
		}))
	}
	if ok {
		race.Acquire(s.key)
		runtime.KeepAlive(s)
	}
	return ok, err
}

// Release gives n permits back. ErrNotHeld: this handle does not hold as many, and none was
// given back. It waits for whoever is in the middle of an operation, which takes long only if
// that process is stopped.
func (s *Semaphore) Release(n int64) error {
	race.Release(s.key)
	if w := s.enter(); w != nil {
		done, ring := false, false
		if n > 0 && s.plausible(w) {
			done, ring = s.give(w, uint64(n))
		}
		s.mu.unlock()
		if ring {
			_ = s.guard(w.bell.ring) // if it fails, who waits finds out
		}
		if done {
			runtime.KeepAlive(s)
			return nil
		}
	}
	return s.fail("release", s.run(func() error { return s.releaseSlow(n) }))
}

// Permits returns how many permits there are, free or not.
func (s *Semaphore) Permits() int64 { return int64(s.capacity.Load()) }

// Available returns how many permits are free, at a moment that may be over. Those of a dead
// member are not, until somebody who wants them has found out.
func (s *Semaphore) Available() (n int64, err error) {
	err = s.run(func() error {
		n = s.free()
		return nil
	})
	return n, s.fail("look at", err)
}

// Held returns how many permits this handle holds.
func (s *Semaphore) Held() (n int64, err error) {
	err = s.run(func() error {
		n = int64(s.entry.a.Load())
		return nil
	})
	return n, s.fail("look at", err)
}

// shut, held, reopen, recall and look implement primitive.
func (s *Semaphore) shut() { s.word.Store(nil) }

// held waits for who is in the middle of an operation, which takes a moment; with a word that
// a peer has spoilt, it does not wait for ever.
func (s *Semaphore) held() bool {
	for begin := time.Now(); s.real.mu.state.Load()&ownerMask == s.me; runtime.Gosched() {
		if time.Since(begin) > longest {
			return true
		}
	}
	return s.entry.a.Load() != 0
}

func (s *Semaphore) reopen() { s.word.Store(s.real) }

func (s *Semaphore) recall() { _ = futex.Recall(&s.real.bell.v) } // if the memory is gone they find out themselves

func (s *Semaphore) look(dead asker) {
	front := s.front.Load()
	if front == 0 {
		return
	}
	if s.deadHolder(dead) {
		_, _ = s.o.Sweep() // if it fails, the next tick tries again
		point("look:swept")
	}
	if s.free() >= int64(front) {
		_ = s.real.bell.ring() // who sleeps finds out by itself
	}
}
