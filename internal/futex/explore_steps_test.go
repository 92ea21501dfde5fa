package futex

import (
	"fmt"
	"slices"
)

// A move is what happened between two worlds.
type move struct {
	what string
	who  int
	from int // its step
}

func (m move) String() string { return fmt.Sprintf("%s %d, from step %d", m.what, m.who, m.from) }

// isKill reports whether the move is one that may as well never come.
func (m move) isKill() bool { return m.what == killsWaker || m.what == killsProcess }

const (
	killsWaker   = "kill waker"
	killsProcess = "kill process"
)

// A successor is a world that can come next.
type successor struct {
	move
	w world
}

// next appends all that can happen, but for ticks, to all.
func (x *explorer) next(w world, all []successor) []successor {
	add := func(m move, ws []world) {
		for _, n := range ws {
			all = append(all, successor{m, n})
		}
	}
	for i := range x.wishes {
		s := &w.waiters[i]
		if s.at == entering && i > 0 && x.wishes[i] == x.wishes[i-1] && w.waiters[i-1].at == entering {
			continue // one or the other first is the same
		}
		add(move{"waiter", i, int(s.at)}, x.stepWaiter(w, i))
		if x.wishes[i].cancel && s.at > entering && s.at < finished {
			add(move{"context", i, int(s.stop)}, x.stepContext(w, i))
		}
	}
	if w.recall < recallEnded {
		add(move{"recall", 0, int(w.recall)}, x.stepRecall(w))
	}
	if n, ok := x.stepPoller(w); ok {
		add(move{"poller", 0, int(w.poller.at)}, []world{n})
	}
	for k := range x.wakers {
		s := &w.wakers[k]
		add(move{"waker", k, int(s.done)}, x.stepWaker(w, k))
		if w.kills > 0 && !s.killed && s.owes {
			n := w
			n.kills--
			n.wakers[k].killed = true
			add(move{killsWaker, k, int(s.done)}, []world{n})
		}
	}
	if w.kills > 0 {
		if n, ok := x.kill(w); ok {
			add(move{killsProcess, 1, 0}, []world{n})
		}
	}
	return all
}

// kill ends process 1 and all in it.
func (x *explorer) kill(w world) (world, bool) {
	alive := false
	for i := range x.wishes {
		if x.wishes[i].process == 1 && w.waiters[i].at < finished {
			alive = true
			w.waiters[i] = waiterState{at: killed}
			w.remove(i)
		}
	}
	w.kills--
	return w, alive
}

func (x *explorer) stepContext(w world, i int) []world {
	s := &w.waiters[i]
	switch s.stop {
	case 0:
		s.over = true
	case 1:
		s.stale = (s.at == confirming || s.at == submitting) && x.omit != omitStopWord
	case 2:
		if s.at == sleeping {
			s.wokenStop = true
		}
	default:
		return nil
	}
	s.stop++
	if x.wishes[i].polled {
		s.stop = 3 // no slot, no stop word: it looks at the context alone
	}
	return []world{w}
}

func (x *explorer) stepRecall(w world) []world {
	w.recall++
	if w.recall == recallEnded {
		if x.omit == omitRecallWake {
			return []world{w}
		}
		return x.wakeWord(w, 0, All)
	}
	for i := range x.wishes {
		s := &w.waiters[i]
		if x.wishes[i].process != 0 || x.wishes[i].word != 0 || !slices.Contains(w.order[:], int8(i)) {
			continue
		}
		s.due = s.parked || s.at == sleeping || s.covered && w.poller.at == pollerSleeping
		s.recalled = x.omit != omitRecallMark
		if s.parked && x.omit != omitRecallCall {
			s.parked = false
			w.call(i)
		}
	}
	return []world{w}
}

func (x *explorer) stepWaker(w world, k int) []world {
	s := &w.wakers[k]
	if s.killed || int(s.done) == len(x.wakers[k]) {
		return nil
	}
	c := x.wakers[k][s.done]
	changes := !s.owes
	if x.omit == omitWakeBehindChange {
		changes = !changes
	}
	if s.owes {
		s.done++
	}
	s.owes = !s.owes
	if changes {
		w.words[c.word] += c.add
		return []world{w}
	}
	return x.wakeWord(w, c.word, c.wake)
}

