package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a shmkit process that the demo has started.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  bytes.Buffer
	err  bytes.Buffer
	done chan struct{} // closed when it has ended
	exit error         // how; good once done is closed
}

// start runs this program with other arguments. When ctx ends, or the demo dies,
// the process is asked to end, which it does after cleaning up.
func (d *demo) start(ctx context.Context, args ...string) (*process, error) {
	p := &process{name: "shmkit " + strings.Join(args, " "), done: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, "/proc/self/exe", args...)
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	d.pids[p.pid()] = true
	d.result.Processes++
	d.say("  process %d: %s", p.pid(), p.name)
	go func() {
		p.exit = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for the process and returns how it failed, in its own words.
func (p *process) wait() error {
	<-p.done
	if p.exit == nil {
		return nil
	}
	why := strings.TrimSpace(p.err.String())
	if why == "" {
		why = p.exit.Error()
	}
	return fmt.Errorf("%s failed: %s", p.name, why)
}

// stop ends the process if it still runs, and waits for it.
func (p *process) stop() {
	if p.ended() {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = p.cmd.Process.Kill()
	}
	<-p.done
}
