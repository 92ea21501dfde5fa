package futex

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/words"
)

// A Waiter is a place in the queue of a word, from Enter to Leave. It belongs to one
// goroutine.
type Waiter struct {
	word  *words.Uint32
	shard *shard

	// The place in the queue. Protected by shard.mu.
	queue      *queue
	prev, next *Waiter
	parked     bool // waits for a call, and will get one when it comes to the front

	recalled atomic.Bool // the Sleep it is in, or its next, returns at once

	// called holds the one call a waiter can be owed: that it is in front now, or that
	// the poller it was given to has done with it.
	called chan struct{}

	// What a poller sleeps for. Written before it is given to the poller, then
	// protected by poller.mu, and read again after the poller's call.
	v         uint32
	deadline  int64
	cancelled bool
	err       error
}

var waiters = sync.Pool{New: func() any { return &Waiter{called: make(chan struct{}, 1)} }}

// Enter takes a place at the end of this process's queue for the word, for those who
// wait to be the next, as for a lock. Only the one in front sleeps in the kernel;
// Leave calls the one behind. So all who enter the same word must wait for the same
// thing, or those behind one with a special wish would not see theirs come true: they
// want Wait.
//
// The word's memory stays mapped until Leave.
func Enter(word *words.Uint32) *Waiter { return enter(word, key{word: word, turns: true}) }

func enter(word *words.Uint32, k key) *Waiter {
	w := waiters.Get().(*Waiter)
	w.word, w.shard = word, shardOf(word)
	w.recalled.Store(false)
	w.shard.join(w, k)
	return w
}

// Leave gives the place up, and w with it. Whoever has got what it waited for leaves
// at once, because the next one is called only then.
func (w *Waiter) Leave() {
	w.shard.leave(w)
	w.word, w.shard = nil, nil
	waiters.Put(w)
}

// First reports whether w is the first of its queue, as it will be from then on until it
// leaves: for those who may only take in turn what they have slept for.
func (w *Waiter) First() bool {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return w.prev == nil
}

// Sleep sleeps while the word is v. nil means: look again. Somebody woke w, or the word
// isn't v, or the bound passed, or none of these. A front sleeps for at most bound,
// which must be positive. Those behind it have no bound of their own: they are called
// when they come to the front, and then sleep only if the word is still v.
//
// When the context ended, Sleep returns its error, at once, unless it has just used up
// a wake-up: then nil, because the waiter has to look first whether what it was woken
// for is there. An error of type *Error means that the kernel can't reach the word.
//
// Sleep itself doesn't touch the word: it can't fault.
func (w *Waiter) Sleep(ctx context.Context, v uint32, bound time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if address(w.word)%4 != 0 { // which a poller would not notice on every processor
		return &Error{Op: "sleep", Err: syscall.EINVAL}
	}
	front, recalled := w.inFront()
	if !front && !recalled {
		if err := w.await(ctx); err != nil {
			return err
		}
		_, recalled = w.inFront()
	}
	if recalled {
		return nil
	}
	bound = min(bound, longest)
	return w.sleep(ctx, v, now()+int64(bound), bound)
}

// longest is a bound that cannot overflow a deadline.
const longest = 1 << 61 * time.Nanosecond

// inFront reports whether w may sleep in the kernel, or was recalled. If neither, it is
// marked as parked.
func (w *Waiter) inFront() (front, recalled bool) {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	front, recalled = w.prev == nil, w.recalled.Swap(false)
	w.parked = !front && !recalled
	return front, recalled
}

// promote calls w, if it is parked, because it is in front now. If it is not, it will
// see so when it next goes to sleep. shard.mu is held.
func (w *Waiter) promote() {
	if w.parked {
		w.parked = false
		w.called <- struct{}{}
	}
}

// await parks until w is in front or the context ends.
func (w *Waiter) await(ctx context.Context) error {
	if ctx.Done() == nil {
		<-w.called
		return nil
	}
	select {
	case <-w.called:
		return nil
	case <-ctx.Done():
	}
	w.shard.mu.Lock()
	called := !w.parked
	w.parked = false
	w.shard.mu.Unlock()
	if called {
		// If it is in front now, Leave will call the next.
		<-w.called
	}
	return ctx.Err()
}

// sleep is the front's sleep in the kernel.
func (w *Waiter) sleep(ctx context.Context, v uint32, deadline int64, bound time.Duration) error {
	if s := takeSlot(ctx); s != nil {
		defer s.giveBack()
		return s.sleep(ctx, w.word, v, deadline)
	}
	return w.sleepBy(&overflow, ctx, v, onGrid(deadline, bound))
}
