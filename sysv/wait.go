package sysv

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// How long an interrupter waits before it signals again. The first signal may
// come before the thread is in its system call, and is then lost.
const (
	firstRepeat = time.Millisecond
	lastRepeat  = 50 * time.Millisecond
)

// block repeats call, which blocks in the kernel, until it is done with or ctx
// is. It hides EINTR. If call took effect, that counts, whatever ctx says. atOnce is
// call that fails with EAGAIN or ENOMSG instead of blocking: mostly it is enough,
// and spares the preparations to be interrupted.
func block(ctx context.Context, atOnce, call func() error) error {
	if ctx.Done() == nil {
		for {
			if err := call(); !errors.Is(err, syscall.EINTR) {
				return err
			}
		}
	}
	if err := atOnce(); !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.ENOMSG) {
		return err
	}
	hearInterruptions()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	in := &interrupter{tid: sys.Gettid(), over: make(chan struct{})}
	stop := context.AfterFunc(ctx, in.run)
	defer func() {
		if !stop() {
			in.end()
		}
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// hearInterruptions makes SIGURG interrupt again in a program that ignores it, for
// instance by signal.Ignore without arguments. That SIGURG has no effect of its own
// stays as it is.
func hearInterruptions() {
	if signal.Ignored(syscall.SIGURG) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGURG)
	}
}

// interrupter wakes a thread from its system call. It runs at most once, in a
// goroutine of its own.
type interrupter struct {
	tid  int
	over chan struct{} // closed when the thread is no longer waiting

	mu    sync.Mutex // held while signalling, so that the thread is still ours
	ended bool       // protected by mu
}

func (in *interrupter) run() {
	for wait := firstRepeat; in.signal(); wait = min(2*wait, lastRepeat) {
		timer := time.NewTimer(wait)
		select {
		case <-in.over:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// signal reports whether the thread was still waiting.
func (in *interrupter) signal() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return false
	}
	_ = sys.Interrupt(in.tid) // the thread is ours and alive: it cannot fail
	return true
}

func (in *interrupter) end() {
	in.mu.Lock()
	in.ended = true
	in.mu.Unlock()
	close(in.over)
}
