package stream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Sink takes a file that is being received.
type Sink interface {
	// Begin is called before the first byte, and again if the sender ended
	// half-way and another file begins: what came before is void.
	Begin(FileInfo) error
	io.Writer
}

// ReceiveFile hands the next file whose beginning this reader sees to sink, and
// compares size and checksum. progress, if not nil, is called with the bytes
// received so far.
//
// ErrIncomplete if the sender ended before the file did and no other sender is
// there, ErrMismatch if what arrived is not what was sent. Either way what sink
// has is not the file. Senders that end before this reader saw a file begin are
// ErrIncomplete too, unless Follow.
func (r *Reader) ReceiveFile(ctx context.Context, sink Sink, progress func(FileInfo, int64)) (done Transferred, err error) {
	defer func(follow bool) { r.Follow = follow }(r.Follow)
	t := transfer{}
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return t.done, t.incomplete(r.address())
		}
		if err != nil {
			return t.done, err
		}
		if err := t.copy(r, rec); err != nil {
			return t.done, err
		}
		switch {
		case rec.Kind == FileBegin:
			r.Follow = false // whoever sends it has to end it
			if !t.begin(rec.Pos) {
				return t.done, r.corrupt("beginning of a file at %d", rec.Pos)
			}
			if err := sink.Begin(t.done.Info); err != nil {
				return t.done, err
			}
		case !t.begun: // joined in the middle of somebody else's file
			if r.Late != nil && !t.late {
				r.Late()
			}
			t.late = true
		case rec.Kind == FileData:
			if err := t.data(sink); err != nil {
				return t.done, err
			}
			if progress != nil {
				progress(t.done.Info, t.done.Bytes)
			}
		case rec.Kind == FileEnd:
			if err := t.compare(r.address()); err != nil {
				return t.done, err
			}
			return t.done, t.end(r)
		default:
			return t.done, r.corrupt("record of kind %d at %d", rec.Kind, rec.Pos)
		}
	}
}

// transfer is a file being received.
type transfer struct {
	begun bool
	late  bool   // records of a file were passed over
	start uint64 // position of its first record
	sum   hash.Hash
	buf   []byte // private copy of the record at hand
	done  Transferred
}

// begin begins anew with the file that the record at hand says, and reports whether that can be.
func (t *transfer) begin(pos uint64) bool {
	*t = transfer{begun: true, start: pos, sum: sha256.New(), buf: t.buf}
	return t.done.Info.unmarshal(t.buf)
}

// copy takes a private copy of a record: what is summed is what sink got, whatever a
// peer does to the shared bytes meanwhile.
func (t *transfer) copy(r *Reader, rec Record) error {
	return r.guarded(func() error {
		t.buf = append(t.buf[:0], rec.Data...)
		return nil
	})
}

// data passes copied bytes on.
func (t *transfer) data(sink Sink) error {
	b := t.buf
	n, err := sink.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	_, _ = t.sum.Write(b)
	t.done.Bytes += int64(n)
	return nil
}

// compare compares what came with what the record at hand, the last one, says.
func (t *transfer) compare(address string) error {
	var e fileEnd
	if !e.unmarshal(t.buf) {
		return &Error{Address: address, Err: ErrCorrupt, Detail: fmt.Sprintf("end of a file after %d bytes", t.done.Bytes)}
	}
	t.sum.Sum(t.done.SHA256[:0])
	if e.size != t.done.Bytes || e.sum != t.done.SHA256 {
		return &Error{Address: address, Err: ErrMismatch, Detail: fmt.Sprintf("sent %d bytes with SHA-256 %x, received %d with %x", e.size, e.sum, t.done.Bytes, t.done.SHA256)}
	}
	return nil
}

func (t *transfer) end(r *Reader) error {
	return r.guarded(func() error {
		t.acknowledge(r)
		if r.Once { // leaving says it
			return nil
		}
		return r.advance()
	})
}

// acknowledge counts this receiver, if the sender still waits for this file.
func (t *transfer) acknowledge(r *Reader) {
	point("receive:verified")
	for range 2 * MaxReaders { // each failure is another one's success
		v := r.h.verified.Load()
		if v>>verifiedBits != mark(t.start)>>verifiedBits || v&(1<<verifiedBits-1) == 1<<verifiedBits-1 {
			return
		}
		if r.h.verified.CompareAndSwap(v, v+1) {
			return
		}
	}
}

// incomplete is the error for a stream that ended without a whole file.
func (t *transfer) incomplete(address string) error {
	detail := "the sender ended without sending a file, or this receiver came in the middle of one"
	if t.begun {
		detail = fmt.Sprintf("the sender ended after %d bytes", t.done.Bytes)
		if t.done.Info.Size >= 0 {
			detail += fmt.Sprintf(" of %d", t.done.Info.Size)
		}
	}
	return &Error{Address: address, Err: ErrIncomplete, Detail: detail}
}
