package shmtest

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// StartOptions say how the process of a role differs from this one. The zero value means
// not at all.
type StartOptions struct {
	// Credential is the user to run as, which only root can choose.
	Credential *syscall.Credential
	// Cloneflags are the new namespaces to run in: syscall.CLONE_NEWPID, ….
	Cloneflags uintptr
	// Env is added to the environment, as NAME=VALUE.
	Env []string
	// Prepare changes the command before it is started: what it inherits.
	Prepare func(*exec.Cmd) error
}

// A Proc is another process that runs a role. Unless they return an error, its methods
// fail the test when something goes wrong, and show what the process wrote to standard
// error.
type Proc struct {
	t testing.TB
	p *testenv.Proc
	// mayDie: it is a Victim, and what it is sent may come too late.
	mayDie bool
}

// Start runs a role in another process. The process is killed and reaped when the test
// ends, and killed when this process dies.
func Start(t testing.TB, role string, args ...string) *Proc {
	t.Helper()
	return StartWith(t, nil, role, args...)
}

// StartWith is Start with options; nil are the zero StartOptions.
func StartWith(t testing.TB, o *StartOptions, role string, args ...string) *Proc {
	t.Helper()
	if o == nil {
		o = &StartOptions{}
	}
	return &Proc{t: t, p: testenv.StartWith(t, &testenv.StartOptions{
		Credential: o.Credential, Cloneflags: o.Cloneflags, Env: o.Env, Prepare: o.Prepare,
	}, role, args...)}
}

// Pid returns the id of the process, as seen from here.
func (p *Proc) Pid() int { return p.p.Pid() }

// Expect fails unless the next line of the process's standard output is line.
func (p *Proc) Expect(line string) { p.t.Helper(); p.p.Expect(line) }

// ReadLine returns the next line of its standard output, without the newline, or io.EOF.
func (p *Proc) ReadLine() (string, error) { p.t.Helper(); return p.p.ReadLine() }

// Send writes a line to its standard input, for Hear. A Victim that is dead by then does not
// fail the test.
func (p *Proc) Send(line string) {
	p.t.Helper()
	if !p.mayDie {
		p.p.Send(line)
	} else if err := p.p.TrySend(line); err != nil && !errors.Is(err, syscall.EPIPE) {
		p.t.Fatal(err)
	}
}

// CloseStdin ends its standard input: see Dismissed.
func (p *Proc) CloseStdin() { p.t.Helper(); p.p.CloseStdin() }

// Signal sends a signal. A process that has ended is os.ErrProcessDone.
func (p *Proc) Signal(s os.Signal) error { return p.p.Signal(s) }

// Stop stops the process with SIGSTOP, and waits until all its threads have.
func (p *Proc) Stop() {
	p.t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	testenv.Eventually(p.t, "the process is stopped", func() bool { return testenv.Stopped(p.t, p.Pid()) })
}

// Continue lets a stopped process go on.
func (p *Proc) Continue() {
	p.t.Helper()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends the process with SIGKILL, and waits until it is gone. It may have ended
// before.
func (p *Proc) Kill() { p.t.Helper(); p.p.Kill() }

// Wait waits for the process to end: nil after exit code 0, else an *exec.ExitError.
func (p *Proc) Wait() error { p.t.Helper(); return p.p.Wait() }

// ExitSignal waits for the process to end, and returns the signal that ended it, 0 if it
// exited by itself.
func (p *Proc) ExitSignal() syscall.Signal { p.t.Helper(); return p.p.ExitSignal() }

// Exited is closed when the process has ended and has been reaped.
func (p *Proc) Exited() <-chan struct{} { return p.p.Exited() }

// Ended reports whether the process has ended.
func (p *Proc) Ended() bool {
	select {
	case <-p.Exited():
		return true
	default:
		return false
	}
}

// Stderr returns what the process has written to standard error so far.
func (p *Proc) Stderr() string { return p.p.Stderr() }

// Release is Kill, and gives back the descriptors that this process holds for the other.
// Only Pid, Exited, Ended, Wait and ExitSignal can be used afterwards.
func (p *Proc) Release() { p.t.Helper(); p.p.Release() }
