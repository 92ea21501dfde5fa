package main

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/sys"
)

// burst is how many messages are sent before it is the receivers' turn.
const burst = 2048

// A fanSender sends to many, in the parent.
type fanSender interface {
	// send sends messages number from, from + 1, …, n of them.
	send(from uint64, n int, check bool) error
	close() error
}

// A fanReceiver is one of the many, in the child.
type fanReceiver interface {
	// take takes as many, one after the other, each in a view that it holds until it has the
	// next one; the last of them until the next call.
	take(from uint64, n int, check bool) error
	close() error
}

// A fan is a way to send to many. What both sides share of the room's memory beyond the first
// page is its own.
type fan struct {
	name      string // works are called NAME-1, NAME-8, NAME-64
	op        string
	memory    int64 // beyond the first page
	sender    func(*room) (fanSender, error)
	receiver  func(*room) (fanReceiver, error)
	receivers []int
}

// works are one for each number of receivers. What is measured is the CPU time of the sender's
// thread a message. It sends a burst and stops; then all receivers, who are in one process, take
// the burst, while the sender sleeps; and so on. Both processes are on one CPU, so that no cache
// line that receivers have written is far away: what differs between few receivers and many is
// what the sender does for them, and not the cost of fetching.
func (f fan) works() (all []work) {
	for _, n := range f.receivers {
		w := work{
			name: fmt.Sprintf("%s-%d", f.name, n), op: fmt.Sprintf("%s, CPU of the sender, receivers: %d", f.op, n),
			n: 8 * burst, parts: 8, memory: 4096 + f.memory, together: true,
			parent: f.send,
			child:  func(r *room) (side, error) { return f.receive(r, n) },
		}
		if n != f.receivers[0] {
			w.base, w.asked = all[0].name, 1.05
		}
		all = append(all, w)
	}
	return all
}

type fanOut struct {
	baton  *baton
	sender fanSender
	seq    uint64
	spent  float64 // nanoseconds a message, last run
}

func (f fan) send(r *room) (side, error) {
	b, err := newBaton(r, true)
	if err != nil {
		return nil, err
	}
	s, err := f.sender(r)
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return &fanOut{baton: b, sender: s, seq: 1}, nil
}

// run sends whole bursts, n messages at least.
func (f *fanOut) run(n int, check bool) error {
	sent := 0
	f.spent = 0
	for ; sent < n; sent += burst {
		begin := sys.ThreadCPUTime()
		if err := f.sender.send(f.seq, burst, check); err != nil {
			return err
		}
		f.spent += float64(sys.ThreadCPUTime() - begin)
		f.seq += burst
		if err := f.baton.pass(); err != nil {
			return err
		}
	}
	f.spent /= float64(sent)
	return nil
}

func (f *fanOut) took() float64 { return f.spent }

func (f *fanOut) close() error { return errors.Join(f.sender.close(), f.baton.close()) }

type fanIn struct {
	baton *baton
	all   []fanReceiver
	seq   uint64
}

func (f fan) receive(r *room, n int) (side, error) {
	b, err := newBaton(r, false)
	if err != nil {
		return nil, err
	}
	in := &fanIn{baton: b, seq: 1}
	for range n {
		one, err := f.receiver(r)
		if err != nil {
			return nil, errors.Join(err, in.close())
		}
		in.all = append(in.all, one)
	}
	return in, nil
}

func (f *fanIn) run(n int, check bool) error {
	for ; n > 0; n -= burst {
		if err := f.baton.await(); err != nil {
			return err
		}
		for i, one := range f.all {
			if err := one.take(f.seq, burst, check); err != nil {
				return fmt.Errorf("receiver %d: %w", i, err)
			}
		}
		f.seq += burst
		if err := f.baton.give(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fanIn) close() error {
	var err error
	for _, one := range f.all {
		err = errors.Join(err, one.close())
	}
	return errors.Join(err, f.baton.close())
}
