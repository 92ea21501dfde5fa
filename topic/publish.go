package topic

import (
	"context"
	"fmt"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// A batch is messages to be published together: one behind the other in flat, or each on its own.
type batch struct {
	flat []byte
	size int
	each [][]byte
}

func (b *batch) len() int {
	if b.flat == nil {
		return len(b.each)
	}
	return len(b.flat) / b.size
}

func (b *batch) message(i int) []byte {
	if b.each != nil {
		return b.each[i]
	}
	return b.flat[i*b.size : (i+1)*b.size]
}

// run runs f as the one who has the lane: with faults as errors, and the publisher open.
func (l *lane) run(f func() error) error {
	return l.alone(func() error {
		if l.closed.Load() {
			return ErrClosed
		}
		return f()
	})
}

// alone is run, whether the publisher is open or not.
func (l *lane) alone(f func() error) (err error) {
	locked := true
	l.mu.Lock()
	if fault := shmkit.Guard(func() {
		err = f()
		locked = false
		l.unlock()
	}); fault != nil {
		err = fault
	}
	if locked {
		l.mu.Unlock()
	}
	return err
}

// evictEvery is how often a publisher that has no room looks for the dead at most.
const evictEvery = 5 * time.Millisecond

// evicted is for who found no room: it looks for the dead among those who hold the lane up, and runs f
// once more if there were any. ErrFull: there is still no room.
func (l *lane) evicted(f func() error) error {
	// Now and then only: each look at a member is a system call.
	if now, last := futex.Now(), l.looked.Load(); now-last < int64(evictEvery) || !l.looked.CompareAndSwap(last, now) {
		return ErrFull
	}
	found := false
	if err := l.run(func() error { found = l.evict(); return nil }); err != nil {
		return err
	}
	if !found {
		return ErrFull
	}
	return l.run(f)
}

// send publishes a copy of a message.
func (l *lane) send(ctx context.Context, message []byte, wait bool) error {
	if len(message) > l.n.geometry.room {
		return l.n.fail("send", l.n.tooLarge(len(message)))
	}
	for {
		err := l.sendNow(message)
		if err == ErrFull {
			err = l.evicted(func() error { return l.put(message) })
		}
		if err != ErrFull || !wait {
			return l.n.fail("send", err)
		}
		if err := l.await(ctx); err != nil {
			return l.n.fail("send", err)
		}
	}
}

// sendNow publishes a copy of a message if there is room.
func (l *lane) sendNow(message []byte) (err error) {
	locked := true
	l.mu.Lock()
	if fault := shmkit.Guard(func() {
		err = l.put(message)
		locked = false
		l.unlock()
	}); fault != nil {
		err = fault
	}
	if locked {
		l.mu.Unlock()
	}
	return err
}

func (n *node) tooLarge(length int) error {
	return fmt.Errorf("%d bytes, the topic has room for %d: %w", length, n.geometry.room, ErrTooLarge)
}

// put publishes a copy of one message. mu is held.
func (l *lane) put(message []byte) error {
	if l.closed.Load() {
		return ErrClosed
	}
	if l.roomNow() < 1 && l.room(1) == 0 {
		return ErrFull
	}
	v := l.tail + 2
	if l.mustErase(v) {
		l.erase(v)
	}
	if l.whole(message) {
		s := l.slot(v)
		race.Release(l.key)
		words.PutMessage(&s[0], &message[0], v|1, l.what(len(message)), l.n.messageOffset, len(message)/8)
		l.committed(v)
		return nil
	}
	b, err := l.fill(v, message)
	if err != nil {
		return err
	}
	l.commit(b, v, v)
	return nil
}

// sendBatch publishes copies of messages, as many together as there is room for, and returns how
// many it published. Waiting, it is all of them, or an error.
func (l *lane) sendBatch(ctx context.Context, b batch, wait bool) (sent int, err error) {
	for i := range b.each {
		if len(b.each[i]) > l.n.geometry.room {
			return 0, l.n.fail("send", l.n.tooLarge(len(b.each[i])))
		}
	}
	total := b.len()
	more := func() error {
		n, err := l.putBatch(&b, sent, total)
		sent += n
		return err
	}
	for sent < total {
		err := l.run(more)
		if err == ErrFull {
			err = l.evicted(more)
		}
		if err == nil {
			continue
		}
		if err == ErrFull && wait {
			if err = l.await(ctx); err == nil {
				continue
			}
		}
		if err == ErrFull && sent > 0 {
			return sent, nil
		}
		return sent, l.n.fail("send", err)
	}
	return sent, nil
}

// whole reports whether a message can be written to its slot at once, what describes it and the word included.
func (l *lane) whole(message []byte) bool {
	return l.n.inline && !l.n.times && len(message) > 0 && len(message)%8 == 0 && l.n.messageOffset+len(message) <= l.n.slotSize
}

// putBatch publishes messages from one on, as many as there is room for. mu is held.
func (l *lane) putBatch(b *batch, from, to int) (sent int, err error) {
	n := l.room(to - from)
	if n == 0 {
		return 0, ErrFull
	}
	first := l.tail + 2
	l.erase(first + 2*uint64(n-1))
	l.behind = n - 1
	for i := 1; i < n; i++ {
		v := first + 2*uint64(i)
		ahead := l.slot(v + 2*aheadOfWriting)
		words.PrefetchWrite(&ahead[0], len(ahead))
		message := b.message(from + i)
		if l.whole(message) {
			s := l.slot(v)
			words.PutMessage(&s[0], &message[0], v|1, l.what(len(message)), l.n.messageOffset, len(message)/8)
			point("batch:put")
			continue
		}
		s, err := l.fill(v, message)
		if err != nil {
			return 0, err
		}
		words.Release64(&slotAt(s).word, v|1)
		point("batch:behind")
	}
	s, err := l.fill(first, b.message(from))
	if err != nil {
		return 0, err
	}
	l.behind = 0
	l.commit(s, first, first+2*uint64(n-1))
	return n, nil
}

// fill writes a copy of a message to the slot of v, which was erased, all but the word. mu is held.
func (l *lane) fill(v uint64, message []byte) (b []byte, err error) {
	if l.n.inline {
		b = l.slot(v)
		l.writeSlot(b, message)
		l.describe(slotAt(b), len(message))
		return b, nil
	}
	chunk, err := l.first()
	if err != nil {
		return nil, err
	}
	copy(l.m.chunk(l.index, chunk), message) // which may fault: it stays free until then
	point("publish:copied")
	l.pool.takeFirst()
	b = l.slot(v)
	l.writeChunk(b, v, chunk)
	l.describe(slotAt(b), len(message))
	return b, nil
}

// evict frees the seats of the dead who hold the lane up, and reports whether there was any. mu is
// held.
func (l *lane) evict() (found bool) {
	n := l.n
	for i := range n.highest() {
		h := n.seat(i)
		if h.mode.Load()&reliable == 0 || int64(n.cursors(i)[l.index].Load()&^1-l.bound) > 0 {
			continue
		}
		of, gone := n.unowned(&h.owner, true)
		if !gone || !n.claim(&h.owner, of) {
			continue
		}
		point("evict:claimed")
		n.clearSeat(i, of<<modeShift)
		h.owner.Store(0)
		point("evict:freed")
		n.wakeAll()
		found = true
	}
	return found
}

// wakeAll has all publishers look whether they have room.
func (n *node) wakeAll() {
	for i := range n.lanes {
		n.wake(n.roomBell(i))
	}
}

// close ends it, unless loans are held. Who waits in it is sent away.
func (l *lane) close() error {
	l.mu.Lock()
	if l.closed.Load() {
		l.mu.Unlock()
		return nil
	}
	if l.loans.out > 0 {
		l.mu.Unlock()
		return l.n.fail("close", ErrHeld)
	}
	l.closed.Store(true)
	_ = shmkit.Guard(func() { l.h.owner.Store(0) }) // if the memory is gone, so is the lane
	l.mu.Unlock()
	l.sendAway(l.bell)
	return l.n.fail("close", l.n.leave())
}
