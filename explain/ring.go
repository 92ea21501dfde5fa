package explain

import (
	"reflect"
	"structs"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
	"github.com/shmkit/shmkit/memfd"
)

// ringBytes is how much room a ring has.
const ringBytes = 1 << 20

// A ring is memory that one process fills and another one empties. What is handed over
// is a number, Head or Tail; nobody is called. Who finds nothing to do for a while sleeps,
// until half of the ring is full, or empty.
type ring struct {
	_     structs.HostLayout
	Head  words.Uint64 // bytes that were filled in so far
	_     [56]byte
	Tail  words.Uint64 // bytes that were taken out so far
	_     [56]byte
	Dry   words.Uint32 // 1: the receiver sleeps, or is about to
	Stuck words.Uint32 // 1: the sender does
	_     [56]byte
	Data  [ringBytes]byte
}

// A ringEnd is a ring as one process uses it.
type ringEnd struct {
	*ring
	awake bool  // never sleep: look again and again
	calls int64 // system calls made
}

// openRing maps the ring in the memory of a descriptor. It stays mapped.
func openRing(pid, fd int) (*ring, error) {
	f, err := memfd.OpenPID(pid, fd, nil)
	if err != nil {
		return nil, err
	}
	m, err := f.Map(nil)
	if err != nil {
		return nil, err
	}
	v, err := shmkit.View[ring](m, 0)
	if err != nil {
		return nil, err
	}
	return v.Data(), nil
}

// send fills in n bytes, a piece at a time.
func (r *ringEnd) send(n, piece int, fill func(to []byte, i int)) error {
	head := r.Head.Load()
	for i := range n / piece {
		if err := r.wait(&r.Stuck, func(need uint64) bool { return ringBytes-(head-r.Tail.Load()) >= need }, uint64(piece)); err != nil {
			return err
		}
		fill(r.Data[head%ringBytes:][:piece], i)
		head += uint64(piece)
		r.Head.Store(head)
		last := i == n/piece-1
		if last || head-r.Tail.Load() >= ringBytes/2 {
			if err := r.wake(&r.Dry); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive takes n bytes out, a piece at a time.
func (r *ringEnd) receive(n, piece int, take func(from []byte)) error {
	tail := r.Tail.Load()
	end := tail + uint64(n)
	for range n / piece {
		filled := func(need uint64) bool {
			head := r.Head.Load()
			return head-tail >= need || head == end
		}
		if err := r.wait(&r.Dry, filled, uint64(piece)); err != nil {
			return err
		}
		take(r.Data[tail%ringBytes:][:piece])
		tail += uint64(piece)
		r.Tail.Store(tail)
		if ringBytes-(r.Head.Load()-tail) >= ringBytes/2 {
			if err := r.wake(&r.Stuck); err != nil {
				return err
			}
		}
	}
	return nil
}

// looks is how often a process looks before it sleeps.
const looks = 4000

// wait returns when there is enough: a piece, or half the ring if it had to sleep for it.
func (r *ringEnd) wait(sleeps *words.Uint32, enough func(need uint64) bool, piece uint64) error {
	for n := 0; n < looks || r.awake; n++ {
		if enough(piece) {
			return nil
		}
	}
	for sleeps.Store(1); !enough(ringBytes / 2); {
		if sleeps.Load() == 0 { // woken, and perhaps for what was there before
			sleeps.Store(1)
			continue
		}
		r.calls++
		if err := sys.FutexWait(words.Atomic(sleeps), 1, 0); err != nil && err != syscall.EAGAIN && !again(err) {
			return err
		}
	}
	sleeps.Store(0)
	return nil
}

// wake wakes the other process, if it sleeps.
func (r *ringEnd) wake(sleeps *words.Uint32) error {
	if sleeps.Load() == 0 || !sleeps.CompareAndSwap(1, 0) {
		return nil
	}
	r.calls++
	_, err := sys.FutexWake(words.Atomic(sleeps), 1)
	return err
}

// mostRingCalls is how many system calls both processes make at most for n bytes: each
// half of the ring makes one of them sleep and the other one wake it, once for each side.
func mostRingCalls(n int) int { return 4 * (n/(ringBytes/2) + 1) }

// ringSize is how much memory a ring takes.
func ringSize() int64 { return int64(reflect.TypeFor[ring]().Size()) }
