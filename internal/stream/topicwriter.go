package stream

import (
	"context"
	"fmt"
	"io"

	"github.com/shmkit/shmkit/topic"
)

// TopicWriter is a Writer over a topic.
type TopicWriter struct {
	topicMember
	lines   *topic.Bytes          // nil for files
	p       *topic.BytesPublisher // with lines
	files   *topic.Topic[block]   // nil for lines
	present attendance            // who listens, with lines
}

// OpenTopicWriter joins the stream over the topic of a name as a writer, making it if need be.
func OpenTopicWriter(ctx context.Context, name string, o Options) (*TopicWriter, error) {
	m, err := newTopicMember(name, o)
	if err != nil {
		return nil, err
	}
	w := &TopicWriter{topicMember: m}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.tidy()
	if o.Content == Files {
		w.files, err = topic.OpenOrCreate[block](name, w.o.files())
		return w, w.orClose(err)
	}
	if w.lines, err = topic.OpenOrCreateBytes(name, w.o.lines()); err != nil {
		return nil, w.fail(err)
	}
	w.p, err = w.lines.Publisher()
	return w, w.orClose(err)
}

// orClose returns what failed, and closes w then.
func (w *TopicWriter) orClose(err error) error {
	if err == nil {
		return nil
	}
	return several(w.fail(err), w.Close())
}

// Readers returns how many readers there are.
func (w *TopicWriter) Readers() (int, error) {
	if w.files != nil {
		s, err := w.files.Stat()
		return s.Subscribers, err
	}
	_, all, err := w.p.Listeners()
	return ready(all), err
}

// ready counts those who get all that is published from now on.
func ready(all []topic.Listener) (n int) {
	for _, l := range all {
		if l.Ready {
			n++
		}
	}
	return n
}

// WaitReaders waits until there are n readers.
func (w *TopicWriter) WaitReaders(ctx context.Context, n int) error {
	if n < 1 {
		return nil
	}
	room, err := w.most()
	if err != nil {
		return err
	}
	if n > room {
		return &Error{Address: w.address, Err: ErrFull, Detail: fmt.Sprintf("it was made for %d, there cannot be %d", room, n)}
	}
	for p := (pace{}); ; {
		have, err := w.Readers()
		if err != nil || have >= n {
			return err
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
}

// most is how many readers there can be.
func (w *TopicWriter) most() (int, error) {
	s, err := w.stat()
	return s.MaxSubscribers, err
}

func (w *TopicWriter) stat() (topic.Stat, error) {
	if w.files != nil {
		return w.files.Stat()
	}
	return w.lines.Stat()
}

// WriteLines is Writer.WriteLines. A line is a message.
func (w *TopicWriter) WriteLines(ctx context.Context, in io.Reader) (done LinesWritten, err error) {
	s, err := w.stat()
	if err != nil {
		return done, err
	}
	var messages [][]byte
	done, err = eachBatch(ctx, in, s.MaxMessage, func(b batch) (n int, err error) {
		if err := w.look(); err != nil {
			return 0, err
		}
		begin := 0
		messages = messages[:0]
		for _, end := range b.ends {
			messages = append(messages, b.data[begin:end:end])
			begin = end
		}
		return w.p.SendBatch(ctx, messages)
	})
	if err == ErrTooLong {
		err = &Error{Address: w.address, Err: ErrTooLong, Detail: fmt.Sprintf("line %d has more than %d bytes; make the topic with a larger --max-message", done.Lines+1, s.MaxMessage)}
	}
	err = several(err, w.look())
	done.Unread = w.present.unread
	return done, err
}

// look sees who listens, and what became of the lines.
func (w *TopicWriter) look() error {
	sent, all, err := w.p.Listeners()
	if err == nil {
		w.present.see(sent, all)
	}
	return err
}

// Close leaves the stream. What was published stays for the readers that are there.
func (w *TopicWriter) Close() error {
	var errs []error
	if w.p != nil {
		errs = append(errs, w.p.Close())
	}
	if w.lines != nil {
		errs = append(errs, w.lines.Close())
	}
	if w.files != nil {
		errs = append(errs, w.files.Close())
		w.tidy()
	}
	return several(errs...)
}
