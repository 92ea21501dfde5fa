package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A Proc is another process that runs a role, and the test's side of its pipes.
// Its methods belong to the goroutine that runs the test: where they say "fails",
// they call Fatal, and show what the process wrote to standard error.
//
// Standard output is a pipe: a role that prints more than it holds (64 KiB) blocks
// until the test reads. Standard error never blocks.
type Proc struct {
	t      testing.TB
	role   string
	cmd    *exec.Cmd
	stdin  *os.File
	stdout lineReader
	stderr *os.File // an unlinked file: complete as soon as the process is gone

	released bool          // Release closed the pipes
	exited   chan struct{} // closed when the process has been reaped
	waitErr  error         // written before exited is closed
}

// StartOptions say how a role's process differs from this one. The zero value
// means not at all.
type StartOptions struct {
	Credential *syscall.Credential // run as this user
	Cloneflags uintptr             // in new namespaces: syscall.CLONE_NEWIPC, CLONE_NEWPID, …
	DropCaps   []Capability        // as root, but without these for good
	Env        []string            // added to the environment, as NAME=VALUE
	Dir        string              // working directory
	// Prepare changes the command at last, before it is started: what it inherits.
	Prepare func(*exec.Cmd) error
}

// Start runs role, one of those given to Main, in another process. The process is
// killed and reaped when the test ends, and killed when this process dies.
func Start(t testing.TB, role string, args ...string) *Proc {
	t.Helper()
	return StartWith(t, nil, role, args...)
}

// StartWith is Start with options; nil means none.
func StartWith(t testing.TB, opts *StartOptions, role string, args ...string) *Proc {
	t.Helper()
	if opts == nil {
		opts = &StartOptions{}
	}
	if err := needMain("Start"); err != nil {
		t.Fatal(err)
	}
	p := &Proc{t: t, role: role, exited: make(chan struct{})}
	p.cmd = exec.Command(selfExe, args...)
	p.cmd.Args[0] = os.Args[0]
	p.cmd.Dir = opts.Dir
	p.cmd.Env = childEnv(nil, append([]string{envRole + "=" + role}, opts.Env...)...)
	if len(opts.DropCaps) > 0 {
		p.cmd.Env = append(p.cmd.Env, envDropCaps+"="+encodeCaps(opts.DropCaps))
	}
	p.cmd.SysProcAttr = newProcAttr(opts.Cloneflags)
	p.cmd.SysProcAttr.Credential = opts.Credential
	if opts.Prepare != nil {
		if err := opts.Prepare(p.cmd); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.start(); err != nil {
		t.Fatalf("start role %s: %v", role, err)
	}
	t.Cleanup(p.cleanup)
	return p
}

// Command is for roles that start processes themselves, in a namespace of theirs say: the
// command that runs another role of this test binary. What comes of it is theirs to see to.
func Command(role string, args ...string) *exec.Cmd {
	c := exec.Command(selfExe, args...)
	c.Args[0] = os.Args[0]
	c.Env = childEnv(nil, envRole+"="+role)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// start connects the pipes and starts the process. The child's ends are files,
// not readers and writers, so that exec.Cmd.Wait waits for the process alone and
// not for whoever inherited its pipes.
func (p *Proc) start() error {
	stderr, err := unlinkedFile()
	if err != nil {
		return err
	}
	stdinChild, stdin, err := os.Pipe()
	if err != nil {
		return errors.Join(err, stderr.Close())
	}
	defer stdinChild.Close()
	stdout, stdoutChild, err := os.Pipe()
	if err != nil {
		return errors.Join(err, stderr.Close(), stdin.Close())
	}
	defer stdoutChild.Close()

	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdinChild, stdoutChild, stderr
	if err := spawn(p.cmd); err != nil {
		return errors.Join(err, stderr.Close(), stdin.Close(), stdout.Close())
	}
	p.stdin, p.stderr, p.stdout = stdin, stderr, newLineReader(stdout)
	go func() {
		p.waitErr = p.cmd.Wait()
		close(p.exited)
	}()
	return nil
}

// Release kills the process and gives back what this one holds for it, for a test that
// starts more than it may have descriptors. Only Pid and what tells of its end can be
// used afterwards.
func (p *Proc) Release() {
	p.t.Helper()
	p.Kill()
	p.close()
}

func (p *Proc) close() {
	p.released = true
	p.stdin.Close() // CloseStdin may have done so
	p.stdout.pipe.Close()
	p.stderr.Close()
}

func (p *Proc) cleanup() {
	if p.released {
		return
	}
	p.Kill()
	if p.t.Failed() {
		if text := p.Stderr(); text != "" {
			p.t.Logf("standard error of role %s (pid %d):\n%s", p.role, p.Pid(), text)
		}
	}
	p.close()
}

// newProcAttr is what a child in new namespaces needs. In a new user namespace
// it is root, mapped to the user it was outside.
func newProcAttr(cloneflags uintptr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: cloneflags}
	if cloneflags&syscall.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// Pid returns the process's id, as seen from here.
func (p *Proc) Pid() int { return p.cmd.Process.Pid }

// ReadLine returns the next line of the process's standard output, without its
// newline, or io.EOF when there is none to come. It waits for it, and fails when
// the failsafe passes.
func (p *Proc) ReadLine() (string, error) {
	p.t.Helper()
	line, err := p.stdout.next(Failsafe)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.fail("no line from role %s (pid %d) within %v", p.role, p.Pid(), Failsafe)
	}
	return line, err
}

// Expect fails unless the next line of the process's standard output is line.
func (p *Proc) Expect(line string) {
	p.t.Helper()
	got, err := p.ReadLine()
	switch {
	case errors.Is(err, io.EOF):
		p.fail("role %s (pid %d) ended its output; expected the line %q", p.role, p.Pid(), line)
	case err != nil:
		p.fail("role %s (pid %d): %v; expected the line %q", p.role, p.Pid(), err, line)
	case got != line:
		p.fail("role %s (pid %d) said %q; expected %q", p.role, p.Pid(), got, line)
	}
}

// Send writes line and a newline to the process's standard input, or fails.
func (p *Proc) Send(line string) {
	p.t.Helper()
	if err := p.TrySend(line); err != nil {
		p.fail("%v", err)
	}
}

// TrySend is Send that returns an error; EPIPE is a process that has ended, or closed its
// standard input.
func (p *Proc) TrySend(line string) error {
	err := p.stdin.SetWriteDeadline(time.Now().Add(Failsafe))
	if err == nil {
		_, err = io.WriteString(p.stdin, line+"\n")
	}
	if err != nil {
		return fmt.Errorf("send %q to role %s (pid %d): %w", line, p.role, p.Pid(), err)
	}
	return nil
}

// CloseStdin ends the process's standard input.
func (p *Proc) CloseStdin() {
	p.t.Helper()
	if err := p.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		p.fail("close the standard input of role %s: %v", p.role, err)
	}
}

