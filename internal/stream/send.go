package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// chunkSize is how much of a file is handed over at once, if the ring is large
// enough: small enough to stay in the cache between two processes, large enough
// that a hand-over costs nothing.
const chunkSize = 256 << 10

// SendFile waits for its turn and for w.Receivers, appends a file to the stream and
// waits until every receiver has taken all of it. progress, if not nil, is called with the bytes sent so far.
//
// ErrNoReceiver if there is no receiver any more, or none found the checksum
// right. While ctx is being cancelled, a Read of src may stay blocked behind.
func (w *Writer) SendFile(ctx context.Context, src io.Reader, info FileInfo, progress func(int64)) (done Transferred, err error) {
	if err := w.beginWithReceivers(ctx); err != nil {
		return done, err
	}
	defer func() { err = several(err, w.End()) }()
	done.Info = info
	start, err := w.beginFile(ctx, info)
	if err != nil {
		return done, err
	}
	stop := make(chan struct{})
	defer close(stop)
	chunks := readAhead(src, min(chunkSize, w.MaxPayload()), stop)
	for {
		var c chunk
		select {
		case <-ctx.Done():
			return done, ctx.Err()
		case c = <-chunks:
		}
		if len(c.data) > 0 {
			if err := w.sendChunk(ctx, c.data); err != nil {
				return done, err
			}
			done.Bytes += int64(len(c.data))
			if progress != nil {
				progress(done.Bytes)
			}
		}
		if errors.Is(c.err, io.EOF) {
			done.SHA256 = c.sum
			break
		}
		if c.err != nil {
			return done, c.err
		}
		if err := w.someoneSince(ctx, start); err != nil {
			return done, err
		}
	}
	if info.Size >= 0 && done.Bytes != info.Size {
		return done, &Error{Address: w.address(), Err: ErrIncomplete, Detail: fmt.Sprintf("the file had %d bytes and %d could be read: it changed meanwhile", info.Size, done.Bytes)}
	}
	if err := w.Put(ctx, FileEnd, fileEnd{done.Bytes, done.SHA256}.marshal()); err != nil {
		return done, err
	}
	point("file:ended")
	err = w.guarded(func() (err error) {
		done.Receivers, err = w.awaitReceivers(ctx, start)
		return err
	})
	return done, err
}

// beginWithReceivers waits for this writer's turn, and that there are receivers then:
// those that were there before may have taken the file of the one whose turn it was.
func (w *Writer) beginWithReceivers(ctx context.Context) error {
	for {
		if err := w.WaitReaders(ctx, w.Receivers); err != nil {
			return err
		}
		if err := w.Begin(ctx); err != nil || w.Receivers == 0 {
			return err
		}
		_, n, err := w.measure(ctx, 0)
		if err == nil && n >= w.Receivers {
			return nil
		}
		if err := several(w.fail(err), w.End()); err != nil {
			return err
		}
	}
}

// beginFile publishes the record that begins a file and returns its position.
func (w *Writer) beginFile(ctx context.Context, info FileInfo) (uint64, error) {
	head, start := info.marshal(), uint64(0)
	err := w.guarded(func() error {
		b, err := w.reserve(ctx, len(head))
		if err != nil {
			return err
		}
		copy(b, head)
		start = w.reservedAt()
		w.h.verified.Store(mark(start))
		w.commit(FileBegin, len(head))
		point("file:begun")
		return w.wake()
	})
	return start, w.fail(err)
}

// sendChunk publishes some bytes of the file.
func (w *Writer) sendChunk(ctx context.Context, b []byte) error {
	if err := w.Put(ctx, FileData, b); err != nil {
		return err
	}
	point("file:data")
	return w.fail(w.guarded(w.wake))
}

// someoneSince fails when no receiver is left that has seen the start.
func (w *Writer) someoneSince(ctx context.Context, start uint64) error {
	if n, err := w.Readers(); n > 0 || err != nil { // cheap, and mostly enough
		return err
	}
	_, n, err := w.measure(ctx, max(start, 1))
	if err == nil && n == 0 {
		err = &Error{Address: w.address(), Err: ErrNoReceiver, Detail: "all of them went away before the end"}
	}
	return w.fail(err)
}

// awaitReceivers waits until every receiver that has seen the start has passed
// tail or is gone, and returns how many verified the file.
func (w *Writer) awaitReceivers(ctx context.Context, start uint64) (int, error) {
	if err := w.wake(); err != nil {
		return 0, w.fail(err)
	}
	for {
		w.h.need.Store(w.tail)
		w.h.waiting.Store(asleep)
		point("await:waiting")
		cursor, n, err := w.measure(ctx, max(start, 1))
		if err == nil && n > 0 && cursor < w.tail {
			err = w.sleep(ctx, spaceBell)
			n = 1
		} else {
			n = 0
		}
		w.h.waiting.Store(awake)
		if err != nil {
			return 0, w.fail(err)
		}
		if n == 0 {
			break
		}
	}
	v := w.h.verified.Load()
	count := int(v & (1<<verifiedBits - 1))
	if v>>verifiedBits != mark(start)>>verifiedBits || count == 0 {
		return 0, &Error{Address: w.address(), Err: ErrNoReceiver, Detail: "nobody received the whole file and found its checksum right"}
	}
	return count, nil
}
