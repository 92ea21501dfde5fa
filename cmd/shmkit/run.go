package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/pshared"
)

func newRunCommand(a *app) *cobra.Command {
	var r lockedRun
	cmd := &cobra.Command{
		Use:   "run --lock NAME [flags] -- COMMAND…",
		Short: "Run a command while holding a lock",
		Long: `Run takes a lock, runs COMMAND, and gives the lock back when that ends. Its exit
code is COMMAND's, or 128 and the number of the signal that ended COMMAND. A signal
that asks run to end goes to COMMAND, and run then ends by it too. NAME is the name
of a lock, or its address, lock:NAME. The lock is made if there is none, and goes
when nobody has it open any more.

When whoever held the lock before was killed, run says so on standard error and
goes on: what the lock guards may be half changed. When run itself is killed,
COMMAND is killed too, for others may take the lock then; but not what COMMAND has
started, nor a COMMAND that runs as another user (set-user-ID), and the next one may
have the lock a moment before it is gone.

With --shared any number of commands run at the same time that all say so, and none
that does not: readers and writers. Neither side is kept out for ever by the other.

With --try it gives up at once if somebody else has the lock, with --timeout after
that time: exit code 1.`,
		Example: `  shmkit run --lock backup -- rsync -a /srv /backup
  shmkit run --lock backup --try -- make
  shmkit run --lock lock:backup --timeout 30s -- ./deploy
  shmkit run --lock backup --shared -- tar -cf /tmp/copy.tar /backup`,
		Args: func(cmd *cobra.Command, args []string) error {
			before, command := splitAtDash(cmd, args)
			switch {
			case len(before) > 0:
				return usagef("COMMAND stands behind --: %s", cmd.UseLine())
			case len(command) == 0:
				return usagef("COMMAND is missing behind --: %s", cmd.UseLine())
			}
			return nil
		},
		ValidArgsFunction: completeBehindDash(a, completeNothing),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, command := splitAtDash(cmd, args)
			return r.run(cmd.Context(), a, command)
		},
	}
	cmd.Flags().StringVar(&r.lock, "lock", "", "`NAME` of the lock")
	cmd.Flags().BoolVar(&r.shared, "shared", false, "hold it together with others that say so too")
	cmd.Flags().BoolVar(&r.try, "try", false, "give up at once if somebody else has it")
	cmd.Flags().Var(&r.timeout, "timeout", "give up after so long, such as 30s")
	return cmd
}

type lockedRun struct {
	lock    string
	shared  bool
	try     bool
	timeout durationFlag
}

func (r *lockedRun) run(ctx context.Context, a *app, command []string) (err error) {
	switch {
	case r.lock == "":
		return usagef("which lock? --lock NAME says it")
	case r.try && r.timeout.given:
		return usagef("--try and --timeout exclude each other")
	}
	addr, err := address.ParseAs("lock", r.lock)
	if err != nil {
		return &kind.UsageError{Err: err}
	}
	locks, err := kind.Find[kind.Exclusion](a.kinds, addr, "run", "lock to hold")
	if err != nil {
		return err
	}
	if _, err := findProgram(command[0]); err != nil { // before anybody is kept waiting
		return err
	}
	m, err := locks.OpenLock(addr, r.shared)
	if err != nil {
		return err
	}
	defer func() {
		if e := m.Close(); e != nil {
			err = errors.Join(err, e)
		}
	}()
	if err := r.take(ctx, a, m); err != nil {
		return err
	}
	// The signal that ends COMMAND when this process dies comes when the thread ends that
	// started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = a.runCommand(ctx, command, func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} })
	if e := m.Unlock(); e != nil {
		err = errors.Join(err, e)
	}
	return err
}

// take takes the lock, and says so if its last holder died.
func (r *lockedRun) take(ctx context.Context, a *app, m kind.Lock) error {
	var held bool
	var err error
	switch {
	case r.try:
		held, err = m.TryLock()
	default:
		if r.timeout.given {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, r.timeout.d)
			defer cancel()
		}
		err = m.Lock(ctx)
		held = err == nil || errors.Is(err, pshared.ErrOwnerDead)
	}
	switch {
	case errors.Is(err, pshared.ErrWriterDead):
		return fmt.Errorf("%w; run without --shared takes it over, and shmkit recover --reset %s forgets the writer, when what it guards is in order",
			err, oneLine(m.Name()))
	case errors.Is(err, pshared.ErrOwnerDead):
		if _, err := fmt.Fprintf(a.err, "shmkit run: whoever held %s before died; what it guards may be half changed\n", oneLine(m.Name())); err != nil {
			return errors.Join(err, m.Abandon())
		}
		return m.MakeConsistent()
	case errors.Is(err, pshared.ErrNotRecoverable):
		return fmt.Errorf("%w; shmkit recover --reset %s makes it usable again, when what it guards is in order", err, oneLine(m.Name()))
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s is held by somebody else: not free after %v", oneLine(m.Name()), r.timeout.d)
	case err != nil:
		return err
	case !held:
		return fmt.Errorf("%s is held by somebody else", oneLine(m.Name()))
	}
	return nil
}
