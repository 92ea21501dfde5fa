package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/topic"
)

// topicTrip is two topics, one for each direction, by copy.
func topicTrip() work {
	return work{
		name: "topic", op: "64 bytes there and back, two topics, spinning", n: 5_000, asked: 2.5,
		parent: func(r *room) (side, error) { return openTopicTrip(r, true) },
		child:  func(r *room) (side, error) { return openTopicTrip(r, false) },
	}
}

// names returns what a side writes to and what it reads.
func directions(first bool) (out, in string) {
	if first {
		return "there", "back"
	}
	return "back", "there"
}

// ends opens a publisher of one topic and a subscriber of another.
func ends[T any](r *room, first bool, o topic.Options) (*topic.Publisher[T], *topic.Subscriber[T], error) {
	out, in := directions(first)
	o.Dir = r.dir
	p, err := topic.NewPublisher[T](out, &o)
	if err != nil {
		return nil, nil, err
	}
	s, err := topic.NewSubscriber[T](in, &topic.SubscriberOptions{Topic: &o})
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, s, nil
}

type topicSide struct {
	r     *room
	first bool
	out   *topic.Publisher[message]
	in    *topic.Subscriber[message]
	seq   uint64
}

func openTopicTrip(r *room, first bool) (side, error) {
	p, s, err := ends[message](r, first, topic.Options{})
	if err != nil {
		return nil, err
	}
	return &topicSide{r: r, first: first, out: p, in: s}, nil
}

