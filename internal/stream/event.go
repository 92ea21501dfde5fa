package stream

import (
	"cmp"
	"context"
	"errors"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
)

// An event is a futex word that is odd when somebody may sleep on it;
// docs/abi/stream-file.md.

// announce says that what an event stands for has come about, and reports whether
// somebody waited. If another one changes the word meanwhile that is as good: it woke
// who slept, or has marked the word and not looked yet.
func announce(word *words.Uint32) bool {
	v := word.Load()
	if !word.CompareAndSwap(v, (v|1)+1) || v&1 == 0 {
		return false
	}
	wakeAll(word)
	return true
}

// wakeAll wakes who sleeps on a word. Memory that is not there has no sleepers.
func wakeAll(word *words.Uint32) {
	const all = 1<<31 - 1
	_, _ = sys.FutexWake(words.Atomic(word), all)
}

// await waits until something is there that is announced at word.
func (g *fileGround) await(ctx context.Context, word *words.Uint32, there func() (bool, error)) error {
	defer onDone(ctx, func() {
		word.Add(2) // whatever it is, it is another value
		wakeAll(word)
	})()
	for {
		v := word.Load()
		if err := ctx.Err(); err != nil {
			return err
		}
		if v&1 == 0 {
			if !word.CompareAndSwap(v, v|1) {
				continue
			}
			v |= 1
		}
		point("await:marked")
		if ok, err := there(); ok || err != nil {
			return err
		}
		if err := g.futex(word, v); err != nil {
			return err
		}
	}
}

// wordOf is where the one sleeps that a bell is for.
func (g *fileGround) wordOf(b bell) *words.Uint32 {
	if b == spaceBell {
		return &g.m.h.waiting
	}
	return &g.m.slots[b].sleeping
}

func (g *fileGround) sleep(ctx context.Context, b bell) error {
	word := g.wordOf(b)
	defer onDone(ctx, func() {
		if word.CompareAndSwap(asleep, posted) {
			wakeAll(word)
		}
	})()
	if err := g.futex(word, asleep); err != nil {
		return err
	}
	return ctx.Err()
}

func (g *fileGround) rouse(bells []bell) error {
	for _, b := range bells {
		wakeAll(g.wordOf(b))
	}
	return nil
}

// futex sleeps while word is v, no longer than a tick. After a whole tick it looks
// whether others can still find the stream, and whether all of it is there.
func (g *fileGround) futex(word *words.Uint32, v uint32) error {
	switch err := sys.FutexWait(words.Atomic(word), v, tick); {
	case err == nil, errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case errors.Is(err, syscall.ETIMEDOUT):
		return cmp.Or(g.stillNamed(), g.stillWhole())
	default:
		return g.explain(err)
	}
}

// onDone calls f when ctx ends, unless stop is called before; after stop, f does not
// run. f may touch the memory.
func onDone(ctx context.Context, f func()) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	ran := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(ran)
		_ = shmkit.Guard(f) // who waits for it meets the fault itself
	})
	return func() {
		if !cancel() {
			<-ran
		}
	}
}
