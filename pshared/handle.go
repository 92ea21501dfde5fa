package pshared

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/object"
)

// handle is what the handles of one member have in common: the membership, and the
// count of those who are at work on its memory but for the one instruction of an
// uncontended lock.
type handle struct {
	o             *object.Object // immutable, like the next four
	device, inode uint64         // of its file
	places        []place        // where its body has words, by offset
	alone         bool           // the one word is all there is in the body

	users atomic.Int64  // how many there are; from shutOff on no new one
	left  chan struct{} // immutable; a user was done while closing

	mu         sync.Mutex
	primitives map[int64]primitive // by offset in the body; protected by mu, like the next two
	list       []primitive         // the same; only ever added to
	closing    bool

	ticking atomic.Bool // watch runs
}

// shutOff is more users than there ever are.
const shutOff = 1 << 40

// handles are the open ones. One that its owner forgot must not be collected: it may hold
// a lock for as long as the process lives.
var handles sync.Map // of *handle

func newHandle(o *object.Object, places []place, alone bool) (*handle, error) {
	h := &handle{o: o, places: places, alone: alone, primitives: map[int64]primitive{}, left: make(chan struct{}, 1)}
	var err error
	if h.device, h.inode, err = o.File(); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	handles.Store(h, nil)
	return h, nil
}

// use begins work on the memory, false if the handle is closed.
func (h *handle) use() bool {
	if h.users.Add(1) < shutOff {
		return true
	}
	h.done()
	return false
}

func (h *handle) done() {
	if h.users.Add(-1) >= shutOff {
		select {
		case h.left <- struct{}{}:
		default:
		}
	}
}

// isClosed reports whether who waits should give up.
func (h *handle) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closing
}

// close ends the membership, by the steps of docs/abi/mutex.md. Who waits for one of its
// locks in this process is sent away with ErrClosed first. If one of the locks is held,
// nothing is closed (ErrHeld), and nobody who waits hears of it.
func (h *handle) close() error {
	h.mu.Lock()
	if h.closing {
		h.mu.Unlock()
		return nil
	}
	// Under mu, so that who looks whether the handle is closed finds it decided.
	if held := shut(h.list); held != nil {
		for _, p := range h.list {
			p.reopen()
		}
		h.mu.Unlock()
		return &LockError{Op: "close", Lock: held.common().name, Err: ErrHeld}
	}
	h.closing = true
	h.users.Add(shutOff)
	list := h.list
	h.mu.Unlock()
	h.sendAway(list)
	// The memory goes when nobody can be between looking where the lock is and trying
	// to take it, which only the garbage collector knows. Such a one gives the lock back
	// at once; who finds it held meanwhile, by a member that has left, takes it, and is
	// told of a death only if the member's record is another's by then.
	runtime.AddCleanup(h, func(o *object.Object) { _ = o.Unmap() }, h.o)
	handles.Delete(h)
	return h.o.Leave()
}

// sendAway returns when nobody uses the memory any more. Those who sleep are recalled;
// again if one was on its way to sleep.
func (h *handle) sendAway(list []primitive) {
	const again = time.Millisecond
	for h.users.Load() > shutOff {
		for _, p := range list {
			if p.common().asleep.Load() > 0 {
				p.recall()
			}
		}
		timer := time.NewTimer(again)
		for waiting := true; waiting; {
			select {
			case <-h.left:
				waiting = h.users.Load() > shutOff
			case <-timer.C:
				waiting = false
			}
		}
		timer.Stop()
	}
}

// shut shuts all, and returns one that is held by this member, nil if none is.
func shut(list []primitive) primitive {
	for _, p := range list {
		p.shut()
	}
	for _, p := range list {
		held := false
		err := p.common().guard(func() error { held = p.held(); return nil })
		if err == nil && held { // if the memory is gone, so is what was held
			return p
		}
	}
	return nil
}