// Signal sends sig. A process that has ended is os.ErrProcessDone.
func (p *Proc) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Kill ends the process with SIGKILL and reaps it. It may have ended before.
func (p *Proc) Kill() {
	p.t.Helper()
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("kill role %s (pid %d): %v", p.role, p.Pid(), err)
	}
	p.awaitExit()
}

// Wait waits for the process to end and fails when the failsafe passes. It
// returns nil after exit code 0, else an *exec.ExitError. Call CloseStdin first
// if the role reads to the end.
func (p *Proc) Wait() error {
	p.t.Helper()
	p.awaitExit()
	return p.waitErr
}

// ExitCode waits as Wait does and returns the exit code; -1 after a signal.
func (p *Proc) ExitCode() int {
	p.t.Helper()
	p.awaitExit()
	return p.cmd.ProcessState.ExitCode()
}

// ExitSignal waits as Wait does and returns the signal that ended the process; 0
// if it exited by itself.
func (p *Proc) ExitSignal() syscall.Signal {
	p.t.Helper()
	p.awaitExit()
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return status.Signal()
	}
	return 0
}

// Exited is closed when the process has ended and has been reaped.
func (p *Proc) Exited() <-chan struct{} { return p.exited }

func (p *Proc) awaitExit() {
	p.t.Helper()
	limit := time.NewTimer(Failsafe)
	defer limit.Stop()
	select {
	case <-p.exited:
	case <-limit.C:
		p.fail("role %s (pid %d) still runs after %v", p.role, p.Pid(), Failsafe)
	}
}

// Stderr returns what the process has written to standard error so far: all of
// it, once the process has ended.
func (p *Proc) Stderr() string {
	text, err := readAllAt(p.stderr)
	if err != nil {
		return "(unreadable: " + err.Error() + ")"
	}
	return text
}

func (p *Proc) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf(format+"\nits standard error:\n%s", append(args, p.Stderr())...)
}
