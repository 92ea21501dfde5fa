package main

import (
	"context"
	"structs"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// A baton says which of two processes on one CPU may run: the other one sleeps. It is at the
// beginning of the room's memory. The parent has it first.
type baton struct {
	r    *room
	view *shmkit.TypedView[batonWord]
	next uint32 // odd: the parent writes it, for it has done its part
}

type batonWord struct {
	_    structs.HostLayout
	word atomic.Uint32
	_    [124]byte
}

func newBaton(r *room, parent bool) (*baton, error) {
	v, err := shmkit.View[batonWord](r.mem, 0)
	if err != nil {
		return nil, err
	}
	b := &baton{r: r, view: v, next: 2}
	if parent {
		b.next = 1
	}
	return b, nil
}

// pass gives it away and waits until it is back.
func (b *baton) pass() error {
	if err := b.give(); err != nil {
		return err
	}
	return b.await()
}

func (b *baton) give() error {
	word := &b.view.Data().word
	word.Store(b.next)
	b.next += 2
	_, err := sys.FutexWake(word, 1)
	return err
}

func (b *baton) await() error {
	word := &b.view.Data().word
	for v := word.Load(); v != b.next-1; v = word.Load() {
		switch err := sys.FutexWait(word, v, 100*time.Millisecond); err {
		case nil, syscall.EAGAIN, syscall.EINTR:
		case syscall.ETIMEDOUT:
			if b.r.ctx.Err() != nil {
				return context.Cause(b.r.ctx)
			}
		default:
			return err
		}
	}
	return nil
}

func (b *baton) close() error { return b.view.Close() }
