package pshared

import (
	"context"
	"reflect"
	"runtime"
	"structs"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// EventWord is an Event with manual reset in shared memory: 4 bytes. The zero value is
// not set.
type EventWord struct {
	_     structs.HostLayout
	state words.Uint32
}

// AutoEventWord is an Event with auto reset in shared memory: 4 bytes. The zero value is
// not set.
type AutoEventWord struct {
	_    structs.HostLayout
	auto words.Uint32 // as EventWord.state; of another name, so that the two are two types
}

// The state of an event.
const (
	eventSet    = 1 << 0
	eventSleeps = 1 << 1 // somebody may sleep
	eventCount  = 1 << 2 // how often it was set is counted from here
)

// closedEvent stands where the event was once a handle is closed: there is nothing to see,
// and setting it is not done without looking.
var closedEvent = func() *words.Uint32 {
	w := new(words.Uint32)
	w.Store(eventSleeps)
	return w
}()

// Event is a handle of something that happens, between processes: it is set, and who
// waits for that goes on. With manual reset it stays set, and lets everybody through,
// until Reset. With auto reset it lets one through, and is not set any more. Its methods
// may be called by any number of goroutines at once.
type Event struct {
	word atomic.Pointer[words.Uint32] // real, or closedEvent once closed
	real *words.Uint32                // in shared memory; immutable, like auto
	auto bool
	core
	spin   futex.Spinner
	looked uint32 // what it was at the last look; the ticker's own
	away   chan struct{}
	going  sync.Once // closes away
}

// OpenEvent opens the event of a name, with manual reset, or makes it, as OpenMutex does.
// What has the name may not be one with auto reset (ErrType).
func OpenEvent(name string, o *Options) (*Event, error) {
	h, err := open(object.Event, name, reflect.TypeFor[EventWord](), o, nil)
	if err != nil {
		return nil, err
	}
	return obtain(h, 0, h.newEvent(false)), nil
}

// OpenAutoEvent is OpenEvent for one with auto reset. The names are the same.
func OpenAutoEvent(name string, o *Options) (*Event, error) {
	h, err := open(object.Event, name, reflect.TypeFor[AutoEventWord](), o, nil)
	if err != nil {
		return nil, err
	}
	return obtain(h, 0, h.newEvent(true)), nil
}

// Event returns a handle of an event in the struct, as Mutex does.
func (s *Shared[T]) Event(w *EventWord) *Event {
	return obtain(s.in, offsetIn(s.data, w), s.in.newEvent(false))
}

// AutoEvent returns a handle of an event with auto reset in the struct, as Mutex does.
func (s *Shared[T]) AutoEvent(w *AutoEventWord) *Event {
	return obtain(s.in, offsetIn(s.data, w), s.in.newEvent(true))
}

func (h *handle) newEvent(auto bool) func(at *place) *Event {
	return func(at *place) *Event {
		e := &Event{auto: auto, away: make(chan struct{})}
		e.real = wordAt[words.Uint32](h.o.Body(), at.offset)
		e.init(h, at)
		e.reopen()
		return e
	}
}

// Set sets the event, and wakes who waits for it. One that is set stays so: with auto
// reset, what is set twice before anybody came lets one through.
func (e *Event) Set() error {
	race.Release(e.key)
	w := e.word.Load()
	if v := w.Load(); v&eventSleeps == 0 && (v&eventSet != 0 || w.CompareAndSwap(v, (v+eventCount)|eventSet)) {
		runtime.KeepAlive(e)
		return nil
	}
	return e.fail("set", e.run(e.set))
}

func (e *Event) set() error {
	w := e.real
	for {
		v := w.Load()
		if v&eventSet != 0 {
			return nil
		}
		next, wake := (v+eventCount)|eventSet, 1
		if !e.auto { // all are woken
			next, wake = next&^eventSleeps, futex.All
		}
		point("event:unset")
		if !w.CompareAndSwap(v, next) {
			continue
		}
		point("event:set")
		if v&eventSleeps == 0 {
			return nil
		}
		woken, err := futex.Wake(w, wake)
		point("event:woke")
		if e.auto && woken == 0 && err == nil {
			w.CompareAndSwap(next, next&^eventSleeps)
		}
		return err
	}
}

// Reset makes the event one that is not set, also if it is not. Who waited before it was
// last set goes on all the same, if the reset is manual.
func (e *Event) Reset() error {
	return e.fail("reset", e.run(func() error {
		e.real.And(^uint32(eventSet))
		point("event:reset")
		return nil
	}))
}

// Wait waits until the event is set, or ctx ends; its error is then the context's. Of an
// event that is set ctx is not looked at. With manual reset it has happened for this call
// when it was set at any moment since the call began to wait, though it may be reset by now.
// With auto reset the event is taken by the call that returns nil, and by no other.
func (e *Event) Wait(ctx context.Context) error {
	if e.happened(e.word.Load()) {
		race.Acquire(e.key)
		runtime.KeepAlive(e)
		return nil
	}
	return e.fail("wait for", e.run(func() error { return e.wait(ctx) }))
}

// TryWait is Wait that does not wait: false if the event is not set.
func (e *Event) TryWait() (bool, error) {
	w := e.word.Load()
	if w == closedEvent {
		return false, e.fail("wait for", ErrClosed)
	}
	ok := e.happened(w)
	if ok {
		race.Acquire(e.key)
	}
	runtime.KeepAlive(e)
	return ok, nil
}

// happened reports whether the event is set, and takes it if it is reset by that.
func (e *Event) happened(w *words.Uint32) bool {
	for {
		v := w.Load()
		if v&eventSet == 0 || !e.auto {
			return v&eventSet != 0
		}
		if w.CompareAndSwap(v, v&^eventSet) {
			return true
		}
	}
}

// wait is Wait once the event was not set.
func (e *Event) wait(ctx context.Context) error {
	w := e.real
	noted := w.Load()
	passed := func() bool {
		return e.happened(w) || !e.auto && w.Load()/eventCount != noted/eventCount
	}
	for s := e.spin.Begin(); s.More(); {
		if passed() {
			s.Hit()
			race.Acquire(e.key)
			return nil
		}
	}
	e.o.Waiting(1)
	defer e.o.Waiting(-1)
	e.in.sleeps(&e.core, 1)
	defer e.in.sleeps(&e.core, -1)
	sleep := func(v uint32) error { return futex.Wait(ctx, w, v, longest) }
	if e.auto { // they take turns
		q := futex.Enter(w)
		defer q.Leave()
		sleep = func(v uint32) error { return q.Sleep(ctx, v, longest) }
	}
	for {
		if passed() {
			point("event:passed")
			race.Acquire(e.key)
			return nil
		}
		if e.in.isClosed() {
			return ErrClosed
		}
		v := w.Load()
		switch {
		case v&eventSet != 0 || !e.auto && v/eventCount != noted/eventCount:
			continue
		case v&eventSleeps == 0:
			if !w.CompareAndSwap(v, v|eventSleeps) {
				continue
			}
			v |= eventSleeps
		}
		point("event:marked")
		if err := sleep(v); err != nil {
			return err
		}
		point("event:woken")
	}
}

// Chan returns a channel for select. With manual reset it is closed when a Wait that begins
// now would return nil. With auto reset the event comes through it as often as it is taken:
// it is taken from others when it happens, not when somebody receives, and set again if ctx
// ends, or the handle is closed, before anybody did; if the process is killed meanwhile, it
// is gone. When ctx ends, or the handle is closed, nothing comes any more, and the goroutine
// behind the channel ends.
func (e *Event) Chan(ctx context.Context) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		_ = e.run(func() error { // who receives knows only what comes
			for {
				if err := e.wait(ctx); err != nil {
					return err
				}
				if !e.auto {
					close(c)
					return nil
				}
				point("event:offered")
				if !e.deliver(ctx, c) {
					race.Release(e.key)
					return e.set()
				}
			}
		})
	}()
	return c
}