func (x *explorer) stepPoller(w world) (world, bool) {
	p := &w.poller
	switch p.at {
	case sweeping:
		return x.sweep(w), true
	case noteLate:
		p.stale = false
		p.at = pollerSubmitting
	case pollerSubmitting:
		changed := p.stale
		p.stale = false
		for i := range x.wishes {
			s := &w.waiters[i]
			changed = changed || s.covered && w.words[x.wishes[i].word] != s.v
		}
		p.at = pollerSleeping
		if changed {
			p.at = sweeping
		}
	case pollerSleeping:
		p.named = -1
		for i := range x.wishes {
			if p.woken[i] {
				p.named = int8(i) // the last of them
			}
		}
		if p.named < 0 && !p.wokenControl {
			return w, false
		}
		p.at, p.wokenControl, p.woken = sweeping, false, [maxWaiters]bool{}
	}
	return w, true
}

// sweep is the poller's look at its fronts. One sweep is a step: it holds the lock, and
// words that change meanwhile might as well have changed before or after.
func (x *explorer) sweep(w world) world {
	p := &w.poller
	any := false
	for i := range x.wishes {
		s := &w.waiters[i]
		s.covered = false
		if !s.given {
			continue
		}
		changed := w.words[x.wishes[i].word] != s.v && x.omit != omitLookAtAll
		woken := int(p.named) == i || changed || s.recalled && x.omit != omitRecallSeen
		cancelled := s.cancelled && (!woken || x.omit == omitChangeFirst)
		if !woken && !cancelled {
			s.covered = true
			continue
		}
		any = true
		s.given, s.verdict = false, cancelled
		w.call(i)
	}
	p.named = -1
	p.awake = any
	switch {
	case any:
		// It looks again before it sleeps. What it covers is of no account until then.
		for i := range x.wishes {
			w.waiters[i].covered = false
		}
	case x.omit == omitNoteUnderLock:
		p.at = noteLate
	default:
		p.at = pollerSubmitting
	}
	return w
}

// recallPoller is what give and cancel do under the lock; it returns the next step.
func (x *explorer) recallPoller(w *world, recall, without step) step {
	call := !w.poller.awake && x.omit != omitRecall
	w.poller.awake = true
	if call {
		return recall
	}
	return without
}

func (x *explorer) stepWaiter(w world, i int) []world {
	s, p := &w.waiters[i], &w.poller
	word := &w.words[x.wishes[i].word]
	switch s.at {
	case entering:
		s.at = looking
		if !x.waits {
			w.join(i)
		}
	case looking:
		switch s.v = *word; {
		case !x.content(&w, i):
			s.at = checking
		case x.wishes[i].sees > 0:
			s.at = leaving
		default:
			s.at = taking
		}
	case taking:
		s.at = looking
		if *word == s.v {
			*word--
			s.at, s.v = leaving, 0
		}
	case checking:
		if s.over {
			s.at, s.gone = leaving, true
			break
		}
		if x.waits {
			w.join(i)
		}
		s.at = queueing
		if !x.wishes[i].cancel {
			x.park(&w, i) // the look at the context was nobody's business
		}
	case queueing:
		x.park(&w, i)
	case parking:
		var out []world
		if s.called {
			n := w
			n.waiters[i].called = false
			n.waiters[i].at = x.kernel(i)
			if n.waiters[i].recalled {
				n.waiters[i].recalled = false
				n.waiters[i].back(x)
			}
			if x.omit == omitValueLastSeen {
				n.waiters[i].v = *word
			}
			out = append(out, n)
		}
		if s.over {
			s.at = unparking
			out = append(out, w)
		}
		return out
	case unparking:
		if !s.parked {
			s.called = false
		}
		s.parked, s.at, s.gone = false, leaving, true
	case noting:
		s.stale, s.at = false, confirming
		if x.omit == omitNoteBeforeContext {
			s.at = submitting
		}
	case confirming:
		s.at = submitting
		if x.omit == omitNoteBeforeContext {
			s.at = noting
		}
		if s.over {
			s.at, s.gone = leaving, true
		}
	case submitting:
		switch {
		case s.stale:
			s.at = x.kernel(i)
		case *word != s.v:
			s.back(x)
		default:
			s.at, s.wokenWord, s.wokenStop = sleeping, false, false
		}
		s.stale = false
	case sleeping:
		cancelFirst := x.omit == omitSharedWordLast && s.wokenStop
		switch {
		case s.wokenWord && x.omit == omitLookWhenWoken && s.over:
			s.at, s.gone = leaving, true
		case s.wokenWord && !cancelFirst:
			s.back(x)
		case s.wokenStop:
			s.at = x.kernel(i)
		default:
			return nil
		}
		s.wokenWord, s.wokenStop = false, false
	case giving:
		s.given, s.cancelled, s.verdict = true, false, false
		s.at = x.recallPoller(&w, recalling, polled)
	case recalling:
		p.count()
		s.at = recalled
	case recalled:
		p.wokenControl = p.at == pollerSleeping
		s.at = polled
	case polled:
		var out []world
		if s.called {
			n := w
			n.waiters[i].called = false
			n.waiters[i].handedBack(x)
			out = append(out, n)
		}
		if s.over {
			s.at = marking
			out = append(out, w)
		}
		return out
	case marking:
		if x.omit == omitHandBack && s.given {
			s.given, s.at, s.gone = false, leaving, true
			break
		}
		s.cancelled = true
		s.at = x.recallPoller(&w, unmarking, surrendered)
	case unmarking:
		p.count()
		s.at = unmarked
	case unmarked:
		p.wokenControl = p.at == pollerSleeping
		s.at = surrendered
	case surrendered:
		if !s.called {
			return nil
		}
		s.called = false
		s.handedBack(x)
	case leaving:
		x.leave(&w, i)
	default:
		return nil
	}
	return []world{w}
}

