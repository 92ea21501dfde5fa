package futex

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
)

// pollerFronts is how many fronts one poller sleeps for: as many words as the kernel
// takes, but for the poller's own.
const pollerFronts = sys.FutexWaitvMax - 1

// A poller is a goroutine that sleeps in the kernel, all in one call, for fronts that
// found no slot. A front it was given is its own until it calls it, even one whose
// context ends: so no address is looked at after Sleep has returned, and a wake-up it
// has used up is never lost.
type poller struct {
	pool *pool
	room int // how many more fronts it takes. Protected by pool.mu

	// control brings the poller back from the kernel when it counts up.
	control atomic.Uint32

	mu     sync.Mutex
	fronts []*Waiter // protected by mu. Others append, only the poller takes out
	awake  bool      // protected by mu: it will look at fronts before it sleeps

	// The poller's own. list[0] is control and list[i+1] is fronts[i].
	list [sys.FutexWaitvMax]sys.FutexWaiter
}

// errCancelled is what a poller tells a front whose context ended, and that was not
// woken.
var errCancelled = errors.New("cancelled")

// give makes the poller sleep for w. Room was taken in the pool before.
func (p *poller) give(w *Waiter) {
	p.mu.Lock()
	p.fronts = append(p.fronts, w)
	call := !p.awake
	p.awake = true
	p.mu.Unlock()
	p.recall(call)
}

// cancel asks the poller to call w back.
func (p *poller) cancel(w *Waiter) {
	p.mu.Lock()
	w.cancelled = true
	call := !p.awake
	p.awake = true
	p.mu.Unlock()
	p.recall(call)
}

func (p *poller) recall(call bool) {
	if call {
		p.control.Add(1)
		_, _ = sys.FutexWakePrivate(&p.control, 1) // a word of our own: it cannot fail
	}
}

// run is the poller's life.
func (p *poller) run() {
	// For readable: the fronts' memory may have been truncated.
	debug.SetPanicOnFault(true)
	woken := -1
	for {
		s := p.sweep(woken)
		woken = -1
		if s.called > 0 {
			p.pool.giveBack(p, s.called)
			// Let those just called run, on this thread's processor as well, before
			// the thread goes away with it. Many are back by then.
			runtime.Gosched()
			continue
		}
		n, err := p.sleep(s)
		switch {
		case err == nil:
			woken = n - 1
		case err == syscall.ETIMEDOUT && s.fronts == 0 && p.pool.retire(p):
			return
		case err == syscall.EAGAIN, err == syscall.ETIMEDOUT, err == syscall.EINTR:
		default:
			p.findUnreachable()
		}
	}
}

// A stock is what a sweep found.
type stock struct {
	called  int    // fronts that were called, and are the poller's no more
	fronts  int    // those that remain
	control uint32 // what control was when the poller last could be given something
	first   int64  // the earliest deadline
}

// sweep looks at every front, because the kernel names only one of those woken, and
// calls those that have a reason to look again. If there were none the poller is ready
// to sleep: list is filled, and whoever gives it something from now on recalls it.
func (p *poller) sweep(woken int) stock {
	t := now()
	s := stock{first: t + int64(idlePoller)}
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := p.fronts[:0]
	for i, w := range p.fronts {
		over, err := w.over(i == woken, t)
		if over {
			w.err = err
			w.called <- struct{}{}
			continue
		}
		if len(keep) == 0 || w.deadline < s.first {
			s.first = w.deadline
		}
		keep = append(keep, w)
		p.list[len(keep)].Set(words.Atomic(w.word), w.v, false)
	}
	s.called, s.fronts = len(p.fronts)-len(keep), len(keep)
	clear(p.fronts[len(keep):])
	p.fronts = keep
	s.control = p.control.Load()
	p.list[0].Set(&p.control, s.control, true)
	p.awake = s.called > 0
	return s
}

// over reports whether the poller's sleep for w has ended, and what Sleep returns. A
// change counts for more than the end of the context: it may have come with the one
// wake-up that somebody else now does without.
func (w *Waiter) over(woken bool, t int64) (bool, error) {
	v, err := load(w.word)
	switch {
	case err != nil:
		return true, err
	case w.err != nil: // findUnreachable
		return true, w.err
	case woken || v != w.v || w.recalled.Load():
		return true, nil
	case w.cancelled:
		return true, errCancelled
	}
	return w.deadline <= t, nil
}

// load reads a word of memory that may not be there any more. The goroutine must have
// called debug.SetPanicOnFault.
func load(word *words.Uint32) (v uint32, err error) {
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(interface{ Addr() uintptr })
			if !ok || fault.Addr() != address(word) {
				panic(r)
			}
			err = &Error{Op: "sleep", Err: syscall.EFAULT}
		}
	}()
	return word.Load(), nil
}

// sleep sleeps until a word is woken or the first deadline has passed.
func (p *poller) sleep(s stock) (int, error) {
	if haveWaitv() {
		return sys.FutexWaitv(p.list[:s.fronts+1], s.first)
	}
	// The next sweep sees what has changed. Wakers don't see this sleeper, and need
	// not: they have changed the word.
	if s.fronts > 0 {
		s.first = min(s.first, now()+int64(pollWords))
	}
	return 0, sys.FutexWaitUntil(&p.control, s.control, true, s.first)
}

// pollWords is how often a poller looks at its words where the kernel cannot sleep on
// several.
const pollWords = time.Millisecond

// findUnreachable marks the fronts that the kernel has something against, when it did
// not say which, as it does when the memory of any is gone. If there are none the
// kernel is out of memory, say: then it only makes sure that the poller takes its time.
func (p *poller) findUnreachable() {
	const past = 1 // a deadline with which nobody sleeps
	found := false
	p.mu.Lock()
	for _, w := range p.fronts {
		if err := outcome(sleepPlainly(w.word, w.v, past)); err != nil {
			w.err, found = err, true
		}
	}
	p.mu.Unlock()
	if !found {
		_ = sys.FutexWaitUntil(&p.control, p.control.Load(), true, now()+int64(pollWords))
	}
}
