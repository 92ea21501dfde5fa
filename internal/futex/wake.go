package futex

import (
	"math"
	"slices"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
)

// All is the n of Wake that wakes everybody.
const All = math.MaxInt32

// Wake wakes up to n of those who sleep on the word in the kernel, in whatever process,
// and returns how many: one of each process at most in each queue, who then calls the
// next of its own. Change the word first: who goes to sleep meanwhile is not woken but
// sees the change.
func Wake(word *words.Uint32, n int) (woken int, err error) {
	woken, err = sys.FutexWake(words.Atomic(word), n)
	if err != nil {
		err = &Error{Op: "wake", Err: err}
	}
	return woken, err
}

// Recall makes all waiters of this process at the word, wherever in a queue they stand,
// return from Sleep once, to look again: for what concerns this process and does not show
// in the word, as that a handle is being closed. Strangers who sleep on the word are woken
// in vain. Who is on the way into the kernel at that moment may miss it, until its bound:
// repeat it until all have left. If the memory is gone, the kernel wakes nobody there; then all who sleep in the
// kernel with a context that can end look again, at whatever word, and those here find it gone.
func Recall(word *words.Uint32) error {
	s := shardOf(word)
	s.mu.Lock()
	for q := s.queues; q != nil; q = q.next {
		if q.key.word != word {
			continue
		}
		for w := q.front; w != nil; w = w.next {
			w.recalled.Store(true)
			w.promote()
		}
	}
	s.mu.Unlock()
	_, err := Wake(word, All)
	if err != nil {
		stirAll()
	}
	return err
}

// stirAll has all who sleep in the kernel, and can be reached by another word than that they wait for, ask the kernel
// once more.
func stirAll() {
	for n := range slots {
		slots[n].stops.Add(1)
		_, _ = sys.FutexWakePrivate(&slots[n].stops, 1) // as a cancellation of somebody else
	}
	overflow.mu.Lock()
	pollers := slices.Clone(overflow.pollers)
	overflow.mu.Unlock()
	for _, p := range pollers {
		p.mu.Lock()
		call := !p.awake
		p.awake = true
		p.mu.Unlock()
		p.recall(call)
	}
}
