package pshared_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/shmtest"
)

// got makes an error of what was not to be had.
func got(ok bool, err error) error {
	if err == nil && !ok {
		err = errors.New("not to be had")
	}
	return err
}

// Nobody in the way and nobody asleep: nothing is allocated.
func TestTheFastPathsAllocateNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	s := openScene[everything](t, shmtest.Dir(t))
	d := s.Data()
	mu, rw, tokens, cond := s.Mutex(&d.Mu), s.RWMutex(&d.Written), s.CountingSemaphore(&d.Tokens), s.Cond(&d.Cond)
	event, auto, barrier, once := s.Event(&d.Event), s.AutoEvent(&d.Auto), s.Barrier(&d.Barrier, 1), s.Once(&d.Once)
	permits, err := s.Semaphore(&d.Permits, 2)
	must(t, err)
	for _, row := range []struct {
		name string
		do   func() error
	}{
		{"Mutex.Lock, Unlock", func() error { return errors.Join(mu.Lock(ctx), mu.Unlock()) }},
		{"Mutex.TryLock, Unlock", func() error { return errors.Join(got(mu.TryLock()), mu.Unlock()) }},
		{"RWMutex.RLock, RUnlock", func() error { return errors.Join(rw.RLock(ctx), rw.RUnlock()) }},
		{"RWMutex.TryRLock, RUnlock", func() error { return errors.Join(got(rw.TryRLock()), rw.RUnlock()) }},
		{"RWMutex.Lock, Unlock", func() error { return errors.Join(rw.Lock(ctx), rw.Unlock()) }},
		{"RWMutex.TryLock, Unlock", func() error { return errors.Join(got(rw.TryLock()), rw.Unlock()) }},
		{"Semaphore.Acquire, Release", func() error { return errors.Join(permits.Acquire(ctx, 2), permits.Release(2)) }},
		{"Semaphore.TryAcquire, Release", func() error { return errors.Join(got(permits.TryAcquire(1)), permits.Release(1)) }},
		{"CountingSemaphore.Post, Wait, Settle", func() error { return errors.Join(tokens.Post(1), tokens.Wait(ctx), tokens.Settle(1)) }},
		{"CountingSemaphore.Post, TryWait, Settle", func() error { return errors.Join(tokens.Post(1), got(tokens.TryWait()), tokens.Settle(1)) }},
		{"Cond.Signal", cond.Signal},
		{"Cond.Broadcast", cond.Broadcast},
		{"Event.Set, Wait, TryWait, Reset", func() error { return errors.Join(event.Set(), event.Wait(ctx), got(event.TryWait()), event.Reset()) }},
		{"AutoEvent.Set, Wait", func() error { return errors.Join(auto.Set(), auto.Wait(ctx)) }},
		{"AutoEvent.Set, TryWait", func() error { return errors.Join(auto.Set(), got(auto.TryWait())) }},
		{"Barrier.Wait alone", func() error { _, err := barrier.Wait(ctx); return err }},
		{"Once.Do, Done", func() error { return errors.Join(once.Do(ctx, func() error { return nil }), got(once.Done())) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			must(t, row.do()) // the first time is another matter
			if n := testing.AllocsPerRun(100, func() { must(t, row.do()) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	if n := testing.AllocsPerRun(10, func() { sink = fmt.Sprint(&sink) }); n == 0 {
		t.Error("allocations are not counted")
	}
}

var sink string
