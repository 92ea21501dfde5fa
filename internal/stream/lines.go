package stream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the longest line, without its newline.
const MaxLine = 1 << 20

// batchSize is how many bytes of lines are appended in one turn, more or less.
const batchSize = 256 << 10

// LinesWritten is what WriteLines did.
type LinesWritten struct {
	Lines  int64
	Bytes  int64 // of the lines, a newline each included
	Unread int64 // of those, which no reader has read, and none is left that could
}

// WriteLines appends every line of in to the stream until in ends or ctx does. A
// last line without a newline counts as one. A line longer than MaxLine, or than
// the ring takes, is ErrTooLong; the lines before it are appended.
//
// While ctx is being cancelled, a Read of in may stay blocked behind.
func (w *Writer) WriteLines(ctx context.Context, in io.Reader) (done LinesWritten, err error) {
	var open openLines
	var unread int64
	longest := min(MaxLine, w.MaxPayload())
	done, err = eachBatch(ctx, in, longest, func(b batch) (n int, err error) {
		if n, err = w.writeBatch(ctx, b, &open); n > 0 && err == nil {
			var none int64
			none, err = w.settleIfNeeded(ctx, &open)
			unread += none
		}
		return n, err
	})
	if errors.Is(err, ErrTooLong) {
		err = &Error{Address: w.address(), Err: ErrTooLong, Detail: fmt.Sprintf("line %d has more than %d bytes", done.Lines+1, longest)}
	}
	last, serr := w.settleLast(&open)
	done.Unread = unread + last
	if err == nil {
		err = serr
	}
	return done, err
}

// eachBatch hands the lines of in to do, which returns how many it has dealt with, until in ends or
// ctx does. ErrTooLong, as it is, is of the line behind those that are done.
func eachBatch(ctx context.Context, in io.Reader, longest int, do func(batch) (int, error)) (done LinesWritten, err error) {
	batches := make(chan batch)
	stop := make(chan struct{})
	defer close(stop)
	go scan(in, longest, batches, stop)
	for {
		select {
		case <-ctx.Done():
			return done, ctx.Err()
		case b := <-batches:
			n, err := do(b)
			done.Lines += int64(n)
			done.Bytes += b.size(n)
			switch {
			case err != nil:
				return done, err
			case errors.Is(b.err, io.EOF):
				return done, nil
			case b.err != nil:
				return done, b.err
			}
		}
	}
}

// writeBatch appends the lines of b in one turn, adds them to open, and returns how
// many it did.
func (w *Writer) writeBatch(ctx context.Context, b batch, open *openLines) (n int, err error) {
	if len(b.ends) == 0 {
		return 0, nil
	}
	if err := w.Begin(ctx); err != nil {
		return 0, err
	}
	begin, turn := 0, lineRun{start: w.tail}
	for _, end := range b.ends {
		if err = w.Put(ctx, Line, b.data[begin:end]); err != nil {
			break
		}
		begin = end
		turn.ends = append(turn.ends, uint32(w.tail-turn.start))
		n++
	}
	if n > 0 {
		*open = append(*open, turn)
	}
	return n, several(err, w.End())
}

// batch is some lines that were there at once, and how the input went on.
type batch struct {
	data []byte
	ends []int // where in data each line ends
	err  error // of the input, after these lines
}

// size is how many bytes the first n lines have as they are printed.
func (b *batch) size(n int) int64 {
	if n == 0 {
		return 0
	}
	return int64(b.ends[n-1] + n) // data is without newlines
}

// scan cuts in into lines and hands them over as they come: it waits for the
// first line of a batch only.
func scan(in io.Reader, longest int, batches chan<- batch, stop <-chan struct{}) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		var b batch
		for b.err == nil {
			b.err = b.add(r, longest)
			if len(b.data) >= batchSize || !lineBuffered(r) {
				break
			}
		}
		select {
		case batches <- b:
		case <-stop:
			return
		}
		if b.err != nil {
			return
		}
	}
}

// add reads one line.
func (b *batch) add(r *bufio.Reader, longest int) error {
	begin := len(b.data)
	for {
		part, err := r.ReadSlice('\n')
		b.data = append(b.data, part...)
		n := len(b.data) - begin
		switch ended := err == nil; {
		case ended && n-1 <= longest:
			b.data = b.data[:len(b.data)-1]
			b.ends = append(b.ends, len(b.data))
			return nil
		case ended, n > longest:
			b.data = b.data[:begin]
			return ErrTooLong
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			if n > 0 {
				b.ends = append(b.ends, len(b.data))
			}
			return err
		}
	}
}

// lineBuffered reports whether a whole line can be had without reading.
func lineBuffered(r *bufio.Reader) bool {
	b, _ := r.Peek(r.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// ReadLines writes every line to out until the stream ends, ctx does, or most
// lines were written (0: no bound). It returns how many it wrote. Lines that were
// taken are written even if ctx ends.
func (r *Reader) ReadLines(ctx context.Context, out io.Writer, most int64) (n int64, err error) {
	buf := bufio.NewWriterSize(out, 64<<10)
	defer func() {
		if ferr := buf.Flush(); ferr != nil {
			err = ferr
		}
	}()
	for {
		if most > 0 && n == most {
			return n, r.Advance() // it has read the last one as well
		}
		if !r.Pending() {
			if err := buf.Flush(); err != nil {
				return n, err
			}
		}
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if rec.Kind != Line {
			return n, r.corrupt("record of kind %d at %d", rec.Kind, rec.Pos)
		}
		if err := r.guarded(func() error {
			_, err := buf.Write(rec.Data)
			return err
		}); err != nil {
			return n, err
		}
		if err := buf.WriteByte('\n'); err != nil {
			return n, err
		}
		n++
	}
}
