package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/sysv"
	"github.com/shmkit/shmkit/topic"
)

// waitFlags are the flags of what may have to wait.
type waitFlags struct {
	noWait  bool
	timeout durationFlag
}

func (f *waitFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.noWait, "nowait", false, "fail instead of waiting")
	cmd.Flags().Var(&f.timeout, "timeout", "fail after waiting so long, such as 2s or 500ms")
}

// check checks the flags.
func (f *waitFlags) check() error {
	if f.noWait && f.timeout.given {
		return usagef("--nowait and --timeout exclude each other")
	}
	return nil
}

// wouldBlock reports whether an attempt failed because of what there would be to wait for.
func wouldBlock(err error) bool {
	for _, is := range []error{sysv.ErrWouldBlock, queue.ErrEmpty, queue.ErrFull, topic.ErrEmpty, topic.ErrFull} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// do runs f, which waits as long as ctx allows, with the deadline that was asked
// for; or try, which doesn't wait. What it waits for serves the error.
func (f *waitFlags) do(ctx context.Context, object fmt.Stringer, what string, wait func(context.Context) error, try func() error) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.noWait {
		err := try()
		if wouldBlock(err) {
			return &waitError{fmt.Sprintf("%s: would have to wait for %s", object, what), err}
		}
		return err
	}
	if f.timeout.given {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout.d)
		defer cancel()
	}
	err := wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return &waitError{fmt.Sprintf("%s: timed out after %v of waiting for %s", object, f.timeout.d, what), err}
	}
	return err
}

// waitError is a wait that didn't end as hoped for.
type waitError struct {
	text string
	err  error
}

func (e *waitError) Error() string { return e.text }
func (e *waitError) Unwrap() error { return e.err }
