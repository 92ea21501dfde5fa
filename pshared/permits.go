package pshared

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
)

// enter takes mu if it is free, nil if not. It is as unguarded
// as taking a free Mutex. Who closes the handle shuts it first and then looks who has mu:
// one of the two sees the other.
func (s *Semaphore) enter() *SemaphoreWord {
	w := s.word.Load()
	if w == nil || !w.mu.state.CompareAndSwap(0, s.me) {
		return nil
	}
	if s.word.Load() != w {
		s.mu.unlock()
		return nil
	}
	return w
}

// acquireAtOnce takes n permits if nobody is in the way.
func (s *Semaphore) acquireAtOnce(n int64) (ok bool) {
	if n < 1 || s.real.turn.state.Load() != 0 {
		return false
	}
	w := s.enter()
	if w == nil {
		return false
	}
	ok = s.plausible(w) && s.take(w, uint64(n))
	s.mu.unlock()
	return ok
}

// The following are for who has mu.

// plausible reports whether taken can be right.
func (s *Semaphore) plausible(w *SemaphoreWord) bool {
	taken := w.taken.Load()
	return taken <= s.capacity.Load() && s.entry.a.Load() <= taken
}

// take takes n permits if as many are free. taken is plausible.
func (s *Semaphore) take(w *SemaphoreWord, n uint64) bool {
	taken := w.taken.Load()
	if n > s.capacity.Load()-taken {
		return false
	}
	s.entry.a.Store(s.entry.a.Load() + n)
	point("acquire:entered")
	w.taken.Store(taken + n)
	point("acquire:taken")
	return true
}

// give gives n permits back if this member holds as many. ring: who waits may have enough
// now. taken is plausible.
func (s *Semaphore) give(w *SemaphoreWord, n uint64) (done, ring bool) {
	mine := s.entry.a.Load()
	if n > mine {
		return false, false
	}
	s.entry.a.Store(mine - n)
	point("release:entered")
	taken := w.taken.Load() - n
	w.taken.Store(taken)
	point("release:taken")
	return true, s.capacity.Load()-taken >= w.wanted.Load()
}

// lock takes mu, waiting for it, and puts right what there is to be put right.
func (s *Semaphore) lock(ctx context.Context) error {
	w := s.real
	for {
		told, err := s.mu.lock(ctx)
		if err != nil {
			return err
		}
		point("semaphore:locked")
		if s.word.Load() != nil {
			if !told && s.plausible(w) {
				return nil
			}
			return s.sumUp(told)
		}
		s.giveBack(told)
		if s.in.isClosed() { // which is decided while nobody of this member has mu
			return ErrClosed
		}
	}
}

// giveBack gives mu back as it was found.
func (s *Semaphore) giveBack(told bool) {
	if told {
		_ = s.mu.abandon(&s.real.mu) // if it fails the others find out themselves
		return
	}
	s.mu.unlock()
}

// sumUp makes taken what the entries say. If it cannot, mu is given back.
func (s *Semaphore) sumUp(told bool) error {
	sum, ok := s.sum()
	if !ok {
		s.giveBack(told)
		return ErrCorrupt
	}
	point("semaphore:summed")
	s.real.taken.Store(sum)
	point("semaphore:stored")
	if !told {
		return nil
	}
	return s.mu.repaired(&s.real.mu)
}

// sum adds the entries up, false if no member can have written them.
func (s *Semaphore) sum() (sum uint64, ok bool) {
	capacity := s.capacity.Load()
	for slot := range s.o.Highest() {
		a := s.entryOf(slot).a.Load()
		if sum += a; a > capacity || sum > capacity {
			return 0, false
		}
	}
	return sum, true
}

// free is how many permits are free, by the entries: exactly only for who has mu.
func (s *Semaphore) free() int64 {
	sum, ok := s.sum()
	if !ok {
		return 0
	}
	return int64(s.capacity.Load() - sum)
}

// The following are without mu, within run.

func (s *Semaphore) valid(n int64) error {
	if n < 1 || uint64(n) > s.capacity.Load() {
		return fmt.Errorf("%d permits of %d: %w", n, s.capacity.Load(), fs.ErrInvalid)
	}
	return nil
}

// lockAndTake takes mu, and n permits if they are free. taken may say more than it should, as
// nobody takes away from it what comes back from the dead: it is summed up before fewer are
// said to be free.
func (s *Semaphore) lockAndTake(ctx context.Context, n int64) (ok bool, err error) {
	if err := s.lock(ctx); err != nil || s.take(s.real, uint64(n)) {
		return err == nil, err
	}
	if err := s.sumUp(false); err != nil {
		return false, err
	}
	return s.take(s.real, uint64(n)), nil
}

// try takes n permits if they are free.
func (s *Semaphore) try(ctx context.Context, n int64) (ok bool, err error) {
	ok, err = s.lockAndTake(ctx, n)
	if err == nil {
		s.mu.unlock()
	}
	return ok, err
}

