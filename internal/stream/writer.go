package stream

import (
	"context"
	"fmt"
)

// Writer appends records to a stream.
type Writer struct {
	*member
	// Receivers is how many SendFile waits for before it begins; 0: it does not wait.
	Receivers int

	turn   bool   // it holds turn
	tail   uint64 // while it does: where the next record goes
	limit  uint64 // and up to where it may write
	size   uint64 // what Reserve set aside, padding included
	offset uint64 // where in the ring the reserved record lies
	closed bool
}

// OpenWriter joins the stream at a site as a writer, making it if need be.
func OpenWriter(ctx context.Context, at Site, o Options) (*Writer, error) {
	m, err := join(ctx, at, o, func(*member) (int, error) { return aWriter, nil })
	if err != nil {
		return nil, err
	}
	w := &Writer{member: m, Receivers: o.Receivers}
	err = m.guarded(func() error {
		// A writer that is killed before this was none: it appended nothing.
		m.h.joined.Add(1)
		point("join:counted")
		return nil
	})
	if err != nil {
		return nil, several(err, w.Close())
	}
	return w, nil
}

// WaitReaders waits until there are n readers.
func (w *Writer) WaitReaders(ctx context.Context, n int) error {
	if n < 1 {
		return nil
	}
	if n > MaxReaders {
		return &Error{Address: w.address(), Err: ErrFull, Detail: fmt.Sprintf("there cannot be %d", n)}
	}
	return w.fail(w.guarded(func() error { return w.awaitReaders(ctx, n) }))
}

// Readers returns how many readers there are.
func (w *Writer) Readers() (int, error) {
	n, err := w.readers()
	return n, w.fail(err)
}

// MaxPayload returns the longest payload that fits, in bytes.
func (w *Writer) MaxPayload() int { return maxPayload(w.capacity) }

// Begin waits for this writer's turn.
func (w *Writer) Begin(ctx context.Context) error {
	return w.guarded(func() error { return w.begin(ctx) })
}

func (w *Writer) begin(ctx context.Context) error {
	if err := w.takeTurn(ctx); err != nil {
		return w.fail(err)
	}
	w.turn = true
	point("turn:taken")
	w.tail, w.limit = w.h.tail.Load(), w.h.limit.Load()
	if w.tail%8 != 0 || !position(w.limit, w.tail, w.tail+w.capacity) {
		err := w.corrupt("tail %d, limit %d in a ring of %d", w.tail, w.limit, w.capacity)
		return several(err, w.End())
	}
	return nil
}

// Reserve waits for space and returns n bytes of the ring to fill; Commit
// publishes them. The bytes are shared memory, and hold what was there before: touch
// them under shmkit.Guard.
func (w *Writer) Reserve(ctx context.Context, n int) (b []byte, err error) {
	err = w.guarded(func() error {
		b, err = w.reserve(ctx, n)
		return err
	})
	return b, err
}

func (w *Writer) reserve(ctx context.Context, n int) ([]byte, error) {
	if n < 0 || n > w.MaxPayload() {
		return nil, &Error{Address: w.address(), Err: ErrTooLong, Detail: fmt.Sprintf("%d bytes, a ring of %d takes %d at once", n, w.capacity, w.MaxPayload())}
	}
	w.size, w.offset = recordSize(n), w.tail%w.capacity
	rest := w.capacity - w.offset
	if w.size > rest {
		w.size += rest
	}
	if err := w.space(ctx); err != nil {
		return nil, w.fail(err)
	}
	if w.size > rest {
		putHeader(w.ring[w.offset:], int(rest-recordHeader), pad)
		point("append:padded")
		w.offset = 0
	}
	begin := w.offset + recordHeader
	return w.ring[begin : begin+uint64(n) : begin+uint64(n)], nil
}

// Commit publishes the first n of the bytes that Reserve returned, as a record.
// Readers asleep learn of it at End, or when this writer has to wait.
func (w *Writer) Commit(kind Kind, n int) error {
	return w.guarded(func() error {
		w.commit(kind, n)
		return nil
	})
}

