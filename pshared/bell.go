package pshared

import (
	"context"
	"structs"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/words"
)

// A bell is a word for who waits until something is true that others make true by changing
// other words. Its lowest bit says that somebody may sleep, the rest is counted up by every
// ring.
//
//	waiter   sets the bit; looks whether it is true; sleeps while the bell is as it was
//	others   make it true; if the bit is set: clear it and count up, wake all
//
// Who sets the bit before the others look for it is woken; who sets it later finds it true. A
// death between the change and the wake-up leaves the waiter to its bound.
type bell struct {
	_ structs.HostLayout
	v words.Uint32
}

const bellWaiters = 1

// ring wakes those who wait.
func (b *bell) ring() error {
	for {
		v := b.v.Load()
		if v&bellWaiters == 0 {
			return nil
		}
		if b.v.CompareAndSwap(v, v+1) { // the bit goes, the count goes up
			point("bell:rung")
			_, err := futex.Wake(&b.v, futex.All)
			point("bell:woke")
			return err
		}
	}
}

// mark says that somebody may sleep, and returns the bell to sleep on.
func (b *bell) mark() uint32 {
	for {
		v := b.v.Load()
		if v&bellWaiters != 0 || b.v.CompareAndSwap(v, v|bellWaiters) {
			return v | bellWaiters
		}
	}
}

// wait returns when ready says yes, or with an error. ready is told whether some time has
// passed since it was last asked, so that it may ask the kernel who is dead.
func (b *bell) wait(ctx context.Context, ready func(thorough bool) (bool, error)) error {
	var asked time.Time
	for {
		v := b.mark()
		point("bell:marked")
		thorough := time.Since(asked) >= tick
		if thorough {
			asked = time.Now()
		}
		if ok, err := ready(thorough); ok || err != nil {
			return err
		}
		if err := futex.Wait(ctx, &b.v, v, tick); err != nil {
			return err
		}
		point("bell:woken")
	}
}
