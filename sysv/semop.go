package sysv

import (
	"context"
	"errors"
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// Op is one operation on one semaphore of a set; struct sembuf. Make it with
// Wait, Post, Add or Zero.
type Op struct {
	index, delta int
	flags        int16
}

// Wait takes one from semaphore i, and blocks while it is 0.
func Wait(i int) Op { return Add(i, -1) }

// Post adds one to semaphore i.
func Post(i int) Op { return Add(i, 1) }

// Add changes semaphore i by delta, -32768 to 32767. A negative delta blocks
// while the value is less than what is to be taken; 0 is Zero.
func Add(i, delta int) Op { return Op{index: i, delta: delta} }

// Zero blocks until semaphore i is 0.
func Zero(i int) Op { return Op{index: i} }

// Undo makes the kernel take the change back when this process ends (SEM_UNDO),
// all of them at once for a set. It counts for the process, not for the thread or
// goroutine; a child does not inherit it, a program started with exec keeps it.
// Taking back never fails and never waits: a value that would leave 0 to
// MaxSemaphoreValue stops there.
func (o Op) Undo() Op {
	o.flags |= sys.SEM_UNDO
	return o
}

// NoWait makes the whole step fail with ErrWouldBlock if this operation would
// have to wait.
func (o Op) NoWait() Op {
	o.flags |= sys.IPC_NOWAIT
	return o
}

// fewOps is how many operations fit the stack.
const fewOps = 16

// Op performs ops in order as one atomic step: all of them or none, at the first
// moment at which all are possible. It blocks until then, or until ctx ends;
// the error is then the context's, with os.ErrDeadlineExceeded for a deadline.
//
// Errors are those of semop(2): ErrWouldBlock (EAGAIN) with NoWait, ErrRemoved
// (EIDRM) if the set goes, ERANGE for a value above 32767, EFBIG for an index
// the set does not have, E2BIG for more operations than SEMOPM. Operations need
// write permission, Zero alone needs read permission (fs.ErrPermission).
func (s *SemaphoreSet) Op(ctx context.Context, ops ...Op) error {
	var few [fewOps]sys.Sembuf
	buf, err := s.sembufs(few[:0], ops, 0)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return s.opError(err, ops)
	}
	deadline, timed := ctx.Deadline()
	if timed {
		deadline = monotonic(deadline)
	}
	err = block(ctx, func() error {
		var few [fewOps]sys.Sembuf
		now, err := s.sembufs(few[:0], ops, sys.IPC_NOWAIT)
		if err != nil {
			return err
		}
		return sys.Semop(s.id.num(), now)
	}, func() error {
		if !timed {
			return sys.Semop(s.id.num(), buf)
		}
		return s.timed(buf, deadline)
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Done() != nil {
		// The kernel's timer was first. Who sees the error shall find the context ended.
		<-ctx.Done()
		err = ctx.Err()
	}
	if err != nil {
		return s.opError(err, ops)
	}
	return nil
}

// monotonic returns the moment t on the clock that the kernel measures timeouts
// with. A deadline without that reading would move when the wall clock is set.
func monotonic(t time.Time) time.Time {
	now := time.Now()
	return now.Add(t.Sub(now))
}

// timed is semtimedop up to a deadline. Time that passed before an interruption
// counts: a deadline is not stretched. EAGAIN is also what an operation with
// NoWait answers, but not one that waited past the deadline.
func (s *SemaphoreSet) timed(buf []sys.Sembuf, deadline time.Time) error {
	err := sys.Semtimedop(s.id.num(), buf, max(time.Until(deadline), 0))
	if errors.Is(err, syscall.EAGAIN) && mayWait(buf) && time.Until(deadline) <= 0 {
		return context.DeadlineExceeded
	}
	return err
}

// mayWait reports whether one of the operations waits if it has to.
func mayWait(buf []sys.Sembuf) bool {
	for _, b := range buf {
		if b.Flags&sys.IPC_NOWAIT == 0 {
			return true
		}
	}
	return false
}

// TryOp is Op that never waits: ErrWouldBlock if one of ops would have to.
func (s *SemaphoreSet) TryOp(ops ...Op) error {
	var few [fewOps]sys.Sembuf
	buf, err := s.sembufs(few[:0], ops, sys.IPC_NOWAIT)
	if err != nil {
		return err
	}
	for {
		err := sys.Semop(s.id.num(), buf)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EINTR):
			return s.opError(err, ops)
		}
	}
}

// sembufs turns ops into the kernel's form, appended to buf.
func (s *SemaphoreSet) sembufs(buf []sys.Sembuf, ops []Op, flags int16) ([]sys.Sembuf, error) {
	if len(ops) == 0 {
		return nil, s.fail("operate on", syscall.EINVAL, "no operation given")
	}
	for _, o := range ops {
		if o.index < 0 || o.index > math.MaxUint16 {
			return nil, s.opError(syscall.EFBIG, ops)
		}
		if o.delta < math.MinInt16 || o.delta > math.MaxInt16 {
			return nil, s.fail("operate on", syscall.ERANGE, fmt.Sprintf("change %d of semaphore %d is outside -32768 to 32767", o.delta, o.index))
		}
		buf = append(buf, sys.Sembuf{Num: uint16(o.index), Delta: int16(o.delta), Flags: o.flags | flags})
	}
	return buf, nil
}

func (s *SemaphoreSet) opError(err error, ops []Op) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EFBIG):
		var ds sys.SemidDS
		if s.look(&ds) == nil {
			hint = fmt.Sprintf("the set has semaphores 0 to %d", int(ds.Nsems)-1)
		}
	case errors.Is(err, syscall.E2BIG):
		if l, err := ReadSemaphoreLimits(); err == nil {
			hint = fmt.Sprintf("%d operations in one step, the limit is %d (kernel.sem)", len(ops), l.MaxOps)
		}
	case errors.Is(err, syscall.ERANGE):
		hint = "a value, or what is to be undone of it, would exceed 32767"
	case errors.Is(err, syscall.EINVAL):
		return s.fail("operate on", gone(err), "")
	}
	return s.fail("operate on", err, hint)
}
