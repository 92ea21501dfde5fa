package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// childExit is the end of a command that the user asked to run, which said itself what
// went wrong, if anything.
type childExit struct{ code int }

func (e *childExit) Error() string { return fmt.Sprintf("the command ended with exit code %d", e.code) }

// runCommand runs a command on the standard streams and waits for its end. Its failure
// is a *childExit: 128 and the number of the signal that ended it, as shells have it.
// If ctx has ended before it is started, it is not.
func (a *app) runCommand(ctx context.Context, command []string, prepare ...func(*exec.Cmd)) error {
	path, err := findProgram(command[0])
	if err != nil {
		return err
	}
	cmd := exec.Command(path, command[1:]...)
	cmd.Args[0] = command[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	for _, p := range prepare {
		p(cmd)
	}
	if err := ctx.Err(); err != nil { // nobody would tell the command
		return err
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return notStarted(command[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		passOn(ctx, cmd.Process, begun)
		err = <-ended
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	status, _ := exit.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return &childExit{128 + int(status.Signal())}
	}
	return &childExit{status.ExitStatus()}
}

// justBegun is how long after its start a command may have missed what the terminal sent,
// because it came before it. Twice is better than never.
const justBegun = 100 * time.Millisecond

// passOn gives a process the signal that asked this program to end. What a terminal
// sends (Ctrl-C) it sends to both, if there are two by then.
func passOn(ctx context.Context, p *os.Process, begun time.Time) {
	sig := syscall.SIGTERM
	var by *interrupted
	if errors.As(context.Cause(ctx), &by) {
		sig = by.sig
	}
	if sig == syscall.SIGINT && time.Since(begun) > justBegun && sys.InForeground() {
		return
	}
	_ = p.Signal(sig) // it may just have ended
}

// findProgram finds a program as a shell does.
func findProgram(name string) (string, error) {
	if name == "" {
		return "", usagef("the name of the program is empty")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", notStarted(name, err)
	}
	return path, nil
}

// notStarted says in a line why a program was not started.
func notStarted(name string, err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("no program is called %s", name)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no program %s", name)
	case errors.Is(err, exec.ErrDot):
		return fmt.Errorf("%s is in the current directory; say ./%s", name, name)
	case errors.As(err, &errno):
		return fmt.Errorf("%s cannot be started: %w", name, errno)
	}
	return err
}