func (w *Writer) commit(kind Kind, n int) {
	putHeader(w.ring[w.offset:], n, kind)
	point("append:written")
	w.tail = w.reservedAt() + recordSize(n)
	w.h.tail.Store(w.tail)
	point("append:committed")
}

// reservedAt returns the position of the reserved record.
func (w *Writer) reservedAt() uint64 {
	if w.offset == 0 && w.tail%w.capacity != 0 { // a pad lies before it
		return w.tail + w.capacity - w.tail%w.capacity
	}
	return w.tail
}

// Put appends one record.
func (w *Writer) Put(ctx context.Context, kind Kind, payload []byte) error {
	return w.guarded(func() error {
		b, err := w.reserve(ctx, len(payload))
		if err != nil {
			return err
		}
		copy(b, payload)
		point("append:copied")
		w.commit(kind, len(payload))
		return nil
	})
}

// End wakes the readers and gives the turn to the next writer.
func (w *Writer) End() error {
	if !w.turn {
		return nil
	}
	err := w.guarded(w.wake)
	point("turn:woke")
	w.turn = false
	return w.fail(several(err, w.guarded(w.giveTurn)))
}

// space waits until the reserved size fits behind tail.
func (w *Writer) space(ctx context.Context) error {
	for {
		if w.tail+w.size <= w.limit {
			return nil
		}
		if ok, err := w.grant(ctx); ok || err != nil {
			return err
		}
		if err := w.wake(); err != nil { // what is committed may be what they wait for
			return err
		}
		point("space:full")
		// Not one record, a quarter of the ring: a sleep costs more than a record.
		w.h.need.Store(min(w.tail+w.size+w.capacity/4-w.capacity, w.tail))
		w.h.waiting.Store(asleep)
		point("space:waiting")
		ok, err := w.grant(ctx)
		if !ok && err == nil {
			err = w.sleep(ctx, spaceBell)
		}
		w.h.waiting.Store(awake)
		if err != nil {
			return err
		}
	}
}

// grant measures how far this writer may write, and reports whether that is far
// enough.
func (w *Writer) grant(ctx context.Context) (bool, error) {
	slowest, _, err := w.measure(ctx, 0)
	if err != nil {
		return false, err
	}
	point("grant:measured")
	// Without lock: who joins from now on starts at tail, which is not below slowest.
	w.limit = slowest + w.capacity
	w.h.limit.Store(w.limit)
	point("grant:stored")
	return w.tail+w.size <= w.limit, nil
}

// measure is slowest under lock: a reader that is joining has not yet looked where
// tail is, or is counted.
func (w *Writer) measure(ctx context.Context, startedBy uint64) (cursor uint64, n int, err error) {
	if err := w.lock(ctx); err != nil {
		return 0, 0, err
	}
	point("measure:locked")
	err = w.guarded(func() (err error) {
		cursor, n, err = w.slowest(startedBy)
		return err
	})
	if uerr := w.unlock(); err == nil {
		err = uerr
	}
	return cursor, n, err
}

// slowest returns the smallest cursor of the living readers that started at or
// before a position (0: all of them), tail if there are none, and their number.
func (w *Writer) slowest(startedBy uint64) (cursor uint64, n int, err error) {
	alive, err := w.living()
	if err != nil {
		return 0, 0, err
	}
	cursor = w.tail
	for i := range w.slots {
		if !alive[i] || startedBy > 0 && w.slots[i].start.Load() > startedBy {
			continue
		}
		n++
		c := w.slots[i].cursor.Load()
		if !position(c, w.tail-min(w.capacity, w.tail), w.tail) {
			return 0, 0, w.corrupt("the reader in slot %d is at %d, tail is %d", i, c, w.tail)
		}
		cursor = min(cursor, c)
	}
	return cursor, n, nil
}

// Close leaves the stream. What was committed stays for the readers that are
// there.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	var err error
	if w.turn {
		w.turn = false
		err = ignoreGone(w.guarded(w.giveTurn))
	}
	return several(err, w.leave())
}
