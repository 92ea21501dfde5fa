package object

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// locks is the open file description that this handle's locks belong to.
type locks struct {
	file *fdmap.File
	// mu is held around every call: the kernel does not keep goroutines apart that share
	// a description, and one's own locks look free to one's own probes.
	mu sync.Mutex
}

func (l *locks) call(f func(fd int) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Use(func(o *os.File) error { return f(int(o.Fd())) })
}

// claim takes the lifeline of a slot, false if somebody has it.
func (l *locks) claim(slot int) (bool, error) {
	err := l.call(func(fd int) error { return sys.OFDLock(fd, sys.F_WRLCK, lifelines+int64(slot), 1, false) })
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// drop gives the lifeline of a slot back.
func (l *locks) drop(slot int) error {
	return l.call(func(fd int) error { return sys.OFDLock(fd, sys.F_UNLCK, lifelines+int64(slot), 1, false) })
}

// others reports whether another description holds one of n lifelines from slot on. A
// probe asks for a read lock, so that it is not itself an obstacle to other probes.
func (l *locks) others(slot, n int) (alive bool, err error) {
	err = l.call(func(fd int) (err error) {
		_, _, alive, err = sys.OFDProbe(fd, sys.F_RDLCK, lifelines+int64(slot), int64(n))
		return err
	})
	return alive, err
}

// How long J is waited for (tests are less patient), and how often asked.
var joinPatience = 10 * time.Second

const (
	joinFirst = 50 * time.Microsecond
	joinLast  = 5 * time.Millisecond
)

// join takes J, for reading or writing. It is never waited for in the kernel, whose
// wait no context ends.
func (l *locks) join(ctx context.Context, kind int16) error {
	ctx, cancel := context.WithTimeoutCause(ctx, joinPatience, ErrBusy)
	defer cancel()
	for wait := joinFirst; ; wait = min(2*wait, joinLast) {
		err := l.call(func(fd int) error { return sys.OFDLock(fd, kind, joinByte, 1, false) })
		if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// leave gives J back.
func (l *locks) leave() error {
	return l.call(func(fd int) error { return sys.OFDLock(fd, sys.F_UNLCK, joinByte, 1, false) })
}
