package bench

import (
	"errors"
	"fmt"
	"os"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/topic"
)

// A fan is a way to get one message to many.
type fan struct {
	name    string
	about   string
	ours    bool // shmkit's
	prepare func(p *props, receivers int) error
	sender  func(*room) (fanSender, error)
	// receivers are as many as Trial.Receivers says.
	receivers func(*room) ([]fanReceiver, error)
}

// A fanSender sends message number seq to all.
type fanSender interface {
	send(seq uint64) error
	close() error
}

// A fanReceiver is one of the many.
type fanReceiver interface {
	receive(seq uint64) error
	close() error
}

// fanSize is how many bytes a message has that goes to many.
const fanSize = 64

// burst is how many messages are sent before receivers must have them all. It fits into a pipe.
const burst = 256

// fanoutSuite is one message to many.
func fanoutSuite() suite {
	return suite{
		name: "fanout", about: "a message to 1, 8, 64 receivers, until all have it",
		trials: func(*Options) (all []Trial) {
			for _, n := range []int{1, 8, 64} {
				for _, f := range allFans() {
					all = append(all, Trial{Suite: "fanout", Way: f.name, Size: fanSize, Receivers: n, About: f.about, Ours: f.ours})
				}
			}
			return all
		},
		prepare: func(t Trial, p *props) error {
			f, err := findFan(t.Way)
			if err != nil || f.prepare == nil {
				return err
			}
			return f.prepare(p, t.Receivers)
		},
		open: openFan,
	}
}

// moreFans are those of tests.
var moreFans []fan

func allFans() []fan {
	return append([]fan{pipeFan(), streamFan(), topicFan(false), topicFan(true)}, moreFans...)
}

func findFan(name string) (fan, error) {
	for _, f := range allFans() {
		if f.name == name {
			return f, nil
		}
	}
	return fan{}, fmt.Errorf("there is no way %q", name)
}

func openFan(r *room) (side, error) {
	f, err := findFan(r.Way)
	if err != nil {
		return nil, err
	}
	s := &fanning{r: r}
	if r.first {
		s.sender, err = f.sender(r)
	} else {
		s.all, err = f.receivers(r)
	}
	return s, err
}

// A fanning is a side: A sends bursts, B has all its receivers take each message, one after the other. What A's thread
// is on its CPU while it sends is the sender's part.
type fanning struct {
	r      *room
	sender fanSender
	all    []fanReceiver
	seq    uint64
	cpu    int64
}

func (f *fanning) run(n int, _ *recorder) error {
	done := &f.r.words.Data().Done.Word
	f.cpu = 0
	for n > 0 {
		some := min(n, burst)
		n -= some
		if err := f.burst(some); err != nil {
			return err
		}
		if f.r.first {
			await(done, f.seq)
		} else {
			done.Store(f.seq)
		}
	}
	return nil
}

func (f *fanning) burst(n int) error {
	if f.r.first {
		begin := sys.ThreadCPUTime()
		for range n {
			f.seq++
			if err := f.sender.send(f.seq); err != nil {
				return err
			}
		}
		f.cpu += int64(sys.ThreadCPUTime() - begin)
		return nil
	}
	for range n {
		f.seq++
		for i, one := range f.all {
			if err := one.receive(f.seq); err != nil {
				return fmt.Errorf("receiver %d of %d: %w", i+1, len(f.all), err)
			}
		}
	}
	return nil
}

// sent is the CPU time of the sender in the last run, in nanoseconds.
func (f *fanning) sent() int64 { return f.cpu }

func (f *fanning) memory() int64 { return -1 }

func (f *fanning) close() error {
	var err error
	if f.sender != nil {
		err = f.sender.close()
	}
	for _, one := range f.all {
		err = errors.Join(err, one.close())
	}
	return err
}

// pipeFan is a pipe for each receiver.
func pipeFan() fan {
	return wireFan("pipe", "a pipe for each receiver, written to one after the other", func(p *props) error {
		r, w, err := blockingPipe()
		if err != nil {
			return err
		}
		p.give(w, r)
		return nil
	})
}

// streamFan is a pair of sockets for each receiver.
func streamFan() fan {
	return wireFan("unix stream", "a Unix stream socket for each receiver, written to one after the other", func(p *props) error {
		return socketPair(p, unixStream)
	})
}

// wireFan is a descriptor for each receiver.
func wireFan(name, about string, give func(*props) error) fan {
	wires := func(r *room) (all []*wire) {
		for _, f := range r.files {
			fd := int(f.Fd())
			all = append(all, &wire{r: r, in: fd, out: fd, files: []*os.File{f}, buf: make([]byte, r.Size)})
		}
		return all
	}
	return fan{
		name: name, about: about,
		prepare: func(p *props, receivers int) error {
			for range receivers {
				if err := give(p); err != nil {
					return err
				}
			}
			return nil
		},
		sender: func(r *room) (fanSender, error) { return wireSender(wires(r)), nil },
		receivers: func(r *room) (all []fanReceiver, err error) {
			for _, w := range wires(r) {
				all = append(all, w)
			}
			return all, nil
		},
	}
}

type wireSender []*wire

func (s wireSender) send(seq uint64) error {
	for _, w := range s {
		if err := w.send(seq); err != nil {
			return err
		}
	}
	return nil
}

func (s wireSender) close() error {
	var err error
	for _, w := range s {
		err = errors.Join(err, w.close())
	}
	return err
}

// topicFan is a topic with as many subscribers, by copy or by view.
func topicFan(view bool) fan {
	f := fan{
		name: "topic", ours: true, about: "one topic, Send and each subscriber's Read",
		sender: func(r *room) (fanSender, error) {
			p, err := topic.NewBytesPublisher("fan", fanOptions(r))
			return &topicSender{r: r, p: p, buf: make([]byte, r.Size)}, err
		},
		receivers: func(r *room) (all []fanReceiver, err error) {
			t, err := topic.OpenOrCreateBytes("fan", fanOptions(r))
			if err != nil {
				return nil, err
			}
			for range r.Receivers {
				s, err := t.Subscriber(nil)
				if err != nil {
					return nil, err
				}
				all = append(all, &topicReceiver{r: r, s: s, view: view, buf: make([]byte, r.Size)})
			}
			return all, t.Close()
		},
	}
	if view {
		f.name, f.about = "topic view", "one topic, Send and each subscriber's Receive and Release"
	}
	return f
}

func fanOptions(r *room) *topic.Options {
	return &topic.Options{Dir: r.dir, MaxMessage: r.Size, Publishers: 1}
}

type topicSender struct {
	r   *room
	p   *topic.BytesPublisher
	buf []byte
}

func (t *topicSender) send(seq uint64) error {
	t.r.pay.put(t.buf, seq)
	return t.p.Send(t.r.ctx, t.buf)
}

func (t *topicSender) close() error { return t.p.Close() }

type topicReceiver struct {
	r    *room
	s    *topic.BytesSubscriber
	view bool
	buf  []byte
}

func (t *topicReceiver) receive(seq uint64) error {
	if !t.view {
		n, _, err := t.s.Read(t.r.ctx, t.buf)
		if err != nil {
			return err
		}
		return t.r.pay.get(t.buf[:n], seq)
	}
	m, err := t.s.Receive(t.r.ctx)
	if err != nil {
		return err
	}
	return errors.Join(t.r.pay.get(m.Data(), seq), m.Release())
}

func (t *topicReceiver) close() error { return t.s.Close() }
