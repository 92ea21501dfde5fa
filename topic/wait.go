package topic

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
)

const (
	// tick is how often somebody looks on behalf of those who sleep: for what a death left undone. Where
	// subscribers alone sleep, all that can be is that one died between word and waking; then each pause is twice as long as the one
	// before, up to slowest, because a process that is woken so often takes half a percent of a processor on some machines.
	tick    = 50 * time.Millisecond
	slowest = time.Second
	// longest is the longest sleep without a look of one's own. It is for memory that was cut
	// off, of which the kernel wakes nobody. Who has a context is reached by who looks for all, and needs none.
	longest        = time.Second
	longestReached = time.Minute
)

// await sleeps until there may be a message. Who comes back and finds none comes here again: the context
// is looked at each time, because memory that lies may always look like a message.
func (s *seat) await(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.run(func() error { s.mend(); return nil }); err != nil {
		return err
	}
	return s.sleep(ctx, s, s.n, s.bell, &s.closed)
}

// await returns nil when there may be room. It looks at the context as that of a seat does.
func (l *lane) await(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for p := l.spin.Begin(); p.MoreAfter(l.pausesForRoom()); {
		if l.seen() {
			p.Hit()
			return nil
		}
	}
	return l.sleep(ctx, l, l.n, l.bell, &l.closed)
}

// seen reports whether there is room for a message.
func (l *lane) seen() (is bool) {
	err := l.run(func() error {
		is = l.room(1) > 0
		return nil
	})
	return is || err != nil // and who tries is told
}

// A sleeper is a publisher or a subscriber that goroutines of this process sleep for.
type sleeper interface {
	// seen reports whether there is what they sleep for.
	seen() bool
	// look wakes them if there is, or somebody's death has made it.
	look()
	// held reports that somebody's death may hold it up for long.
	held() bool
	counts() *watched
}

// watched is what is known of those who sleep for one.
type watched struct {
	asleep atomic.Int32
	listed atomic.Bool
}

func (w *watched) counts() *watched { return w }

// sleep sleeps until a bell rings, unless there is something to be seen.
func (w *watched) sleep(ctx context.Context, who sleeper, n *node, bell *words32, closed *atomic.Bool) (err error) {
	w.asleep.Add(1)
	defer w.asleep.Add(-1)
	watch.add(who)
	var v uint32
	see := false
	fault := shmkit.Guard(func() {
		n.o.Waiting(1)
		v = bell.Or(somebodySleeps) | somebodySleeps
		point("wait:marked")
		see = who.seen()
	})
	switch {
	case fault != nil:
		return fault
	case closed.Load():
		err = ErrClosed
	case !see:
		point("wait:asleep")
		limit := longest
		switch {
		case watch.blind.Load():
			limit = time.Hour
		case ctx.Done() != nil:
			limit = longestReached
		}
		if err = futex.Wait(ctx, bell, v, limit); errors.Is(err, futex.ErrGone) {
			if fault := shmkit.Guard(func() { bell.Load() }); fault != nil {
				err = fault
			}
		}
		point("wait:woken")
	}
	if fault := shmkit.Guard(func() { n.o.Waiting(-1) }); fault != nil {
		return fault
	}
	return err
}

// sendAway returns when nobody sleeps any more, after closed was set.
func (w *watched) sendAway(bell *words32) {
	for w.asleep.Load() > 0 {
		_ = futex.Recall(bell) // if the memory is gone they find out themselves
		time.Sleep(100 * time.Microsecond)
	}
}

func (s *seat) held() bool { return false }
func (l *lane) held() bool { return true }

func (s *seat) look() {
	see := false
	fault := shmkit.Guard(func() { see = s.seen() })
	if see || fault != nil {
		_ = futex.Recall(s.bell) // if the memory is gone they are told
	}
}

func (l *lane) look() {
	see := false
	err := l.run(func() error {
		see = l.room(1) > 0 || l.evict()
		return nil
	})
	if see || err != nil {
		_ = futex.Recall(l.bell) // if the memory is gone they are told
	}
}

// watch looks on behalf of all who sleep in this process. While nobody does there is no goroutine for it.
var watch = watcher{fresh: make(chan struct{}, 1)}

type watcher struct {
	// blind is set by tests: who sleeps is woken by others then, or not at all.
	blind atomic.Bool
	// fresh says that somebody fell asleep who was not looked for before.
	fresh chan struct{}

	mu  sync.Mutex
	all map[sleeper]bool // protected by mu
}

func (w *watcher) add(s sleeper) {
	if c := s.counts(); c.listed.Load() || !c.listed.CompareAndSwap(false, true) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[sleeper]bool{}
		go w.run()
	}
	w.all[s] = true
	select {
	case w.fresh <- struct{}{}:
	default:
	}
}

func (w *watcher) run() {
	pause := tick
	timer := time.NewTimer(pause)
	defer timer.Stop()
	var list []sleeper
	for {
		select {
		case <-w.fresh:
			if pause > tick {
				pause = tick
				timer.Reset(pause)
			}
			continue
		case <-timer.C:
		}
		list = w.sleepers(list[:0])
		if list == nil {
			return
		}
		pause = min(2*pause, slowest)
		for i, s := range list {
			if !w.blind.Load() {
				s.look()
			}
			if s.held() {
				pause = tick
			}
			list[i] = nil
		}
		timer.Reset(pause)
	}
}

// sleepers returns those of whom somebody sleeps; nil, and there is no watch any more, if there is
// none.
func (w *watcher) sleepers(list []sleeper) []sleeper {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.all {
		c := s.counts()
		if c.asleep.Load() > 0 {
			list = append(list, s)
			continue
		}
		c.listed.Store(false)
		// Whoever fell asleep before that found it listed.
		if c.asleep.Load() > 0 && c.listed.CompareAndSwap(false, true) {
			list = append(list, s)
			continue
		}
		delete(w.all, s)
	}
	if len(w.all) == 0 {
		w.all = nil
		return nil
	}
	return list
}

// pausesForRoom is how many pauses a publisher makes between two looks at the cursors, which cost those
// who move them a cache miss each: some room is made meanwhile in a large ring.
func (l *lane) pausesForRoom() int { return min(max(l.n.ring/4, 16), 256) }

// spinning is how long is looked at most before going to sleep.
const spinning = 60 * time.Microsecond
