package futex

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A pool is the pollers of a process: as few as have room for all fronts without a
// slot.
type pool struct {
	mu      sync.Mutex
	pollers []*poller // protected by mu
}

var overflow pool

// idlePoller is how long a poller without fronts stays.
const idlePoller = 500 * time.Millisecond

// take finds a poller with room for one more front, or starts one.
func (p *pool) take() *poller {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.pollers {
		if one.room > 0 {
			one.room--
			return one
		}
	}
	one := &poller{pool: p, room: pollerFronts - 1}
	one.fronts = make([]*Waiter, 0, pollerFronts)
	p.pollers = append(p.pollers, one)
	go one.run()
	return one
}

// giveBack makes room for n fronts more.
func (p *pool) giveBack(one *poller, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one.room += n
}

// retire takes a poller out that nobody needs, and reports whether it was so.
func (p *pool) retire(one *poller) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one.room < pollerFronts {
		return false
	}
	p.pollers = slices.DeleteFunc(p.pollers, func(other *poller) bool { return other == one })
	return true
}

// sleepBy makes a poller sleep for w.
func (w *Waiter) sleepBy(p *pool, ctx context.Context, v uint32, deadline int64) error {
	w.v, w.deadline, w.cancelled, w.err = v, deadline, false, nil
	one := p.take()
	one.give(w)
	if ctx.Done() == nil {
		<-w.called
		return w.err
	}
	select {
	case <-w.called:
	case <-ctx.Done():
		one.cancel(w)
		<-w.called
	}
	if w.err == errCancelled {
		return ctx.Err()
	}
	return w.err
}
