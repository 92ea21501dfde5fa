package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/shmkit/shmkit"
)

// Options is how to join a stream. The zero value of Capacity and Mode is good.
type Options struct {
	Content  Content
	Capacity int64       // bytes of the ring if the stream is made; 0 is DefaultCapacity
	Mode     fs.FileMode // permission bits if it is made; 0 is 0600

	// Receivers is how many SendFile waits for before it begins; 0: it does not wait.
	Receivers int
	// Reading is how to read.
	Reading
	// Topic is what a topic is made with.
	Topic TopicOptions
}

// Reading is how a Reader reads.
type Reading struct {
	// Follow: no writers left is not the end. In ReceiveFile: not before a file has begun.
	Follow bool
	// Late, if not nil, is called by ReceiveFile when it finds that it came in the middle
	// of a file, which it passes over.
	Late func()
	// Once: it takes one file. Close, which has to come soon after ReceiveFile, is what
	// tells the sender that this receiver has it: the sender of another file does not
	// count on it.
	Once bool
}

func (o *Options) fill() error {
	if o.Mode == 0 {
		o.Mode = 0o600
	}
	if o.Capacity == 0 {
		o.Capacity = DefaultCapacity
	}
	if o.Capacity < MinCapacity || o.Capacity > MaxCapacity {
		return fmt.Errorf("ring of %d bytes: %w: it must have %d to %d", o.Capacity, fs.ErrInvalid, int64(MinCapacity), int64(MaxCapacity))
	}
	o.Capacity = (o.Capacity + 7) &^ 7
	return nil
}

// member is what a writer and a reader have in common: the ground, its memory and
// views of the parts of that, which hold the mapping.
type member struct {
	ground
	m *shmkit.Mapping // nil before it was found

	headerView *shmkit.TypedView[header]
	slotsView  *shmkit.SliceView[slot]
	ringView   *shmkit.SliceView[byte]
	h          *header
	slots      []slot
	ring       []byte
	capacity   uint64 // checked copy of what the header says

	gone    bool  // it has left, but still has the memory
	goneErr error // and what went wrong with that
}

// view places the views over memory with a ring of capacity bytes.
func (m *member) view(capacity uint64) (err error) {
	if m.headerView, err = shmkit.View[header](m.m, 0); err != nil {
		return err
	}
	if m.slotsView, err = shmkit.ViewSlice[slot](m.m, slotsOffset, MaxReaders); err != nil {
		return err
	}
	if m.ringView, err = shmkit.ViewSlice[byte](m.m, ringOffset, int(capacity)); err != nil {
		return err
	}
	m.h, m.slots, m.ring, m.capacity = m.headerView.Data(), m.slotsView.Data(), m.ringView.Data(), capacity
	return nil
}

// detach ends this process's view of the memory, and then closes the ground: who
// has the memory can be seen to have it.
func (m *member) detach() error {
	if m.m == nil {
		return m.close()
	}
	var errs []error
	if m.headerView != nil {
		errs = append(errs, m.headerView.Close())
	}
	if m.slotsView != nil {
		errs = append(errs, m.slotsView.Close())
	}
	if m.ringView != nil {
		errs = append(errs, m.ringView.Close())
	}
	return several(append(errs, m.m.Close(), m.close())...)
}

// fail makes an error of this stream out of one of its steps.
func (m *member) fail(err error) error {
	if errors.Is(err, errAgain) {
		return &Error{Address: m.address(), Err: ErrBroken}
	}
	return err
}

// guarded runs something that touches the memory. Who has the file may make it
// shorter at any time: a fault is an error. Everything a member exports goes through
// here, for about 10 ns.
func (m *member) guarded(f func() error) (err error) {
	if fault := shmkit.Guard(func() { err = f() }); fault != nil {
		return m.explain(fault)
	}
	if errors.Is(err, syscall.EFAULT) { // it was a system call that touched it
		return m.explain(err)
	}
	return err
}

func (m *member) corrupt(format string, args ...any) error {
	return &Error{Address: m.address(), Err: ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}

// wake rings for every reader that sleeps, or is about to.
func (m *member) wake() error {
	var bells []bell
	for i := range min(m.h.highest.Load(), MaxReaders) {
		if s := &m.slots[i].sleeping; s.Load() == asleep && s.CompareAndSwap(asleep, posted) {
			bells = append(bells, bell(i))
		}
	}
	if len(bells) == 0 {
		return nil
	}
	point("wake:marked")
	return m.rouse(bells)
}

// wakeWriter rings for the writer that waits for space, if it does.
func (m *member) wakeWriter() error {
	if m.h.waiting.CompareAndSwap(asleep, posted) {
		point("space:marked")
		err := m.rouse([]bell{spaceBell})
		point("space:posted")
		return err
	}
	return nil
}

// position checks a position found in the memory: a multiple of 8 between low
// and high.
func position(p, low, high uint64) bool { return p%8 == 0 && p-low <= high-low && low <= high }
