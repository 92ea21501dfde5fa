package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Reader takes every record of a stream that is appended after it joined.
type Reader struct {
	*member
	Reading

	index  int    // its slot
	cursor uint64 // the record it is at
	next   uint64 // where the one after it begins; cursor if none was taken yet
	joined uint64 // writers that had joined when it did
	seen   bool   // it has seen a writer
	closed bool
}

// Record is one record of a stream.
type Record struct {
	Kind Kind
	// Data is shared memory. It stays as it is until the next Next or Advance,
	// unless a peer breaks the rules: check a copy, not the original, and take it under
	// shmkit.Guard.
	Data []byte
	// Pos is the position of the record, End that of the next.
	Pos, End uint64
}

// OpenReader joins the stream at a site as a reader, making it if need be.
func OpenReader(ctx context.Context, at Site, o Options) (*Reader, error) {
	r := &Reader{Reading: o.Reading}
	m, err := join(ctx, at, o, func(m *member) (int, error) {
		r.member = m
		return r.index, r.prepare()
	})
	if err != nil {
		return nil, err
	}
	r.member = m
	return r, nil
}

// prepare takes a free slot and starts at tail.
func (r *Reader) prepare() (err error) {
	if r.index, err = r.claim(); err != nil {
		return err
	}
	if r.index < 0 {
		return &Error{Address: r.address(), Err: ErrFull, Detail: fmt.Sprintf("it has %d", MaxReaders)}
	}
	point("join:claimed")
	tail := r.h.tail.Load()
	if tail%8 != 0 {
		return r.corrupt("tail %d", tail)
	}
	s := &r.slots[r.index]
	r.h.keep(s)
	s.start.Store(tail)
	point("join:start")
	s.cursor.Store(tail)
	s.sleeping.Store(awake)
	point("join:slot")
	r.cursor, r.next = tail, tail
	r.joined = r.h.joined.Load()
	if r.seen, err = r.hasWriters(); err != nil {
		return err
	}
	if n := uint32(r.index) + 1; r.h.highest.Load() < n {
		r.h.highest.Store(n)
	}
	return nil
}

// Next gives the space of the previous record back, waits for the next and
// returns it. It returns io.EOF when every writer seen has ended and everything
// was read, unless Follow; the reader has then left the stream.
func (r *Reader) Next(ctx context.Context) (rec Record, err error) {
	err = r.guarded(func() error {
		rec, err = r.nextRecord(ctx)
		return err
	})
	return rec, err
}

func (r *Reader) nextRecord(ctx context.Context) (Record, error) {
	for {
		if err := r.advance(); err != nil {
			return Record{}, err
		}
		if err := ctx.Err(); err != nil { // also if there is always another record
			return Record{}, err
		}
		if r.gone {
			return Record{}, io.EOF
		}
		ready, err := r.wait(ctx)
		if err != nil {
			return Record{}, r.fail(err)
		}
		if !ready {
			return Record{}, io.EOF
		}
		rec, err := r.take()
		if err != nil || rec.Kind != pad {
			return rec, err
		}
	}
}

// Pending reports whether Next would return at once.
func (r *Reader) Pending() bool {
	pending := true // if it faults: Next says why
	_ = r.guarded(func() error {
		pending = r.h.tail.Load() != r.next
		return nil
	})
	return pending
}

// take returns the record at the cursor, of which there is one.
func (r *Reader) take() (Record, error) {
	tail := r.h.tail.Load()
	if !position(tail, r.cursor+recordHeader, r.cursor+r.capacity) {
		return Record{}, r.corrupt("tail %d, this reader is at %d", tail, r.cursor)
	}
	at := r.cursor % r.capacity
	n, kind := getHeader(r.ring[at:])
	room := min(tail-r.cursor, r.capacity-at)
	if size := recordSize(int(n)); size > room {
		return Record{}, r.corrupt("record of %d bytes at %d, where there is room for %d", n, r.cursor, room)
	}
	r.next = r.cursor + recordSize(int(n))
	// So that pads cannot follow each other for ever.
	if kind == pad && (at == 0 || r.next%r.capacity != 0) {
		return Record{}, r.corrupt("padding of %d bytes at %d", n, r.cursor)
	}
	begin := at + recordHeader
	return Record{Kind: kind, Data: r.ring[begin : begin+n : begin+n], Pos: r.cursor, End: r.next}, nil
}

// Advance gives the space of the record that was taken back.
func (r *Reader) Advance() error { return r.guarded(r.advance) }

func (r *Reader) advance() error {
	if r.next == r.cursor {
		return nil
	}
	r.cursor = r.next
	point("read:used")
	r.slots[r.index].cursor.Store(r.cursor)
	point("read:advanced")
	if r.h.waiting.Load() == asleep && r.cursor >= r.h.need.Load() {
		return r.fail(r.wakeWriter())
	}
	return nil
}

// wait returns true when there is a record, false at the end. Whatever it waits
// for is looked at after it is marked asleep: who changes it then posts.
func (r *Reader) wait(ctx context.Context) (bool, error) {
	for {
		if r.h.tail.Load() != r.cursor {
			return true, nil
		}
		point("sleep:empty")
		s := &r.slots[r.index].sleeping
		s.Store(asleep)
		point("sleep:marked")
		ended, err := false, error(nil)
		if r.h.tail.Load() == r.cursor {
			if ended, err = r.ended(); !ended && err == nil {
				point("sleep:looked")
				err = r.sleep(ctx, bell(r.index))
			}
		}
		s.Store(awake)
		if ended && err == nil {
			ended, err = r.end(ctx)
		}
		if ended || err != nil {
			return false, err
		}
	}
}

// end decides whether this is the end, and leaves if it is: both under lock, so that no
// writer that joins counts on a reader that is about to go.
func (r *Reader) end(ctx context.Context) (bool, error) {
	point("end:found")
	patient, cancel := context.WithTimeout(ctx, leavePatience)
	defer cancel()
	switch err := r.lock(patient); {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		r.quit(patient) // which has no patience left
		return true, nil
	case err != nil:
		return false, err
	}
	point("end:locked")
	ended, err := false, error(nil)
	if fault := r.guarded(func() error { ended, err = r.ended(); return err }); !ended || fault != nil {
		return false, several(fault, r.unlock())
	}
	r.gone, r.goneErr = true, r.part()
	point("end:left")
	r.clear()
	return true, nil
}

// ended reports whether nothing will come any more. It looks at joined before writers:
// a writer that is counted and not there has ended, and does not just begin. And at
// writers before tail: what the last of them committed is not missed.
func (r *Reader) ended() (bool, error) {
	came := r.h.joined.Load() != r.joined
	point("end:joined")
	writers, err := r.hasWriters()
	if err != nil {
		return false, err
	}
	r.seen = r.seen || writers || came
	return r.seen && !writers && !r.Follow && r.h.tail.Load() == r.cursor, nil
}

// Close leaves the stream.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.leave()
}
