package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/memfd"
)

// A pair is a work with both of its processes: this one, and a child that sleeps in read(2)
// while others run. It belongs to one goroutine, locked to a thread that lives as long: the kernel
// kills the child when that thread ends.
type pair struct {
	work    work
	at      place
	room    *room
	mine    side
	cmd     *exec.Cmd
	orders  *os.File
	replies *bufio.Reader
	closing atomic.Bool
	failed  bool // the child may be anywhere
	// allocations are those of both processes, an operation.
	allocations float64
	undo        []func() error // from the last to the first
}

// startPair starts a work. It runs on the CPUs of at.
func startPair(ctx context.Context, w work, at place) (_ *pair, err error) {
	p := &pair{work: w, at: at, room: &room{}}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", w.name, errors.Join(err, p.close()))
		}
	}()
	if p.room.dir, err = os.MkdirTemp("/dev/shm", fmt.Sprintf("%s%d-", folder, os.Getpid())); err != nil {
		return nil, err
	}
	p.undo = append(p.undo, func() error { return os.RemoveAll(p.room.dir) })
	mem, err := memfd.Create(roomName, page+max(w.memory, page), memfd.DefaultSeals)
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	p.undo = append(p.undo, p.room.leave)
	if err := p.room.enter(mem); err != nil {
		return nil, err
	}
	ctx, gone := context.WithCancelCause(ctx)
	p.room.ctx = ctx
	p.undo = append(p.undo, func() error { gone(nil); return nil })
	if p.mine, err = w.parent(p.room); err != nil {
		return nil, err
	}
	p.undo = append(p.undo, p.mine.close)
	if err := p.start(mem, gone); err != nil {
		return nil, err
	}
	ready, err := p.reply()
	if err != nil {
		return nil, err
	}
	p.room.peer = ready
	return p, nil
}

// folder is how the names of rooms' folders begin, with the process behind it.
const folder = "shmkit-messages-"

// start starts the child. gone is told when it has ended of its own accord.
func (p *pair) start(mem *memfd.File, gone context.CancelCauseFunc) error {
	in, orders, err := blockingPipe()
	if err != nil {
		return err
	}
	defer in.Close()
	replies, out, err := blockingPipe()
	if err != nil {
		return errors.Join(err, orders.Close())
	}
	defer out.Close()
	p.orders, p.replies = orders, bufio.NewReader(replies)

	var stderr bytes.Buffer
	p.cmd = exec.CommandContext(p.room.ctx, "/proc/self/exe")
	p.cmd.Env = append(os.Environ(), childVariable+"="+p.work.name, dirVariable+"="+p.room.dir, cpuVariable+"="+p.at.child(p.work))
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, out, &stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if _, err := memfd.Pass(p.cmd, roomName, mem); err != nil {
		return errors.Join(err, orders.Close(), replies.Close())
	}
	// What it inherits it also takes for the number of CPUs that there are.
	if err := p.at.loose(p.cmd.Start); err != nil {
		return errors.Join(err, orders.Close(), replies.Close())
	}
	ended := make(chan error, 1)
	go func() {
		err := p.cmd.Wait()
		if !p.closing.Load() {
			gone(fmt.Errorf("the other process has ended: %v\n%s", err, strings.TrimSpace(stderr.String())))
		}
		ended <- err
	}()
	p.undo = append(p.undo, func() error {
		p.closing.Store(true)
		err := orders.Close() // which the child takes for the end
		wait := patience
		if p.failed {
			wait = 0
		}
		kill := time.AfterFunc(wait, func() { _ = p.cmd.Process.Kill() })
		end := <-ended
		kill.Stop()
		if p.failed {
			end = nil // it was killed, or has said why
		}
		if end != nil && stderr.Len() > 0 {
			end = fmt.Errorf("%w\n%s", end, strings.TrimSpace(stderr.String()))
		}
		return errors.Join(err, end, replies.Close())
	})
	return nil
}

// patience is how long a child may take to close what it has, when it was told to.
const patience = 10 * time.Second

// reply is the child's next line.
func (p *pair) reply() (string, error) {
	text, err := p.replies.ReadString('\n')
	if err != nil {
		// It has ended, or is about to. Why, is known when it was waited for.
		<-p.room.ctx.Done()
		return "", context.Cause(p.room.ctx)
	}
	return strings.TrimSuffix(text, "\n"), nil
}

// slice runs the operations of a slice and returns how many nanoseconds one takes.
func (p *pair) slice() (float64, error) {
	ns, _, err := p.pass(orderSlice)
	return ns, err
}

// verify runs a slice in which all that comes is looked at, and one in which allocations are
// counted.
func (p *pair) verify() error {
	if _, _, err := p.pass(orderCheck); err != nil {
		return err
	}
	_, mallocs, err := p.pass(orderCount)
	p.allocations = float64(mallocs) / float64(p.work.n)
	return err
}

// pass makes both sides run.
func (p *pair) pass(o order) (ns float64, mallocs uint64, err error) {
	defer func() {
		if err != nil {
			p.failed = true
			err = fmt.Errorf("%s: %w", p.work.name, err)
		}
	}()
	if _, err := fmt.Fprintln(p.orders, string(o), p.work.n); err != nil {
		return 0, 0, err
	}
	run := func() (err error) {
		ns, mallocs, err = o.run(p.work, p.room, p.mine, true)
		return err
	}
	if p.at.bound(p.work) {
		err = run()
	} else {
		err = p.at.loose(run)
	}
	if err != nil {
		return 0, 0, err
	}
	text, err := p.reply()
	if err != nil {
		return 0, 0, err
	}
	var theirs uint64
	if _, err := fmt.Sscan(text, &theirs); err != nil {
		return 0, 0, fmt.Errorf("the other process says %q: %w", text, err)
	}
	return ns, mallocs + theirs, nil
}

// close ends both sides. It may be called in any state.
func (p *pair) close() error {
	var err error
	for i := len(p.undo) - 1; i >= 0; i-- {
		err = errors.Join(err, p.undo[i]())
	}
	p.undo = nil
	return err
}