// count counts control up.
func (p *pollerState) count() {
	p.stale = p.at == pollerSubmitting || p.at == noteLate
}

// park is a waiter's look at its place.
func (x *explorer) park(w *world, i int) {
	s := &w.waiters[i]
	_, front := x.behind(w, i)
	if s.recalled {
		s.recalled = false
		s.back(x)
		return
	}
	s.parked, s.at = !front, parking
	if front {
		s.at = x.kernel(i)
	}
}

// kernel is the first step of the sleep of a front.
func (x *explorer) kernel(i int) step {
	switch {
	case x.wishes[i].polled:
		return giving
	case !x.wishes[i].cancel:
		return submitting
	case x.omit == omitNoteBeforeContext:
		return confirming
	}
	return noting
}

// back is the return of Sleep with nil; that of Wait leaves its queue.
func (s *waiterState) back(x *explorer) {
	s.at, s.due = leaving, false
	if !x.waits {
		s.at, s.v = looking, 0
	}
}

func (s *waiterState) handedBack(x *explorer) {
	if s.due = false; s.verdict {
		s.at, s.gone = leaving, true
		return
	}
	s.back(x)
}

func (x *explorer) leave(w *world, i int) {
	s := &w.waiters[i]
	next, front := x.behind(w, i)
	// Who waits and found what it wanted without sleeping is in no queue.
	in := false
	for _, o := range w.order {
		in = in || int(o) == i
	}
	calls := x.omit != omitCall && (x.omit != omitCallOnCancel || !s.gone)
	if in && front && next >= 0 && w.waiters[next].parked && calls {
		w.waiters[next].parked = false
		w.call(next)
	}
	w.remove(i)
	if x.waits && in && !s.gone {
		s.at, s.v = looking, 0
		return
	}
	*s = waiterState{at: finished, called: s.called}
}

// tickable lists what the passing of a bound can lead to.
func (x *explorer) tickable(w world) []successor {
	var all []successor
	for i := range x.wishes {
		switch s := w.waiters[i]; {
		case s.at == sleeping:
			n := w
			n.waiters[i].back(x)
			all = append(all, successor{move{"bound", i, int(s.at)}, n})
		case s.given && w.poller.at == pollerSleeping:
			n := w
			n.waiters[i].given, n.waiters[i].covered = false, false
			n.call(i)
			all = append(all, successor{move{"bound, polled,", i, int(s.at)}, n})
		}
	}
	return all
}
