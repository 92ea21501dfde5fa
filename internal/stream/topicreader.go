package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/shmkit/shmkit/topic"
)

// TopicReader is a Reader over a topic.
type TopicReader struct {
	topicMember
	Reading
	from  interface{ Stat() (topic.Stat, error) } // the topic
	close func() error                            // and how it is closed
	lines *topic.BytesSubscriber                  // nil for files
	files *topic.Subscriber[block]                // nil for lines
	ids   uint32                                  // publishers there had been when it came
	seen  bool                                    // it has seen a writer
	gone  bool
	pace  pace
	block *block // private copy of the block at hand
}

// subscription is what subscribers of all types have.
type subscription interface {
	CloseIfDone() (bool, error)
	Missed() uint64
	Close() error
}

// OpenTopicReader joins the stream over the topic of a name as a reader, making it if need be.
func OpenTopicReader(ctx context.Context, name string, o Options) (*TopicReader, error) {
	m, err := newTopicMember(name, o)
	if err != nil {
		return nil, err
	}
	r := &TopicReader{topicMember: m, Reading: o.Reading}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.tidy()
	if o.Content == Files {
		err = r.openFiles()
	} else {
		err = r.openLines()
	}
	if err != nil {
		return nil, several(r.fail(err), r.Close())
	}
	return r, nil
}

func (r *TopicReader) openFiles() error {
	t, err := topic.OpenOrCreate[block](r.name, r.o.files())
	if err != nil {
		return err
	}
	r.from, r.close, r.block = t, t.Close, &block{}
	if err := r.count(); err != nil {
		return err
	}
	r.files, err = t.Subscriber(&topic.SubscriberOptions{History: -1})
	return err
}

func (r *TopicReader) openLines() error {
	t, err := topic.OpenOrCreateBytes(r.name, r.o.lines())
	if err != nil {
		return err
	}
	r.from, r.close = t, t.Close
	if err := r.count(); err != nil {
		return err
	}
	r.lines, err = t.Subscriber(nil)
	return err
}

// count notes whether there is a publisher, and how many there have been. Before it subscribes: one that sees the subscriber,
// publishes nothing and leaves, has been seen as well.
func (r *TopicReader) count() error {
	s, err := r.from.Stat()
	r.ids, r.seen = ids(s), s.Publishers > 0
	return err
}

// ids is the id of the last publisher.
func ids(s topic.Stat) (last uint32) {
	for _, l := range s.Lanes {
		if int32(l.Publisher-last) > 0 {
			last = l.Publisher
		}
	}
	return last
}

func (r *TopicReader) sub() subscription {
	if r.files != nil {
		return r.files
	}
	return r.lines
}

// ended reports whether nothing will come any more, after nothing was there. It has left then.
func (r *TopicReader) ended() (bool, error) {
	s, err := r.from.Stat()
	if err != nil {
		return false, err
	}
	r.seen = r.seen || s.Publishers > 0 || ids(s) != r.ids
	if !r.seen || r.Follow || s.Publishers > 0 {
		return false, nil
	}
	r.gone, err = r.sub().CloseIfDone()
	return r.gone, err
}

// ReadLines is Reader.ReadLines.
func (r *TopicReader) ReadLines(ctx context.Context, out io.Writer, most int64) (n int64, err error) {
	s, err := r.from.Stat()
	if err != nil {
		return 0, err
	}
	line := make([]byte, s.MaxMessage+1)
	buf := bufio.NewWriterSize(out, 64<<10)
	defer func() {
		if ferr := buf.Flush(); ferr != nil {
			err = ferr
		}
	}()
	for most == 0 || n < most {
		if err := ctx.Err(); err != nil { // also if there is always another line
			return n, err
		}
		length, err := r.nextLine(ctx, line, buf)
		switch {
		case err == topic.ErrEmpty:
			ended, err := r.ended()
			if ended || err != nil {
				return n, several(err, r.missed())
			}
			continue
		case err != nil:
			return n, err
		}
		r.seen = true
		line[length] = '\n'
		if _, err := buf.Write(line[:length+1]); err != nil {
			return n, err
		}
		n++
	}
	return n, r.missed()
}

// nextLine waits for the next line for a while, having written those before. ErrEmpty: none came.
func (r *TopicReader) nextLine(ctx context.Context, line []byte, buf *bufio.Writer) (n int, err error) {
	n, _, err = r.lines.TryRead(line[:len(line)-1])
	if err != topic.ErrEmpty {
		r.pace.next = 0
		return n, err
	}
	if err := buf.Flush(); err != nil {
		return 0, err
	}
	err = r.pace.during(ctx, func(ctx context.Context) (err error) {
		n, _, err = r.lines.Read(ctx, line[:len(line)-1])
		return err
	})
	return n, err
}

// missed is the error if lines were overwritten before they were read, as in a topic that was made best effort.
func (r *TopicReader) missed() error {
	n := r.sub().Missed()
	if n == 0 {
		return nil
	}
	return &Error{Address: r.address, Err: ErrMissed, Detail: fmt.Sprintf("%d of them; the topic was made so that nobody waits for readers", n)}
}

// Close leaves the stream.
func (r *TopicReader) Close() error {
	var errs []error
	if r.lines != nil || r.files != nil {
		errs = append(errs, r.sub().Close())
	}
	if r.close != nil {
		errs = append(errs, r.close())
	}
	if r.o.Content == Files {
		r.tidy()
	}
	return several(errs...)
}

// ErrMissed: lines were overwritten before this reader had read them.
var ErrMissed = errors.New("lines were missed")