func (t *topicSide) run(n int, check bool) error {
	var m message
	for range n {
		t.seq++
		if t.first {
			m.set(t.seq, check)
			if err := t.out.Send(t.r.ctx, &m); err != nil {
				return err
			}
		}
		if _, err := t.in.Read(t.r.ctx, &m); err != nil {
			return err
		}
		if err := m.is(t.seq, check); err != nil {
			return err
		}
		if !t.first {
			if err := t.out.Send(t.r.ctx, &m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *topicSide) close() error { return errors.Join(t.in.Close(), t.out.Close()) }

// topicStreams are messages one way, one by one and in batches.
func topicStreams() []work {
	one := func(name, op string, batch, n int, asked float64) work {
		return work{
			name: name, op: op, n: n, inverse: true, asked: asked,
			parent: func(r *room) (side, error) { return openTopicFlow(r, true, batch) },
			child:  func(r *room) (side, error) { return openTopicFlow(r, false, batch) },
		}
	}
	return []work{
		one("topic-stream", "64 bytes one way, a topic, one by one", 1, 20_000, 2),
		one("topic-batch", "64 bytes one way, a topic, 64 at a time", 64, 64_000, 6),
	}
}

type topicFlow struct {
	r    *room
	out  *topic.Publisher[message]
	in   *topic.Subscriber[message]
	all  []message
	done *shmkit.TypedView[line]
	seq  uint64
}

func openTopicFlow(r *room, sends bool, batch int) (side, error) {
	done, err := shmkit.View[line](r.mem, 0)
	if err != nil {
		return nil, err
	}
	f := &topicFlow{r: r, all: make([]message, batch), done: done}
	// The subscriber comes second, and before the first message.
	t, err := topic.OpenOrCreate[message]("stream", &topic.Options{Dir: r.dir})
	if err == nil && sends {
		f.out, err = t.Publisher()
	} else if err == nil {
		f.in, err = t.Subscriber(nil)
	}
	if err != nil {
		return nil, err
	}
	return f, t.Close()
}

func (f *topicFlow) run(n int, check bool) (err error) {
	for n > 0 {
		got := min(n, len(f.all))
		if f.out != nil {
			for i := range f.all[:got] {
				f.all[i].set(f.seq+1+uint64(i), check)
			}
			if len(f.all) == 1 {
				err = f.out.Send(f.r.ctx, &f.all[0])
			} else {
				_, err = f.out.SendBatch(f.r.ctx, f.all[:got])
			}
		} else {
			if len(f.all) == 1 {
				_, err = f.in.Read(f.r.ctx, &f.all[0])
			} else {
				got, err = f.in.ReadBatch(f.r.ctx, f.all[:got])
			}
			for i := 0; i < got && err == nil; i++ {
				err = f.all[i].is(f.seq+1+uint64(i), check)
			}
		}
		if err != nil {
			return err
		}
		f.seq += uint64(got)
		n -= got
	}
	return f.r.finish(&f.done.Data().word, f.seq, f.out != nil)
}

func (f *topicFlow) close() error {
	if f.out != nil {
		return errors.Join(f.out.Close(), f.done.Close())
	}
	return errors.Join(f.in.Close(), f.done.Close())
}

// block is a message of 4 MiB.
type block struct {
	body [large]byte
}

// topicLoans are messages of 4 MiB there and back, in place: not touched but for the first word, and
// written and read. Both sides look for the next one all the time, as those of copy do.
func topicLoans() []work {
	one := func(name, op, base string, touch bool, n int, asked float64) work {
		return work{
			name: name, op: op, base: base, n: n, asked: asked,
			parent: func(r *room) (side, error) { return openLoans(r, true, touch) },
			child:  func(r *room) (side, error) { return openLoans(r, false, touch) },
		}
	}
	return []work{
		one("topic-loan", "4 MiB there and back, by loan, not touched", "topic", false, 5_000, 1.5),
		one("topic-touched", "4 MiB written, handed over, read out, answered", "copy", true, 4, 1),
	}
}

type loans struct {
	r       *room
	first   bool
	touch   bool
	out     *topic.Publisher[block]
	in      *topic.Subscriber[block]
	private []byte
	want    []byte
	seq     uint64
}

func openLoans(r *room, first, touch bool) (side, error) {
	o := topic.Options{Publishers: 1}
	if touch { // few chunks stay in the caches, as the one of copy does
		o = topic.Options{Publishers: 1, Subscribers: 1, Depth: 2, Held: 1, Loans: 1}
	}
	p, s, err := ends[block](r, first, o)
	if err != nil {
		return nil, err
	}
	l := &loans{r: r, first: first, touch: touch, out: p, in: s, private: make([]byte, large), want: make([]byte, large)}
	fill(l.private, 0)
	fill(l.want, 0)
	return l, nil
}

// wholly is of how many messages of a run all bytes are looked at, if any: they are large.
const wholly = 20

// send sends message number seq; the answer to one that is touched is not.
func (l *loans) send(touch, check bool) error {
	loan, err := l.out.Loan(l.r.ctx)
	if err != nil {
		return err
	}
	body := loan.Data().body[:]
	if touch {
		content(l.private, l.seq, check)
		copy(body, l.private)
	} else {
		content(body, l.seq, check)
	}
	return loan.Publish()
}

// content makes the content of message number seq: all of it with check, else its first word alone.
func content(b []byte, seq uint64, check bool) {
	if check {
		fill(b, seq)
	} else {
		binary.NativeEndian.PutUint64(b, seq)
	}
}

func (l *loans) receive(touch, check bool) error {
	m, err := l.next()
	if err != nil {
		return err
	}
	body := m.Data().body[:]
	if touch {
		copy(l.private, body)
		body = l.private
	}
	if check {
		err = verify(body, l.seq, l.want)
	} else if got := binary.NativeEndian.Uint64(body); got != l.seq {
		err = fmt.Errorf("message %d came for %d", got, l.seq)
	}
	if e := m.Release(); err == nil {
		err = e
	}
	return err
}

// next receives the next message. One that is touched takes longer than Receive looks before it
// goes to sleep.
func (l *loans) next() (m topic.Message[block], err error) {
	if !l.touch {
		return l.in.Receive(l.r.ctx)
	}
	for looks := 1; ; looks++ {
		if m, err = l.in.TryReceive(); err != topic.ErrEmpty {
			return m, err
		}
		if looks%1000 == 0 && l.r.ctx.Err() != nil {
			return m, l.r.ctx.Err()
		}
	}
}

func (l *loans) run(n int, check bool) error {
	for i := range n {
		l.seq++
		check := check && i < wholly
		if l.first {
			if err := l.send(l.touch, check); err != nil {
				return err
			}
		}
		if err := l.receive(l.touch && !l.first, check && (!l.touch || !l.first)); err != nil {
			return err
		}
		if !l.first {
			if err := l.send(false, check && !l.touch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loans) close() error { return errors.Join(l.in.Close(), l.out.Close()) }

// topicFan is a topic with many subscribers, each of which holds a view and goes on.
func topicFan() fan {
	return fan{
		name: "topic-fan", op: "64 bytes to a topic", receivers: []int{1, 8, 64},
		sender: func(r *room) (fanSender, error) {
			t, err := share(r)
			if err != nil {
				return nil, err
			}
			p, err := t.Publisher()
			return &topicFanSender{r: r, p: p, t: t}, err
		},
		receiver: func(r *room) (fanReceiver, error) {
			t, err := share(r)
			if err != nil {
				return nil, err
			}
			s, err := t.Subscriber(nil)
			return &topicFanReceiver{r: r, s: s, t: t}, err
		},
	}
}

// A sharedTopic is a handle that all receivers of a process have, as those of a program would. The
// last closes it.
type sharedTopic struct {
	*topic.Topic[message]
	r     *room
	users int
}

// shared are those of the rooms that this process is in.
var shared = map[*room]*sharedTopic{}

func share(r *room) (*sharedTopic, error) {
	t := shared[r]
	if t == nil {
		opened, err := topic.OpenOrCreate[message]("fan", &topic.Options{Dir: r.dir, Depth: 2 * burst})
		if err != nil {
			return nil, err
		}
		t = &sharedTopic{Topic: opened, r: r}
		shared[r] = t
	}
	t.users++
	return t, nil
}

func (t *sharedTopic) close() error {
	if t.users--; t.users > 0 {
		return nil
	}
	delete(shared, t.r)
	return t.Close()
}

type topicFanSender struct {
	r *room
	p *topic.Publisher[message]
	t *sharedTopic
}

func (f *topicFanSender) send(from uint64, n int, check bool) error {
	var m message
	for seq := from; seq < from+uint64(n); seq++ {
		m.set(seq, check)
		if err := f.p.Send(f.r.ctx, &m); err != nil {
			return err
		}
	}
	return nil
}

func (f *topicFanSender) close() error { return errors.Join(f.p.Close(), f.t.close()) }

type topicFanReceiver struct {
	r    *room
	s    *topic.Subscriber[message]
	t    *sharedTopic
	held topic.Message[message]
}

func (f *topicFanReceiver) take(from uint64, n int, check bool) error {
	for seq := from; seq < from+uint64(n); seq++ {
		m, err := f.s.Receive(f.r.ctx)
		if err != nil {
			return err
		}
		if err := m.Data().is(seq, check); err != nil {
			return err
		}
		if m.Missed != 0 {
			return fmt.Errorf("message %d: %d missed", seq, m.Missed)
		}
		if err := f.release(); err != nil {
			return err
		}
		f.held = m
	}
	return nil
}

func (f *topicFanReceiver) release() error {
	if f.held.Data() == nil {
		return nil
	}
	return f.held.Release()
}

func (f *topicFanReceiver) close() error { return errors.Join(f.release(), f.s.Close(), f.t.close()) }

// topicWake is a subscriber that sleeps.
func topicWake() work {
	w := work{name: "topic-wake", op: "asleep to running by a message of 64 bytes", base: "futex", asked: 1.3}
	return wakes(w, func(r *room, parent bool) (sleeper, error) {
		t, err := topic.OpenOrCreate[message]("wake", &topic.Options{Dir: r.dir})
		if err != nil {
			return nil, err
		}
		s := &topicSleeper{r: r}
		if parent {
			s.p, err = t.Publisher()
		} else {
			s.s, err = t.Subscriber(nil)
		}
		return s, errors.Join(err, t.Close())
	})
}

type topicSleeper struct {
	r *room
	p *topic.Publisher[message]
	s *topic.Subscriber[message]
}

func (t *topicSleeper) sleep(k uint64, _ bool) error {
	var m message
	if _, err := t.s.Read(t.r.ctx, &m); err != nil {
		return err
	}
	return m.is(k, true)
}

func (t *topicSleeper) wake(k uint64) error {
	var m message
	m.set(k, true)
	return t.p.Send(t.r.ctx, &m)
}

func (t *topicSleeper) close() error {
	if t.p != nil {
		return t.p.Close()
	}
	return t.s.Close()
}
