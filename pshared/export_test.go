package pshared

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/words"
)

// SetPoint sets what is called between the steps, for the roles of tests.
func SetPoint(f func(name string)) { point = f }

// State and SetState are for tests that look at a word, or do to it what no member does.
func (w *MutexWord) State() uint32 { return w.state.Load() }

// SetState stores any state.
func (w *MutexWord) SetState(v uint32) { w.state.Store(v) }

// SetHurry stores any second word.
func (w *MutexWord) SetHurry(v uint32) { w.hurry.Store(v) }

// Hurry returns the second word.
func (w *MutexWord) Hurry() uint32 { return w.hurry.Load() }

// StateWord is where the state is, for who sleeps on it without a handle.
func (w *MutexWord) StateWord() *atomic.Uint32 { return words.Atomic(&w.state) }

// Wake wakes all who sleep for the lock, for no reason.
func (w *MutexWord) Wake() error {
	_, err := futex.Wake(&w.state, futex.All)
	return err
}

// LockLate is Lock by who had looked where the lock is before the handle was closed, and does
// the rest now.
func (m *Mutex) LockLate() error {
	if !m.real.state.CompareAndSwap(0, m.me) {
		return ErrHeld
	}
	return m.taken(m.real)
}

// TryLockLate is the same of TryLock, and of a lock with marks.
func (m *Mutex) TryLockLate() (held bool, err error) { return m.take(m.real, rude) }

// Word returns the word in shared memory.
func (m *Mutex) Word() *MutexWord { return m.real }

// Me returns the owner that this handle writes.
func (m *Mutex) Me() uint32 { return m.me }

// Tick is how often a handle looks after its sleepers.
const Tick = tick

// States for tests.
const (
	Waiters        = uint32(waiters)
	InconsistentOf = uint32(inconsistent)
	Lost           = uint32(notRecoverable)
)

// Path returns the file of the object.
func (m *Mutex) Path() string { return m.o.Path() }

// Waiting returns how many goroutines sleep for locks in the struct, through this handle.
func (s *Shared[T]) Waiting() int { return s.in.asleep() }

// Asleep is the same of what a primitive stands in.
func (c *core) Asleep() int { return c.in.asleep() }

func (h *handle) asleep() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.list {
		n += int(p.common().asleep.Load())
	}
	return n
}

// Words of an RWMutexWord for tests.
const (
	GateClosed   = uint32(gateClosed)
	ReadersSleep = uint32(readersSleep)
)

// State, Gate and Bell are for tests that look at a word, Set for what no member does.
func (w *RWMutexWord) State() uint32 { return w.writers.state.Load() }

// Gate returns the gate.
func (w *RWMutexWord) Gate() uint32 { return w.gate.Load() }

// Bell returns the bell.
func (w *RWMutexWord) Bell() uint32 { return w.bell.v.Load() }

// Set stores any words.
func (w *RWMutexWord) Set(state, gate, bell uint32) {
	w.writers.state.Store(state)
	w.gate.Store(gate)
	w.bell.v.Store(bell)
}

// Word returns the word in shared memory.
func (rw *RWMutex) Word() *RWMutexWord { return rw.word }

// Path returns the file of the object.
func (rw *RWMutex) Path() string { return rw.o.Path() }

// Me returns the owner that this handle writes.
func (rw *RWMutex) Me() uint32 { return rw.me }

// Entry returns what this member's entry says, SetEntry stores anything.
func (rw *RWMutex) Entry() (a, b uint64) { return rw.entry.a.Load(), rw.entry.b.Load() }

// SetEntry stores any entry.
func (rw *RWMutex) SetEntry(a, b uint64) {
	rw.entry.a.Store(a)
	rw.entry.b.Store(b)
}

// Set stores any words of a semaphore: the states of its mutexes, what is taken and wanted, the
// bell.
func (s *Semaphore) Set(mu, turn uint32, taken, wanted uint64, bell uint32) {
	w := s.real
	w.mu.state.Store(mu)
	w.turn.state.Store(turn)
	w.taken.Store(taken)
	w.wanted.Store(wanted)
	w.bell.v.Store(bell)
}

// SetEntry stores any entry of this member.
func (s *Semaphore) SetEntry(a, b uint64) {
	s.entry.a.Store(a)
	s.entry.b.Store(b)
}

// SetCapacity stores any capacity.
func (s *Semaphore) SetCapacity(n uint64) { s.real.capacity.Store(n) }

// Set stores any words of a counting semaphore.
func (c *CountingSemaphore) Set(state uint32, lost uint64) {
	c.word.state.Store(state)
	c.word.lost.Store(lost)
}

// SetLost stores that n tokens are lost, with the tag of another.
func (c *CountingSemaphore) SetLost(n uint64, of *CountingSemaphore) {
	c.word.lost.Store(uint64(of.o.Slot()+1)<<lostTag | n)
}

// Entry and SetEntry are of this member.
func (c *CountingSemaphore) Entry() uint64 { return c.entry.a.Load() }

// SetEntry stores any entry of this member.
func (c *CountingSemaphore) SetEntry(a uint64) { c.entry.a.Store(a) }
