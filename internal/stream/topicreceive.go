package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/shmkit/shmkit/topic"
)

// ReceiveFile is Reader.ReceiveFile.
func (r *TopicReader) ReceiveFile(ctx context.Context, sink Sink, progress func(FileInfo, int64)) (done Transferred, err error) {
	defer func(follow bool) { r.Follow = follow }(r.Follow)
	t := transfer{}
	file := uint64(0)
	for {
		if err := ctx.Err(); err != nil { // also if there is always another block
			return t.done, err
		}
		err := r.nextBlock(ctx)
		if err == topic.ErrEmpty {
			ended, err := r.ended()
			if err != nil {
				return t.done, err
			}
			if ended {
				return t.done, t.incomplete(r.address)
			}
			continue
		}
		if err != nil {
			return t.done, err
		}
		r.seen = true
		b := r.block
		if int(b.Length) > len(b.Data) {
			return t.done, r.corrupt("a block of %d bytes", b.Length)
		}
		t.buf = b.Data[:b.Length]
		switch kind := Kind(b.Kind); {
		case kind == FileBegin:
			r.Follow = false // whoever sends it has to end it
			file = b.File
			if !t.begin(0) {
				return t.done, r.corrupt("beginning of a file")
			}
			if err := sink.Begin(t.done.Info); err != nil {
				return t.done, err
			}
		case !t.begun: // joined in the middle of somebody else's file
			if r.Late != nil && !t.late {
				r.Late()
			}
			t.late = true
		case b.File != file:
			return t.done, r.corrupt("a block of another file")
		case kind == FileData:
			if err := t.data(sink); err != nil {
				return t.done, err
			}
			if progress != nil {
				progress(t.done.Info, t.done.Bytes)
			}
		case kind == FileEnd:
			if err := t.compare(r.address); err != nil {
				return t.done, err
			}
			return t.done, r.acknowledge(ctx, file)
		default:
			return t.done, r.corrupt("a block of kind %d", kind)
		}
	}
}

// nextBlock waits for the next block for a while. ErrEmpty: none came.
func (r *TopicReader) nextBlock(ctx context.Context) error {
	if _, err := r.files.TryRead(r.block); err != topic.ErrEmpty {
		r.pace.next = 0
		return err
	}
	return r.pace.during(ctx, func(ctx context.Context) error {
		_, err := r.files.Read(ctx, r.block)
		return err
	})
}

// acknowledge tells the sender, if it is still there, that this receiver has the file.
func (r *TopicReader) acknowledge(ctx context.Context, file uint64) (err error) {
	t, err := topic.Open[answer](AnswersOf(r.name), r.o.answers())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = several(err, t.Close()) }()
	for p := (pace{}); ; {
		ap, err := t.Publisher()
		if err == nil {
			if err = ap.TrySend(&answer{File: file}); err == topic.ErrFull { // the sender has been stopped, and won't know
				err = nil
			}
			return several(err, ap.Close())
		}
		if !errors.Is(err, topic.ErrPublishers) { // others are answering just now
			return err
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
}

func (r *TopicReader) corrupt(format string, args ...any) error {
	return &Error{Address: r.address, Err: ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}
