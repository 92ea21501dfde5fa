package futex

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
)

// A slot is what one direct sleeper needs.
type slot struct {
	number int

	// stops is the second word a sleeper with a context sleeps on, so that cancelling
	// it wakes no stranger who sleeps on the shared word. It counts up and is never set
	// back: a cancellation that is late wakes the slot's next owner in vain, but none
	// that is due can be lost.
	stops atomic.Uint32

	watch watch
	list  [2]sys.FutexWaiter

	_ [40]byte // slots don't share cache lines
}

// sleep sleeps while the word is v, until the deadline or the end of ctx.
func (s *slot) sleep(ctx context.Context, word *words.Uint32, v uint32, deadline int64) error {
	switch {
	case ctx.Done() == nil:
		return outcome(sleepPlainly(word, v, deadline))
	case !haveWaitv():
		return sleepPolling(ctx, word, v, deadline)
	}
	s.watch.on(ctx, s)
	for {
		// In this order: a context that ends after it was looked at counts up behind
		// the value that the kernel compares with.
		stops := s.stops.Load()
		if err := ctx.Err(); err != nil {
			return err
		}
		// The shared word stands last because the kernel names the last of those
		// woken: so a wake-up of the shared word is never mistaken for a cancellation.
		s.list[0].Set(&s.stops, stops, true)
		s.list[1].Set(words.Atomic(word), v, false)
		n, err := sys.FutexWaitv(s.list[:], deadline)
		switch {
		case err == nil && n == 0, err == syscall.EAGAIN && s.stops.Load() != stops, err == syscall.EINTR:
			continue
		}
		return outcome(err)
	}
}

// sleepPlainly sleeps on the word alone, and returns the errno. After an interruption it
// sleeps on until the same deadline.
func sleepPlainly(word *words.Uint32, v uint32, deadline int64) error {
	for {
		if err := sys.FutexWaitUntil(words.Atomic(word), v, false, deadline); err != syscall.EINTR {
			return err
		}
	}
}

// pollEvery is how long a sleep that can be cancelled lasts where the kernel cannot
// sleep on two words.
const pollEvery = 10 * time.Millisecond

// sleepPolling looks at the context now and then: cancelling is late by up to
// pollEvery, and wakes nobody.
func sleepPolling(ctx context.Context, word *words.Uint32, v uint32, deadline int64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(now()+int64(pollEvery), deadline)
		err := sleepPlainly(word, v, end)
		if err != syscall.ETIMEDOUT || end == deadline {
			return outcome(err)
		}
	}
}

// outcome is what Sleep says for the errno of a sleep in the kernel.
func outcome(err error) error {
	switch err {
	case nil, syscall.EAGAIN, syscall.ETIMEDOUT:
		return nil
	}
	return &Error{Op: "sleep", Err: err}
}

// withoutWaitv makes this process behave as on a kernel before 5.16; for tests.
var withoutWaitv atomic.Bool

// haveWaitv reports whether there is futex_waitv, which came with Linux 5.16. A
// sandbox may forbid it as well.
func haveWaitv() bool { return kernelHasWaitv() && !withoutWaitv.Load() }

var kernelHasWaitv = sync.OnceValue(func() bool {
	_, err := sys.FutexWaitv(nil, 0)
	return err == syscall.EINVAL // it would want at least one word
})
