package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/memfd"
)

// A pair is the two processes of a trial.
type pair struct {
	trial Trial
	sides [2]*process
	dir   string
	undo  []func() error
	// memory is what is reserved for the trial, -1 if that is not known.
	memory int64
}

// A process is one of them.
type process struct {
	cmd     *exec.Cmd
	orders  *os.File
	encoder *json.Encoder
	replies *os.File
	decoder *json.Decoder
	stderr  bytes.Buffer
	thread  int // that does it all
	wait    func() error
}

// folder is how names of the folders in shared memory begin, with the process behind it.
const folder = "shmkit-bench-"

// startPair starts both. They run until close, or the context's end, which kills them.
func startPair(ctx context.Context, s suite, t Trial, at place, o *Options, kept map[string]*os.File) (_ *pair, err error) {
	p := &pair{trial: t}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.kill())
		}
	}()
	have := &props{size: t.Size, kept: kept}
	defer func() {
		for i := range have.files {
			for _, f := range have.files[i] {
				_ = f.Close() // the sides have their own; some stand there twice
			}
		}
	}()
	foreign := o.foreign(t)
	if s.prepare != nil && foreign == nil {
		err := s.prepare(t, have)
		p.undo = append(p.undo, have.undo...)
		if err != nil {
			return nil, err
		}
	}
	if p.dir, err = os.MkdirTemp("/dev/shm", fmt.Sprintf("%s%d-", folder, os.Getpid())); err != nil {
		return nil, err
	}
	p.undo = append(p.undo, func() error { return os.RemoveAll(p.dir) })
	if foreign != nil && foreign.Clean != nil {
		p.undo = append(p.undo, func() error { return foreign.Clean(filepath.Base(p.dir)) })
	}
	mem, err := memfd.Create(roomName, meetingBytes+max(have.shared, meetingBytes), memfd.DefaultSeals)
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	for i := range p.sides {
		set := setup{Trial: t, First: i == 0, CPU: at.cpus[i], Dir: p.dir, IDs: have.ids, Files: len(have.files[i]), Leave: have.leave}
		if p.sides[i], err = startProcess(ctx, set, foreign, mem, have.files[i]); err != nil {
			return nil, err
		}
	}
	// One after the other: which one makes what both open is then always the same.
	for i, side := range p.sides {
		ready, err := side.reply()
		if err != nil {
			return nil, p.failed(err)
		}
		side.thread = ready.Thread
		if i == 0 {
			p.memory = ready.Memory
		}
	}
	return p, nil
}

// startProcess starts this program once more, or a foreign one.
func startProcess(ctx context.Context, s setup, foreign *Foreign, mem *memfd.File, files []*os.File) (*process, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	in, orders, err := blockingPipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	replies, out, err := blockingPipe()
	if err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	defer out.Close()
	p := &process{orders: orders, encoder: json.NewEncoder(orders), replies: replies, decoder: json.NewDecoder(bufio.NewReader(replies))}
	if foreign == nil {
		p.cmd = exec.CommandContext(ctx, "/proc/self/exe")
	} else {
		p.cmd = exec.CommandContext(ctx, foreign.Program, foreign.args(s)...)
	}
	p.cmd.Env = append(os.Environ(), envSide+"="+string(text))
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, out, &p.stderr
	// Ctrl-C is the command's affair.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if mem != nil {
		if _, err := memfd.Pass(p.cmd, roomName, mem); err != nil {
			return nil, errors.Join(err, orders.Close(), replies.Close())
		}
	}
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, files...)
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, orders.Close(), replies.Close())
	}
	p.wait = sync.OnceValue(p.cmd.Wait)
	return p, nil
}

// stop kills a process, and returns what it had to say if it ended by itself.
func (p *process) stop() string {
	_ = p.cmd.Process.Kill()
	err := p.wait()
	if err == nil || p.cmd.ProcessState.ExitCode() < 0 {
		return "" // by a signal: ours
	}
	return strings.TrimSpace(err.Error() + " " + p.stderr.String())
}

// tell sends an order.
func (p *process) tell(o order) error { return p.encoder.Encode(o) }

// errEnded: a process is no more. Why is known when it was waited for.
var errEnded = errors.New("a process has ended")

// reply is what the process answers.
func (p *process) reply() (reply, error) {
	var r reply
	if err := p.decoder.Decode(&r); err != nil {
		return r, errEnded
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

// run makes both do an order, and returns what A says, with the CPU time and sleeps of both.
func (p *pair) run(o order) (reply, error) {
	for _, side := range p.sides {
		if err := side.tell(o); err != nil {
			return reply{}, p.failed(err)
		}
	}
	type answer struct {
		who int
		reply
		err error
	}
	answers := make(chan answer, len(p.sides))
	for i, side := range p.sides {
		go func() {
			r, err := side.reply()
			if err != nil {
				p.sides[1-i].stop() // it would wait for ever
			}
			answers <- answer{i, r, err}
		}()
	}
	var sum reply
	var first error
	for range p.sides {
		a := <-answers
		switch {
		case a.err == nil || a.err == errEnded && first != nil:
		case first == nil || first == errEnded: // who has ended was maybe stopped for the other's error
			first = a.err
		default:
			first = fmt.Errorf("%w; the other process: %w", first, a.err)
		}
		if a.who == 0 {
			sum.Nanoseconds, sum.Times, sum.Samples, sum.Memory = a.Nanoseconds, a.Times, a.Samples, a.Memory
		}
		sum.CPU += a.CPU
		sum.Sleeps += a.Sleeps
		sum.Sent += a.Sent
	}
	if first != nil {
		return reply{}, p.failed(first)
	}
	return sum, nil
}

// failed says what went wrong, in words of the processes as well, which are no more then.
func (p *pair) failed(err error) error {
	for _, side := range p.sides {
		if said := side.stop(); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
	}
	return fmt.Errorf("%v: %w", p.trial, err)
}

// close ends both, and removes what they had.
func (p *pair) close() error {
	var err error
	for _, side := range p.sides {
		err = errors.Join(err, side.end())
	}
	return errors.Join(err, p.clean())
}

// kill ends both however they are.
func (p *pair) kill() error {
	for _, side := range p.sides {
		if side != nil {
			side.stop()
			_ = side.orders.Close()
			_ = side.replies.Close()
		}
	}
	return p.clean()
}

func (p *pair) clean() error {
	var err error
	for i := len(p.undo) - 1; i >= 0; i-- {
		err = errors.Join(err, p.undo[i]())
	}
	p.undo = nil
	return err
}

// patience is how long a process may take to close what it has.
const patience = 10 * time.Second

// end tells a process to end, and waits for it.
func (p *process) end() error {
	err := p.tell(order{})
	kill := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if e := p.wait(); e != nil {
		err = fmt.Errorf("%w\n%s", e, strings.TrimSpace(p.stderr.String()))
	}
	return errors.Join(err, p.orders.Close(), p.replies.Close())
}
