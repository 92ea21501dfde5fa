package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// prepare makes the joining member what it is going to be: in a slot, or aWriter. It
// runs under lock.
type prepare func(m *member) (who int, err error)

// join opens the stream at a site or makes it. If what was killed left something
// behind, join cleans that up first.
func join(ctx context.Context, at Site, o Options, as prepare) (*member, error) {
	if at.ground == nil {
		return nil, fmt.Errorf("stream nowhere: %w", fs.ErrInvalid)
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := tryJoin(ctx, at, o, as)
		if !errors.Is(err, errAgain) {
			return m, err
		}
	}
}

func tryJoin(ctx context.Context, at Site, o Options, as prepare) (*member, error) {
	m := &member{}
	m.ground = at.ground(m)
	if err := m.open(o); err != nil {
		return nil, err
	}
	point("join:opened")
	if err := m.lock(ctx); err != nil {
		return nil, several(err, m.turnBack(), m.detach())
	}
	point("join:locked")
	if err := m.guarded(func() error { return m.enterLocked(ctx, o, as) }); err != nil {
		return nil, several(err, m.release(), m.detach())
	}
	point("join:done")
	return m, nil
}

// enterLocked finds or makes the memory and becomes a member. It gives lock back
// unless it fails.
func (m *member) enterLocked(ctx context.Context, o Options, as prepare) error {
	occupied, err := m.occupied()
	if err != nil {
		return err
	}
	f, err := m.memory(ctx, o, occupied)
	m.m = f.mapping
	if err != nil {
		return err
	}
	if err := m.view(capacityOf(f.size)); err != nil {
		return err
	}
	if f.made {
		m.initialise(o, f)
	} else if err := m.check(o, f); err != nil {
		return err
	}
	point("join:memory")
	who, err := as(m)
	if err != nil {
		return err
	}
	point("join:entered")
	return m.enter(who)
}

// initialise fills in the header of memory that is zero, magic last.
func (m *member) initialise(o Options, f store) {
	m.h.version.Store(version)
	m.h.content.Store(uint32(o.Content))
	m.h.capacity.Store(m.capacity)
	m.h.semID.Store(f.companion)
	m.h.slots.Store(MaxReaders)
	m.h.limit.Store(m.capacity)
	point("create:filled")
	m.h.magic.Store(f.magic)
	point("create:ready")
}

// check looks whether the header of a stream that others use is one of ours.
func (m *member) check(o Options, f store) error {
	switch h := m.h; {
	case h.version.Load() != version:
		return &Error{Address: m.address(), Err: ErrVersion, Detail: fmt.Sprintf("it is in use with version %d, this shmkit has %d", h.version.Load(), version)}
	case h.semID.Load() != f.companion:
		return &Error{Address: m.address(), Err: ErrBroken, Detail: "segment and semaphores do not belong together"}
	case Content(h.content.Load()) != o.Content:
		return &Error{Address: m.address(), Err: ErrContent, Detail: fmt.Sprintf("it is in use for %v", Content(h.content.Load()))}
	case h.capacity.Load() != m.capacity, h.slots.Load() != MaxReaders:
		return m.corrupt("header says %d bytes and %d slots, the memory has %d and %d",
			h.capacity.Load(), h.slots.Load(), m.capacity, MaxReaders)
	}
	return nil
}
