package bench

import (
	"errors"
	"structs"

	"github.com/shmkit/shmkit/pshared"
)

// mappingWay is what one builds of a Mapping and locks: two rings, each under a mutex, with conditions.
func mappingWay() way {
	return way{
		name: "mapping", ours: true, about: "a Mapping with two rings, a pshared Mutex and two Conds for each",
		prepare: func(p *props) error {
			p.shared = slotBytes(p.size)
			return nil
		},
		open: openMapping,
	}
}

// A ringState is what a mutex protects.
type ringState struct {
	_              structs.HostLayout
	Mu             pshared.MutexWord
	Filled, Room   pshared.CondWord
	Sent, Received uint64
}

type mappingState struct {
	_     structs.HostLayout
	Rings [2]ringState // there, back
}

type mapping struct {
	r       *room
	shared  *pshared.Shared[mappingState]
	slots   slots
	out, in lockedRing
}

func openMapping(r *room) (end, error) {
	shared, err := pshared.Open[mappingState]("rings", &pshared.Options{Dir: r.dir})
	if err != nil {
		return nil, err
	}
	m := &mapping{r: r, shared: shared}
	if m.slots, err = newSlots(r.mem.Bytes(), r.Size); err != nil {
		return nil, errors.Join(err, shared.Close())
	}
	there, back := openRing(r, shared, 0, m.slots.n), openRing(r, shared, 1, m.slots.n)
	m.out, m.in = there, back
	if !r.first {
		m.out, m.in = back, there
	}
	return m, nil
}

func (m *mapping) send(seq uint64) error {
	return m.out.send(func() error {
		m.r.pay.put(m.slots.of(!m.r.first, seq), seq)
		return nil
	})
}

func (m *mapping) receive(seq uint64) error {
	return m.in.receive(func() error { return m.r.pay.get(m.slots.of(m.r.first, seq), seq) })
}

func (m *mapping) memory() int64 { return slotBytes(m.r.Size) }

func (m *mapping) close() error { return m.shared.Close() }

// A lockedRing is one direction.
type lockedRing struct {
	r            *room
	state        *ringState
	mu           *pshared.Mutex
	filled, room *pshared.Cond
	n            uint64 // slots
}

func openRing(r *room, shared *pshared.Shared[mappingState], which int, n uint64) lockedRing {
	s := &shared.Data().Rings[which]
	return lockedRing{r, s, shared.Mutex(&s.Mu), shared.Cond(&s.Filled), shared.Cond(&s.Room), n}
}

func (l *lockedRing) send(do func() error) error {
	return l.when(l.room, func() bool { return l.state.Sent-l.state.Received < l.n }, l.filled, func() error {
		l.state.Sent++
		return do()
	})
}

func (l *lockedRing) receive(do func() error) error {
	return l.when(l.filled, func() bool { return l.state.Sent > l.state.Received }, l.room, func() error {
		l.state.Received++
		return do()
	})
}

// when does something under the lock once it may be done, for which it waits, and tells others.
func (l *lockedRing) when(change *pshared.Cond, may func() bool, tell *pshared.Cond, do func() error) error {
	if err := l.mu.Lock(l.r.ctx); err != nil {
		return err
	}
	for !may() {
		if err := l.pause(change); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return errors.Join(err, l.mu.Unlock())
	}
	if l.r.Wait == Block {
		if err := tell.Signal(); err != nil {
			return errors.Join(err, l.mu.Unlock())
		}
	}
	return l.mu.Unlock()
}

// pause lets the other side have the lock for some time.
func (l *lockedRing) pause(change *pshared.Cond) error {
	if l.r.Wait == Block {
		return change.Wait(l.r.ctx, l.mu)
	}
	if err := l.mu.Unlock(); err != nil {
		return err
	}
	return l.mu.Lock(l.r.ctx)
}
