package futex

// The explorer is a model of the package comment as step machines: this file has what
// they share, explore_steps_test.go what they do, explore_run_test.go visits every state.

// Sizes of the model.
const (
	maxWaiters = 4
	maxWords   = 2
	maxWakers  = 2
)

// A step is where a waiter is.
type step uint8

const (
	entering step = iota
	looking
	taking      // has seen a permit
	checking    // Sleep: looks at its context
	queueing    // Sleep: in front?
	parking     // waits to be called
	unparking   // its context ended while parked
	noting      // direct: notes its stop word
	confirming  // direct: looks at its context
	submitting  // direct: goes into the kernel
	sleeping    // direct: asleep
	giving      // polled: gives itself to the poller
	recalling   // polled: counts control up
	recalled    // polled: wakes control
	polled      // the poller sleeps for it
	marking     // its context ended while polled
	unmarking   // counts control up
	unmarked    // wakes control
	surrendered // waits for the poller to hand it back
	leaving
	finished // has what it wanted, or was cancelled
	killed
)

// A wish is what a waiter waits for.
type wish struct {
	process int
	word    int
	sees    uint8 // until the word is at least this; 0: take one from it
	polled  bool
	cancel  bool // its context ends at some time
}

// A waiterState is one waiter. What is of no account any more is zero, so that there are
// fewer states.
type waiterState struct {
	at     step
	v      uint8 // what it saw last
	called bool
	parked bool
	gone   bool // leaves because its context ended

	recalled bool
	due      bool // was parked or asleep when it was recalled, and has not returned since

	over      bool  // its context has ended
	stop      uint8 // steps of the cancellation: over, counted, woken
	stale     bool  // its slot's word has counted up since it was noted
	wokenWord bool  // in the kernel, by the shared word
	wokenStop bool

	given     bool // belongs to the poller
	covered   bool // is among those the poller sleeps for in the kernel
	cancelled bool
	verdict   bool // the poller says: cancelled
}

// A pollerStep is where the poller of process 0 is.
type pollerStep uint8

const (
	sweeping pollerStep = iota
	noteLate            // only if it doesn't note control under its lock
	pollerSubmitting
	pollerSleeping
)

type pollerState struct {
	at           pollerStep
	stale        bool // control has counted up since it was noted
	awake        bool
	wokenControl bool
	woken        [maxWaiters]bool // whose words were woken
	named        int8             // the one the kernel names; -1 none
}

// A recallStep is where Recall, by process 0 at word 0, is.
type recallStep uint8

const (
	recallMarks recallStep = iota
	recallWakes
	recallEnded
)

// A wakerState is who changes words: its program's position, and whether it still has
// to wake.
type wakerState struct {
	done   uint8
	owes   bool
	killed bool
}

// A world is everything. It is comparable, and the key of what was visited.
type world struct {
	words   [maxWords]uint8
	waiters [maxWaiters]waiterState
	order   [maxWaiters]int8 // waiters in the order they came, -1 behind the last
	poller  pollerState
	wakers  [maxWakers]wakerState
	recall  recallStep
	kills   uint8
	twice   bool // somebody was called who had a call already: that would block
}

// A change is a waker's: add to the word, then wake so many.
type change struct {
	word int
	add  uint8
	wake int // All or a number
}

type explorer struct {
	wishes []wish
	wakers [][]change
	waits  bool // those who come are Wait's: a queue for each value
	recall bool // somebody calls Recall, once
	kills  uint8
	ticks  bool
	omit   omission
}

// An omission is a step left out, to show what it is for.
type omission uint8

const (
	omitNothing omission = iota
	omitCall
	omitCallOnCancel
	omitValueLastSeen
	omitLookWhenWoken
	omitSharedWordLast
	omitNoteBeforeContext
	omitStopWord
	omitLookAtAll
	omitRecall
	omitNoteUnderLock
	omitHandBack
	omitChangeFirst
	omitQueuePerValue
	omitWakeBehindChange
	omitRecallMark
	omitRecallCall
	omitRecallWake
	omitRecallSeen
)

func (x *explorer) first() world {
	w := world{kills: x.kills}
	if !x.recall {
		w.recall = recallEnded
	}
	for i := range w.waiters {
		w.order[i] = -1
		if i >= len(x.wishes) {
			w.waiters[i].at = finished
		}
	}
	w.poller.named = -1
	return w
}

// sameQueue reports whether two waiters stand in one queue.
func (x *explorer) sameQueue(w *world, a, b int) bool {
	if x.wishes[a].process != x.wishes[b].process || x.wishes[a].word != x.wishes[b].word {
		return false
	}
	return !x.waits || x.omit == omitQueuePerValue || w.waiters[a].v == w.waiters[b].v
}

// behind returns the waiter behind i in its queue, and whether i is in front; -1 if
// there is none.
func (x *explorer) behind(w *world, i int) (next int, front bool) {
	next, front = -1, true
	passed := false
	for _, o := range w.order {
		switch {
		case o < 0:
			return next, front
		case int(o) == i:
			passed = true
		case !x.sameQueue(w, i, int(o)):
		case !passed:
			front = false
		case next < 0:
			next = int(o)
		}
	}
	return next, front
}

func (w *world) join(i int) {
	for k, o := range w.order {
		if o < 0 {
			w.order[k] = int8(i)
			return
		}
	}
}

func (w *world) remove(i int) {
	k := 0
	for _, o := range w.order {
		if o >= 0 && int(o) != i {
			w.order[k] = o
			k++
		}
	}
	for ; k < len(w.order); k++ {
		w.order[k] = -1
	}
}

// call puts a call into the channel of i, which holds one.
func (w *world) call(i int) {
	if w.waiters[i].called {
		w.twice = true
	}
	w.waiters[i].called = true
}

// content reports whether what i waits for is there.
func (x *explorer) content(w *world, i int) bool {
	v := w.words[x.wishes[i].word]
	return v > 0 && v >= x.wishes[i].sees
}

// wakeWord wakes what sleeps on a word in the kernel: all, or whichever one.
func (x *explorer) wakeWord(w world, word, n int) []world {
	var out []world
	for i := range x.wishes {
		s := &w.waiters[i]
		direct := s.at == sleeping && !s.wokenWord
		covered := s.covered && w.poller.at == pollerSleeping && !w.poller.woken[i]
		if x.wishes[i].word != word || !direct && !covered {
			continue
		}
		next := w
		if direct {
			next.waiters[i].wokenWord = true
		} else {
			next.poller.woken[i] = true
		}
		if n == All {
			w = next
			continue
		}
		out = append(out, next)
	}
	if out == nil {
		return []world{w}
	}
	return out
}
