package bench

import (
	"errors"

	"github.com/shmkit/shmkit/topic"
)

// topicWay is two topics, by copy or by loan and view.
func topicWay(loan bool) way {
	w := way{
		name: "topic", ours: true, about: "two topics, Send and Read",
		open: func(r *room) (end, error) { return openTopics(r, loan) },
	}
	if loan {
		w.name, w.about = "topic loan", "two topics, messages made in a loan and looked at in a view"
	}
	return w
}

type topics struct {
	r    *room
	loan bool
	out  *topic.BytesPublisher
	in   *topic.BytesSubscriber
	buf  []byte
}

func openTopics(r *room, loan bool) (end, error) {
	out, in := "there", "back"
	if !r.first {
		out, in = in, out
	}
	o := &topic.Options{Dir: r.dir, MaxMessage: r.Size, Publishers: 1, Subscribers: 1}
	if r.Size >= 64<<10 { // as few as a segment has here: what is used again soon is still in the cache
		o.Depth = slotsOf(r.Size)
	}
	t := &topics{r: r, loan: loan, buf: make([]byte, r.Size)}
	var err error
	if t.out, err = topic.NewBytesPublisher(out, o); err != nil {
		return nil, err
	}
	if t.in, err = topic.NewBytesSubscriber(in, &topic.SubscriberOptions{Topic: o}); err != nil {
		return nil, errors.Join(err, t.out.Close())
	}
	return t, nil
}

func (t *topics) send(seq uint64) error {
	if t.loan {
		l, err := t.room()
		if err != nil {
			return err
		}
		t.r.pay.put(l.Data()[:t.r.Size], seq)
		return l.Publish(t.r.Size)
	}
	t.r.pay.put(t.buf, seq)
	if t.r.Wait == Block {
		return t.out.Send(t.r.ctx, t.buf)
	}
	for {
		if err := t.out.TrySend(t.buf); !errors.Is(err, topic.ErrFull) {
			return err
		}
	}
}

// room is room for a message.
func (t *topics) room() (topic.BytesLoan, error) {
	if t.r.Wait == Block {
		return t.out.Loan(t.r.ctx)
	}
	for {
		if l, err := t.out.TryLoan(); !errors.Is(err, topic.ErrFull) {
			return l, err
		}
	}
}

func (t *topics) receive(seq uint64) error {
	if !t.loan {
		n, err := t.read()
		if err != nil {
			return err
		}
		return t.r.pay.get(t.buf[:n], seq)
	}
	m, err := t.view()
	if err != nil {
		return err
	}
	return errors.Join(t.r.pay.get(m.Data(), seq), m.Release())
}

func (t *topics) read() (n int, err error) {
	if t.r.Wait == Block {
		n, _, err = t.in.Read(t.r.ctx, t.buf)
		return n, err
	}
	for {
		if n, _, err = t.in.TryRead(t.buf); !errors.Is(err, topic.ErrEmpty) {
			return n, err
		}
	}
}

func (t *topics) view() (topic.BytesMessage, error) {
	if t.r.Wait == Block {
		return t.in.Receive(t.r.ctx)
	}
	for {
		if m, err := t.in.TryReceive(); !errors.Is(err, topic.ErrEmpty) {
			return m, err
		}
	}
}

func (t *topics) memory() int64 {
	s, err := t.out.Stat()
	if err != nil {
		return -1
	}
	return 2 * (s.Size + s.MessagesSize)
}

func (t *topics) close() error { return errors.Join(t.in.Close(), t.out.Close()) }
