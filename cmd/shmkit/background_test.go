package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// background is the command as a process beside the test.
type background struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  tap
	errs bytes.Buffer
	done chan struct{} // closed when it has ended and out is complete
}

// start starts the command with some input. It is killed when the test ends.
func start(t testing.TB, in io.Reader, args ...string) *background {
	t.Helper()
	b := newBackground(t, in, args)
	b.cmd.Stdout = &b.out
	return b.start()
}

// startTo starts it with its output to a file.
func startTo(t testing.TB, out *os.File, args ...string) *background {
	t.Helper()
	b := newBackground(t, nil, args)
	b.cmd.Stdout = out
	return b.start()
}

func newBackground(t testing.TB, in io.Reader, args []string) *background {
	b := &background{t: t, cmd: exec.Command("shmkit", args...), done: make(chan struct{})}
	b.cmd.Stdin, b.cmd.Stderr = in, &b.errs
	return b
}

func (b *background) start() *background {
	t := b.t
	t.Helper()
	b.cmd.WaitDelay = time.Second                                        // for input that does not end
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // it cleans up
	if err := testenv.StartCommand(b.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // the state tells how it ended
		close(b.done)
	}()
	t.Cleanup(func() {
		b.signal(syscall.SIGKILL)
		<-b.done
	})
	return b
}

// signal sends a signal, if the process still runs.
func (b *background) signal(sig os.Signal) { _ = b.cmd.Process.Signal(sig) }

// wait waits for its end and returns the exit code, -1 if a signal ended it.
func (b *background) wait() int {
	b.t.Helper()
	testenv.Eventually(b.t, b.cmd.String()+" ends", func() bool {
		select {
		case <-b.done:
			return true
		default:
			return false
		}
	})
	return b.cmd.ProcessState.ExitCode()
}

// succeeds fails the test unless the process ends well.
func (b *background) succeeds() {
	b.t.Helper()
	if code := b.wait(); code != 0 {
		b.t.Errorf("%s: exit code %d: %s", b.cmd, code, b.errs.String())
	}
}

// tap collects output and tells when there is so much of it.
type tap struct {
	mu  sync.Mutex
	buf bytes.Buffer
	at  int
	hit chan struct{}
}

func (o *tap) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.buf.Write(p)
	o.check()
	return n, err
}

func (o *tap) check() {
	if o.hit != nil && o.buf.Len() >= o.at {
		close(o.hit)
		o.hit = nil
	}
}

// reaches returns a channel that is closed when n bytes were written.
func (o *tap) reaches(n int) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	hit := make(chan struct{})
	o.at, o.hit = n, hit
	o.check()
	return hit
}

func (o *tap) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// awaitMembers waits until a stream has as many writers and readers.
func awaitMembers(t testing.TB, key int32, writers, readers int) {
	t.Helper()
	testenv.Eventually(t, "the stream has its members", func() bool {
		set, err := sysv.OpenSemaphores(sysv.Key(key))
		if err != nil {
			return false
		}
		w, err := set.Value(2)
		if err != nil {
			return false
		}
		r, err := set.Value(3)
		return err == nil && w == writers && r == readers
	})
}

// exists reports whether a key has a segment or a semaphore set.
func exists(key int32) bool {
	_, seg := sysv.Open(sysv.Key(key))
	_, sem := sysv.OpenSemaphores(sysv.Key(key))
	return seg == nil || sem == nil
}
