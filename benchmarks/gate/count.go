package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
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

// patience is how long a path may take. Something is wrong if it takes that long: the thread waits for one that is
// stopped.
const patience = 2 * time.Minute

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
	for i := range 1 + empty + ops {
		n := 1
		switch {
		case i == 0:
			n = warm / which[0].worth()
		case i <= empty:
			n = 0
		}
		if err := do(n); err != nil {
			return err
		}
		if err := sys.Interrupt(me); err != nil { // the mark
			return err
		}
	}
	return nil
}

// count returns how many instructions an operation of a path takes.
func count(ctx context.Context, p path) (n float64, err error) {
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
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	n, err = follow(cmd.Process.Pid, bufio.NewReader(out), func() error {
		_, err := in.Write([]byte("\n"))
		return err
	})
	_ = cmd.Process.Kill() // it has done what it was for
	for err := error(nil); err == nil; {
		_, _, _, err = sys.Tracer{}.Wait() // each of its threads waits for that
	}
	_ = cmd.Wait() // which has nobody left to wait for
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return n, err
}

// errNotTraced: the kernel does not allow it here: a container without ptrace(2), say.
var errNotTraced = errors.New("instructions can't be counted, for this process may not trace its child")

// errLost: the thread that is traced is no more.
var errLost = errors.New("the process has ended")

// follow traces the process that walks, and counts between its marks.
func follow(pid int, out *bufio.Reader, start func() error) (float64, error) {
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
	var steps, marks int
	var counts [1 + empty + ops]int // before each mark
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
		case why == sys.StopStep:
			steps++
		}
		if marks == 0 {
			err = t.Go(tid, signal)
		} else {
			err = t.Step(tid)
		}
		if err != nil {
			return 0, err
		}
	}
	return float64(slices.Min(counts[1+empty:]) - slices.Min(counts[1:1+empty])), nil
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