// deliver offers a taken event, false if nobody received it.
func (e *Event) deliver(ctx context.Context, c chan<- struct{}) bool {
	e.asleep.Add(1) // Close is to recall it; there is nothing to look after
	defer e.asleep.Add(-1)
	select {
	case c <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-e.away:
	}
	return false
}

// shut, held, reopen, recall and look implement primitive.
func (e *Event) shut() { e.word.Store(closedEvent) }

func (e *Event) held() bool { return false }

func (e *Event) reopen() { e.word.Store(e.real) }

func (e *Event) recall() {
	e.going.Do(func() { close(e.away) })
	_ = futex.Recall(e.real) // if the memory is gone they find out themselves
}

func (e *Event) look(asker) {
	v := e.real.Load()
	switch {
	case e.auto && v&eventSet != 0:
		_, _ = futex.Wake(e.real, 1) // the same
	case !e.auto && (v&eventSet != 0 || v&eventSleeps == 0 || v/eventCount != e.looked/eventCount):
		_, _ = futex.Wake(e.real, futex.All)
	}
	e.looked = v
}

// seeEvent tells of an event.
func seeEvent(s *sight, w *WordInfo) {
	v := s.u32(0)
	if w.State = "not set"; v&eventSet != 0 {
		w.State = "set"
	}
	w.Waiters = v&eventSleeps != 0
}