// takeTurn takes the turn.
func (s *Semaphore) takeTurn(ctx context.Context) error {
	told, err := s.turn.lock(ctx)
	if err != nil {
		return err
	}
	point("turn:taken")
	if told { // it guards nothing that could be half changed
		return s.turn.repaired(&s.real.turn)
	}
	return nil
}

// acquireSlow is Acquire when that could not be done at once.
func (s *Semaphore) acquireSlow(ctx context.Context, n int64) error {
	if err := s.valid(n); err != nil {
		return err
	}
	if s.real.turn.state.Load() == 0 {
		if ok, err := s.try(ctx, n); ok || err != nil {
			return err
		}
	}
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.turn.unlock()
	for spin := s.spin.Begin(); spin.More(); {
		if s.mayBeFree(uint64(n)) {
			if ok, err := s.try(ctx, n); ok || err != nil {
				spin.Hit()
				return err
			}
		}
	}
	return s.sleepForPermits(ctx, n)
}

// mayBeFree looks without mu.
func (s *Semaphore) mayBeFree(n uint64) bool {
	taken, capacity := s.real.taken.Load(), s.capacity.Load()
	return taken > capacity || capacity-taken >= n
}

// sleepForPermits takes n permits when they are free. The turn is this goroutine's.
func (s *Semaphore) sleepForPermits(ctx context.Context, n int64) error {
	w := s.real
	s.o.Waiting(1)
	defer s.o.Waiting(-1)
	s.in.sleeps(&s.core, 1)
	defer s.in.sleeps(&s.core, -1)
	s.front.Store(uint64(n))
	defer s.front.Store(0)
	for {
		ok, err := s.lockAndTake(ctx, n)
		if err != nil {
			return err
		}
		v := uint32(0)
		if !ok {
			w.wanted.Store(uint64(n))
			v = w.bell.mark()
		}
		point("acquire:marked")
		s.mu.unlock()
		if ok {
			return nil
		}
		if s.in.isClosed() {
			return ErrClosed
		}
		if err := futex.Wait(ctx, &w.bell.v, v, longest); err != nil {
			return err
		}
		point("acquire:woken")
	}
}

// tryPatience is how long a Try waits for who is in the middle of an operation.
const tryPatience = 2 * tick

// trySlow is TryAcquire when that could not be done at once.
func (s *Semaphore) trySlow(n int64) (ok bool, err error) {
	if err := s.valid(n); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryPatience)
	defer cancel()
	if turn := &s.real.turn; turn.state.Load() != 0 {
		// Whoever had it may be dead, or nobody waits any more.
		got, err := s.turn.take(turn, rude)
		if !got {
			return false, lostIsCorrupt(err)
		}
		defer s.turn.unlock()
		if err != nil {
			if err := s.turn.repaired(turn); err != nil {
				return false, err
			}
		}
	}
	ok, err = s.try(ctx, n)
	if !ok && err == nil {
		if !s.deadHolder(s.dead) {
			return false, nil
		}
		point("try:dead")
		_, err = s.o.Sweep()
		point("try:swept")
		if err != nil {
			return false, err
		}
		ok, err = s.try(ctx, n)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	return ok, err
}

func (s *Semaphore) releaseSlow(n int64) error {
	if n < 1 {
		return fmt.Errorf("%d permits: %w", n, fs.ErrInvalid)
	}
	if err := s.lock(context.Background()); err != nil {
		return err
	}
	done, ring := s.give(s.real, uint64(n))
	s.mu.unlock()
	point("release:unlocked")
	switch {
	case !done:
		return ErrNotHeld
	case ring:
		return s.real.bell.ring()
	}
	return nil
}

// deadHolder reports whether a member that holds permits is dead.
func (s *Semaphore) deadHolder(dead asker) bool {
	for slot := range s.o.Highest() {
		e := s.entryOf(slot)
		if e.a.Load() != 0 && slot != s.o.Slot() && dead(owner(slot, generationOf(uint32(e.b.Load())))) {
			return true
		}
	}
	return false
}

// returnPermits gives back what a dead member holds. The caller has the dead member's slot,
// and is perhaps no member: it has nothing to take mu with.
func returnPermits(o *object.Object, at *place, slot int) error {
	w, e := wordAt[SemaphoreWord](o.Body(), at.offset), entryAt(o.Part(slot), at.entry)
	if e.a.Swap(0) == 0 {
		return nil
	}
	point("return:given")
	return w.bell.ring() // if that is not come to, a waiter finds it at its tick
}

// seeSemaphore tells of a semaphore.
func seeSemaphore(s *sight, w *WordInfo) {
	capacity := s.u64(16)
	_, _, waiting := s.mutex(8)
	w.Waiters = waiting || s.u32(40)&bellWaiters != 0
	sum := uint64(0)
	for n := range s.i.Members {
		a, _ := s.part(n)
		if a == 0 {
			continue
		}
		if sum += a; a > capacity || sum > capacity {
			w.State = Corrupt
			return
		}
		w.Holders = append(w.Holders, Holder{Member: n, Count: int(a)})
	}
	w.State = fmt.Sprintf("%d of %d free", capacity-sum, capacity)
}
