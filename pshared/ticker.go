package pshared

import "time"

// What a death leaves undone, somebody has to notice: a holder that will never unlock, a
// wake-up that was owed, one that went to a waiter who was killed. While anybody sleeps
// through a handle, one goroutine looks every tick, for all that it has, and wakes a
// sleeper where there is something to do. So 1,000 who sleep cost what one does, and a
// handle that nobody sleeps through costs nothing.
//
// It is part of what makes the lock right; explore_test.go shows what is stuck without.
const tick = 50 * time.Millisecond

// longest is the longest sleep without a look of one's own. It is for memory that was cut
// off, of which the kernel wakes nobody.
const longest = time.Second

// sleeps counts c's sleepers up or down, and sees to it that somebody looks.
func (h *handle) sleeps(c *core, n int32) {
	if c.asleep.Add(n); n > 0 && h.ticking.CompareAndSwap(false, true) {
		go h.watch()
	}
}

// watch looks every tick until nobody sleeps.
func (h *handle) watch() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		<-ticker.C
		if h.look() {
			continue
		}
		h.ticking.Store(false)
		// Whoever fell asleep before that saw somebody watching.
		if !h.anybodySleeps() || !h.ticking.CompareAndSwap(false, true) {
			return
		}
	}
}

func (h *handle) anybodySleeps() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.list {
		if !h.closing && p.common().asleep.Load() > 0 {
			return true
		}
	}
	return false
}

// look looks at each primitive that somebody sleeps for, and reports whether there was any.
func (h *handle) look() (anybody bool) {
	if !h.use() {
		return false
	}
	defer h.done()
	h.mu.Lock()
	list := h.list
	h.mu.Unlock()
	known := map[uint32]bool{} // one who holds many locks is asked about once
	for _, p := range list {
		c := p.common()
		if c.asleep.Load() == 0 {
			continue
		}
		anybody = true
		_ = c.guard(func() error { // who sleeps finds out by itself
			p.look(func(who uint32) bool {
				is, asked := known[who]
				if !asked {
					is = c.dead(who)
					known[who] = is
				}
				return is
			})
			return nil
		})
	}
	return anybody
}

// stuck reports whether a sleeper has reason to look at a lock in this state.
func (m *Mutex) stuck(v uint32, dead asker) bool {
	who := v & ownerMask
	switch {
	case who == 0 || v == notRecoverable || !m.possible(v):
		return true
	case who == m.me:
		return false
	}
	return dead(who)
}
