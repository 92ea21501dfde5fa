package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/topic"
)

// sending is a file on its way.
type sending struct {
	w       *TopicWriter
	p       *topic.Publisher[block]
	file    uint64
	answers *topic.Subscriber[answer]
	to      map[int]uint32 // the receivers that have been there from the beginning, by place
	done    Transferred
}

// SendFile is Writer.SendFile. A receiver says on another topic that it has the file.
func (w *TopicWriter) SendFile(ctx context.Context, src io.Reader, info FileInfo, progress func(int64)) (done Transferred, err error) {
	s := &sending{w: w, file: rand.Uint64(), to: map[int]uint32{}, done: Transferred{Info: info}}
	if err := s.takeTurn(ctx); err != nil {
		return done, err
	}
	defer func() { err = several(err, s.p.Close()) }()
	s.answers, err = topic.NewSubscriber[answer](AnswersOf(w.name), &topic.SubscriberOptions{Topic: w.o.answers()})
	if err != nil {
		return done, err
	}
	defer func() { err = several(err, s.answers.Close()) }()
	if err := s.begin(ctx); err != nil {
		return done, err
	}
	if err := s.content(ctx, src, progress); err != nil {
		return s.done, err
	}
	if err := s.put(ctx, FileEnd, fileEnd{s.done.Bytes, s.done.SHA256}.marshal()); err != nil {
		return s.done, err
	}
	err = s.await(ctx)
	return s.done, err
}

// takeTurn waits for receivers and for the place of the one publisher, and that there are receivers then:
// those that were there before may have taken the file of the one whose turn it was.
func (s *sending) takeTurn(ctx context.Context) (err error) {
	for p := (pace{}); ; {
		if err := s.w.WaitReaders(ctx, s.w.o.Receivers); err != nil {
			return err
		}
		s.p, err = s.w.files.Publisher()
		switch {
		case err == nil:
			_, all, err := s.p.Listeners()
			if err == nil && ready(all) >= s.w.o.Receivers {
				return nil
			}
			if err := several(err, s.p.Close()); err != nil {
				return err
			}
		case !errors.Is(err, topic.ErrPublishers):
			return err
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
}

// begin publishes what begins the file, and notes for whom.
func (s *sending) begin(ctx context.Context) error {
	before, all, err := s.p.Listeners()
	if err != nil {
		return err
	}
	s.note(all, before)
	if err := s.put(ctx, FileBegin, s.done.Info.marshal()); err != nil {
		return err
	}
	_, all, err = s.p.Listeners()
	s.note(all, before)
	return err
}

// note notes those who get all behind a message.
func (s *sending) note(all []topic.Listener, behind uint64) {
	for _, l := range all {
		if l.Ready && l.Next <= behind+1 {
			s.to[l.Place] = l.Member
		}
	}
}

// content publishes the bytes of the file.
func (s *sending) content(ctx context.Context, src io.Reader, progress func(int64)) error {
	stop := make(chan struct{})
	defer close(stop)
	chunks := readAhead(src, len(block{}.Data), stop)
	for {
		var c chunk
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c = <-chunks:
		}
		if len(c.data) > 0 {
			if err := s.put(ctx, FileData, c.data); err != nil {
				return err
			}
			s.done.Bytes += int64(len(c.data))
			if progress != nil {
				progress(s.done.Bytes)
			}
		}
		if errors.Is(c.err, io.EOF) {
			s.done.SHA256 = c.sum
			break
		}
		if c.err != nil {
			return c.err
		}
		if left, err := s.left(); err != nil {
			return err
		} else if left == 0 {
			return s.fail(ErrNoReceiver, "all of them went away before the end")
		}
	}
	if size := s.done.Info.Size; size >= 0 && s.done.Bytes != size {
		return s.fail(ErrIncomplete, "the file had %d bytes and %d could be read: it changed meanwhile", size, s.done.Bytes)
	}
	return nil
}

// put publishes a block, which it writes in place.
func (s *sending) put(ctx context.Context, kind Kind, data []byte) error {
	l, err := s.p.Loan(ctx)
	if err != nil {
		return err
	}
	if fault := shmkit.Guard(func() {
		b := l.Data()
		b.Kind, b.Length, b.File = uint32(kind), uint32(len(data)), s.file
		copy(b.Data[:], data)
	}); fault != nil {
		return several(fault, l.Drop())
	}
	return l.Publish()
}

// left counts the receivers that have not left.
func (s *sending) left() (n int, err error) {
	_, all, err := s.p.Listeners()
	for _, l := range all {
		if member, is := s.to[l.Place]; is && l.Alive && l.Member == member {
			n++
		}
	}
	return n, err
}

// await waits until all receivers have left, and counts those who found the file to be right: they say so before
// they leave.
func (s *sending) await(ctx context.Context) error {
	for p := (pace{}); ; {
		left, err := s.left()
		if err != nil {
			return err
		}
		if err := s.hear(); err != nil {
			return err
		}
		if left == 0 {
			break
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
	if s.done.Receivers == 0 {
		return s.fail(ErrNoReceiver, "nobody received the whole file and found its checksum right")
	}
	return nil
}

// hear counts the answers there are.
func (s *sending) hear() error {
	for {
		var a answer
		_, err := s.answers.TryRead(&a)
		switch {
		case err == topic.ErrEmpty:
			return nil
		case err != nil:
			return err
		case a.File == s.file:
			s.done.Receivers++
		}
	}
}

func (s *sending) fail(kind error, format string, args ...any) error {
	return &Error{Address: s.w.address, Err: kind, Detail: fmt.Sprintf(format, args...)}
}
