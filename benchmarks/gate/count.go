package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

const (
	pathVariable = "SHMKIT_GATE_PATH"
	dirVariable  = "SHMKIT_GATE_DIR"
)

// What is counted: some stretches with nothing in them, which tell what a mark takes, and some of one operation. The
// fewest count: now and then an operation does what it does a few times a second, and to a thread that is traced a second is short.
const (
	warm  = 3000 // operations before
	empty = 5
	ops   = 21
)

// patience is how long one stretch may take. If it takes that long the thread waits for one that was stopped with something
// in its hands, of Go's runtime, and it is tried again.
const (
	patience = 20 * time.Second
	tries    = 3
)

// walkIfTold makes this process the one that is counted, if it was started as that; then it does not return.
func walkIfTold() {
	name := os.Getenv(pathVariable)
	if name == "" {
		return
	}
	if err := walkPath(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// walkPath is the process that is counted: it goes its path some times, with marks in between.
func walkPath(name string) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // the collector's instructions are not the path's
	which, err := choose(name)
	if err != nil {
		return err
	}
	do, err := which[0].open(os.Getenv(dirVariable))
	if err != nil {
		return err
	}
	me := sys.Gettid()
	fmt.Println(me)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	stretch := func(n int) error {
		if err := do(n); err != nil {
			return err
		}
		return sys.Interrupt(me) // the mark
	}
	err = stretch(warm / which[0].worth())
	for i := range empty + ops {
		n := 1
		if i < empty {
			n = 0
		}
		// Before each that is counted one that is not: what is done a few times a second is done by that one.
		err = errors.Join(err, stretch(1), stretch(n))
	}
	return err
}

// count returns how many instructions an operation of a path takes.
func count(ctx context.Context, p path) (n float64, err error) {
	for range tries {
		if n, err = tryCount(ctx, p); err != errStuck {
			break
		}
	}
	return n, err
}

func tryCount(ctx context.Context, p path) (n float64, err error) {
	dir, err := os.MkdirTemp("/dev/shm", fmt.Sprintf("shmkit-gate-%d-", os.Getpid()))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	runtime.LockOSThread() // who traces a thread is a thread
	defer runtime.UnlockOSThread()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	// Nothing interrupts a thread that has run for long, as one that is traced has.
	cmd.Env = append(os.Environ(), pathVariable+"="+p.name, dirVariable+"="+dir, "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var stuck atomic.Bool
	kill := time.AfterFunc(patience, func() {
		stuck.Store(true)
		_ = cmd.Process.Kill()
	})
	defer kill.Stop()
	n, err = follow(cmd.Process.Pid, bufio.NewReader(out), func() error {
		_, err := in.Write([]byte("\n"))
		return err
	}, func() { kill.Reset(patience) })
	_ = cmd.Process.Kill() // it has done what it was for
	for err := error(nil); err == nil; {
		_, _, _, err = sys.Tracer{}.Wait() // each of its threads waits for that
	}
	_ = cmd.Wait() // which has nobody left to wait for
	if err != nil && stuck.Load() {
		return 0, errStuck
	}
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return n, err
}

// errNotTraced: the kernel does not allow it here: a container without ptrace(2), say.
var errNotTraced = errors.New("instructions can't be counted, for this process may not trace its child")

// errStuck: nothing happened for a while.
var errStuck = errors.New("the path did not go on while all threads but one were stopped")

// errLost: the thread that is traced is no more.
var errLost = errors.New("the process has ended")

// follow traces the process that walks, and counts between its marks, each of which it tells.
func follow(pid int, out *bufio.Reader, start func() error, marked func()) (float64, error) {
	text, err := out.ReadString('\n')
	if err != nil {
		return 0, errLost
	}
	tid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, err
	}
	var t sys.Tracer
	if err := freeze(t, pid); err != nil {
		return 0, err
	}
	if err := start(); err != nil {
		return 0, err
	}
	clock, err := clockOf(pid)
	if err != nil {
		return 0, err
	}
	var steps, marks int
	var counts [1 + 2*(empty+ops)]int // before each mark, of each other stretch
	for marks < len(counts) {
		who, why, signal, err := t.Wait()
		switch {
		case err != nil:
			return 0, err
		case who != tid:
			continue // the others stay as they are
		case why == sys.ThreadEnded:
			return 0, errLost
		case why == sys.StopSignal && signal == int(syscall.SIGURG):
			counts[marks] = steps
			marks, steps, signal = marks+1, 0, 0
			marked()
		case why == sys.StopStep:
			at, err := t.Pointer(tid)
			if err != nil {
				return 0, err
			}
			if at < clock[0] || at >= clock[1] {
				steps++
			}
		}
		if marks%2 == 1 || marks == 0 {
			err = t.Go(tid, signal)
		} else {
			err = t.Step(tid)
		}
		if err != nil {
			return 0, err
		}
	}
	nothing, one := math.MaxInt, math.MaxInt
	for i := 2; i < len(counts); i += 2 {
		if i <= 2*empty {
			nothing = min(nothing, counts[i])
		} else {
			one = min(one, counts[i])
		}
	}
	return float64(one - nothing), nil
}

// clockOf returns where the code lies that the kernel has each process read the clock with. It begins anew when the
// clock ticks meanwhile, which it does for who goes step by step: how often is chance.
func clockOf(pid int) (bounds [2]uintptr, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return bounds, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			_, err = fmt.Sscanf(line, "%x-%x", &bounds[0], &bounds[1])
		}
	}
	return bounds, err
}

// freeze seizes all threads of a process, of which follow lets but one go on: the scheduler's would tell it
// now and then to let others run.
func freeze(t sys.Tracer, pid int) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := t.Seize(tid); err != nil {
			return fmt.Errorf("%w: thread %d: %w", errNotTraced, tid, err)
		}
	}
	return nil
}
