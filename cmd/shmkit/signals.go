package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// interrupted is why the context ended: a signal asked the program to end.
type interrupted struct{ sig syscall.Signal }

func (e *interrupted) Error() string { return e.sig.String() }

// meantAgain is how long after the first signal a SIGINT is a person's second.
const meantAgain = 200 * time.Millisecond

// signalContext returns a context that ends when the program is asked to end by
// SIGINT, SIGTERM or SIGHUP, so that commands can clean up. When they have, call
// end: it ends the program by that same signal, as a shell expects of a program
// that was interrupted, and returns if there was none. A SIGINT after the first
// signal ends it at once.
//
// Signals that the program was started to ignore (nohup, background jobs) stay
// ignored. A write to a closed pipe fails from now on with EPIPE instead of
// ending the program: SIGPIPE is caught, not ignored, for ignored signals would be
// inherited by children.
func signalContext() (ctx context.Context, end func()) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	asked := make(chan os.Signal, 2)
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			signal.Notify(asked, sig)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		cancel(&interrupted{(<-asked).(syscall.Signal)})
		first := time.Now()
		// Only a person who presses Ctrl-C again means it. SIGTERM may come several
		// times by itself: the kernel sends the signal of Pdeathsig once for each
		// thread of the parent that the child passes to. And SIGINT may come twice at
		// once: timeout(1) and others send it to the process and to its group.
		for sig := range asked {
			if sig == syscall.SIGINT && time.Since(first) > meantAgain {
				dieOf(syscall.SIGINT)
			}
		}
	}()
	return ctx, func() {
		var by *interrupted
		if errors.As(context.Cause(ctx), &by) {
			dieOf(by.sig)
		}
	}
}

// dieOf ends the program by sig.
func dieOf(sig syscall.Signal) {
	signal.Reset(sig)
	_ = syscall.Kill(os.Getpid(), sig)
	time.Sleep(time.Second) // another thread may be the one to take it
	os.Exit(128 + int(sig))
}
