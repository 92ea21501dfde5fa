package pshared

import (
	"context"

	"github.com/shmkit/shmkit/internal/guest"
	"github.com/shmkit/shmkit/internal/object"
)

// Lodge is for packages of this module that keep a thing of their own in an object: it
// makes the handle of one, which the caller has joined, with a MutexWord at an offset of its
// body, a multiple of 8. If it fails the object is closed.
func Lodge(o *object.Object, mutex int64, g guest.Guest) (guest.House, error) {
	at := &place{offset: mutex, kind: mutexWord, entry: -1}
	h, err := newHandle(o, []place{*at}, true)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &lodger{guest: g, mu: h.newInner(at, wordAt[MutexWord](o.Body(), mutex))}
	l.init(h, at)
	h.list = append(h.list, l)
	return l, nil
}

// A lodger is a guest as a primitive of the handle, and the handle as its house.
type lodger struct {
	core
	mu    *inner // immutable, like the next
	guest guest.Guest
}

// shut, held, reopen, recall and look implement primitive.
func (l *lodger) shut()           { l.guest.Shut() }
func (l *lodger) held() bool      { return l.guest.Held() }
func (l *lodger) reopen()         { l.guest.Reopen() }
func (l *lodger) recall()         { l.guest.Recall() }
func (l *lodger) look(dead asker) { l.guest.Look(dead) }

// Enter and the other exported methods are those of guest.House.
func (l *lodger) Enter() bool { return l.in.use() }

func (l *lodger) Leave() { l.in.done() }

func (l *lodger) Lock(ctx context.Context) (told bool, err error) { return l.mu.lock(ctx) }

func (l *lodger) Unlock() { l.mu.unlock() }

func (l *lodger) Repaired() error { return l.mu.repaired(l.mu.real) }

// Abandon is also of a mutex that was in order. If it fails, the others find out themselves.
func (l *lodger) Abandon() {
	_ = l.mu.guard(func() error {
		w := l.mu.real
		for {
			v := w.state.Load()
			if v == notRecoverable || v&ownerMask != l.me {
				return ErrNotHeld
			}
			if v&inconsistent != 0 || w.state.CompareAndSwap(v, v|inconsistent) {
				return l.mu.abandon(w)
			}
		}
	})
}

func (l *lodger) Sleeps(n int32) { l.in.sleeps(&l.core, n) }

func (l *lodger) Closed() bool { return l.in.isClosed() }

func (l *lodger) Me() uint32 { return l.me }

func (l *lodger) Could(who uint32) bool { return l.could(who) }

func (l *lodger) Dead(who uint32) bool { return l.dead(who) }

func (l *lodger) Close() error { return l.in.close() }
