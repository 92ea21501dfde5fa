package explain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A crew is all processes of an experiment.
type crew struct {
	starts   chan func() // to the thread that starts processes
	children []*child
	janitor  *child
	told     []string // what the janitor was told of, should it be killed
}

// A child is another process of the experiment, which plays a role.
type child struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	pipe   *os.File
	stderr *lastBytes
	done   chan struct{} // closed when it has been reaped
	err    error         // of Wait; written before done is closed
}

// childOptions say how a process differs from this one.
type childOptions struct {
	credential *syscall.Credential
	files      []*os.File // its descriptors from 3 on
	env        []string
}

// start starts a process in a role. It ends with the experiment, however that ends.
func (x *lab) start(name, role string, opts *childOptions, args ...string) *child {
	x.janitor()
	x.check(x.ctx.Err())
	c, err := x.crew.start(x.opts, name, x.report.Experiment.Name+"/"+role, opts, args...)
	x.check(err)
	x.crew.children = append(x.crew.children, c)
	// From here on nobody waits for it in vain.
	context.AfterFunc(x.ctx, c.kill)
	x.remember("pid", c.Pid())
	return c
}

// janitor is the process that cleans up, which is started before anything else.
func (x *lab) janitor() *child {
	if x.crew.janitor == nil {
		j, err := x.crew.start(x.opts, "janitor", roleJanitor, nil)
		x.check(err)
		x.crew.janitor = j
	}
	return x.crew.janitor
}

// remember tells the janitor of something that has to be removed should it be there at the
// end: "shm", "sem" and "msg" with an id, "path" with a path. Segments that a process of
// the experiment made it finds by itself.
func (x *lab) remember(kind string, what any) {
	line := fmt.Sprintf("%s %v", kind, what)
	x.crew.told = append(x.crew.told, line)
	_, err := x.order(line)
	x.check(err)
}

// order tells the janitor to do something.
func (x *lab) order(line string) (answer string, err error) {
	answer, err = x.janitor().ask(line)
	if err != nil {
		return "", err
	}
	return understood(answer)
}

// make has a System V object made by the janitor, which so knows of it before anybody else:
// "msg" is a message queue, "sem" a set of one semaphore. It returns the id.
func (x *lab) make(kind string) int {
	answer, err := x.order("make " + kind)
	x.check(err)
	id, err := strconv.Atoi(answer)
	x.check(err)
	x.crew.told = append(x.crew.told, fmt.Sprintf("%s %d", kind, id))
	return id
}

func (w *crew) start(o *Options, name, role string, opts *childOptions, args ...string) (*child, error) {
	if opts == nil {
		opts = &childOptions{}
	}
	if w.starts == nil {
		w.starts = make(chan func())
		go startLoop(w.starts)
	}
	c := &child{name: name, stderr: &lastBytes{}, done: make(chan struct{})}
	if o.Command != nil {
		c.cmd = o.Command()
	} else {
		c.cmd = exec.Command("/proc/self/exe")
		c.cmd.Args[0] = os.Args[0]
	}
	c.cmd.Args = append(append(c.cmd.Args, "explain:"+role), args...)
	if c.cmd.Env == nil {
		c.cmd.Env = os.Environ()
	}
	c.cmd.Env = append(append(c.cmd.Env, childEnv(role)...), opts.env...)
	c.cmd.ExtraFiles = opts.files
	c.cmd.Stderr = c.stderr
	c.cmd.WaitDelay = time.Second // for those who have inherited the pipe
	// A group of its own: what the terminal sends is for this process to act on.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: opts.credential}
	if role == roleJanitor {
		c.cmd.SysProcAttr.Pdeathsig = 0
	}
	in, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stdout, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), stdin.Close())
	}
	c.cmd.Stdin, c.cmd.Stdout, c.stdin, c.stdout, c.pipe = in, out, stdin, bufio.NewReader(stdout), stdout
	done := make(chan error)
	w.starts <- func() { done <- c.cmd.Start() }
	err = errors.Join(<-done, in.Close(), out.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start process %s: %w", name, err), stdin.Close(), stdout.Close())
	}
	if started != nil {
		started(c.Pid())
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// started hears of each process, for tests; nil: nobody wants to know.
var started func(pid int)

// startLoop starts processes from one thread, which lives until all of them have ended: the
// kernel kills them when the thread that started them is gone.
func startLoop(starts <-chan func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for start := range starts {
		start()
	}
}

// close kills all processes, waits for them, and lets the janitor clean up.
func (w *crew) close() error {
	if w.starts == nil {
		return nil
	}
	var errs []error
	for _, c := range slices.Backward(w.children) {
		c.kill()
		errs = append(errs, c.release())
	}
	if w.janitor != nil {
		errs = append(errs, w.janitor.stdin.Close())
		<-w.janitor.done
		if w.janitor.err != nil {
			errs = append(errs, fmt.Errorf("%w: %s", w.janitor.err, w.janitor.stderr), removeInstead(w.told))
		}
		errs = append(errs, w.janitor.release())
	}
	close(w.starts)
	return errors.Join(errs...)
}

// Pid is the process's id.
func (c *child) Pid() int { return c.cmd.Process.Pid }

// Ask sends a line and returns the line that comes back.
func (c *child) Ask(line string) (string, error) { return c.ask(line) }

func (c *child) ask(line string) (string, error) {
	if err := c.send(line); err != nil {
		return "", err
	}
	return c.hear()
}

// send sends a line.
func (c *child) send(line string) error {
	if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
		return c.failed(err)
	}
	return nil
}

// hear returns the next line that the process says.
func (c *child) hear() (string, error) {
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		return "", c.failed(err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// failed tells why the process does not speak any more.
func (c *child) failed(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("process %s: %w", c.name, err)
	}
	c.kill()
	<-c.done
	return fmt.Errorf("process %s %w (%v): %s", c.name, errEnded, c.err, c.stderr)
}

// kill sends SIGKILL. The process may have ended before.
func (c *child) kill() { _ = c.cmd.Process.Kill() }

// wait waits for the process to end, and returns how it did.
func (c *child) wait(ctx context.Context) (*os.ProcessState, error) {
	select {
	case <-c.done:
		return c.cmd.ProcessState, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// release gives back what this process has of one that has ended, or will soon.
func (c *child) release() error {
	<-c.done
	if err := c.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return c.pipe.Close()
}

// lastBytes keeps the last of what is written to it.
type lastBytes struct {
	mu   sync.Mutex
	text []byte // protected by mu
}

const mostStderr = 4 << 10

func (b *lastBytes) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	b.text = b.text[max(0, len(b.text)-mostStderr):]
	return len(p), nil
}

func (b *lastBytes) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(bytes.TrimSpace(b.text))
}
