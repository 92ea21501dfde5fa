package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/topic"
)

// waiterRole is the first argument of a process that waits: then follow the folder, and how many subscribers.
const waiterRole = "-waiter"

// idling measures the CPU time and the threads of processes of which all subscribers wait, beside as many processes without any, by
// turns: all in one process, and 50 in each.
func idling(dir string, idle time.Duration, rounds, subscribers int) error {
	t, err := topic.CreateBytes("idle", &topic.Options{Dir: dir, MaxMessage: 64, Publishers: 1, Subscribers: subscribers})
	if err != nil {
		return err
	}
	defer t.Close()
	p, err := t.Publisher()
	if err != nil {
		return err
	}
	defer p.Close()
	fmt.Printf("%d subscribers that wait, watched for %v, CPU time in thousandths of a core:\n", subscribers, idle)
	for _, processes := range []int{1, max(1, subscribers/50)} {
		var with, without []float64
		var threads, bare []int
		for range rounds {
			cpu, n, err := watch(dir, idle, processes, 0)
			if err != nil {
				return err
			}
			without, bare = append(without, cpu), append(bare, n)
			if cpu, n, err = watch(dir, idle, processes, subscribers/processes); err != nil {
				return err
			}
			with, threads = append(with, cpu), append(threads, n)
		}
		fmt.Printf("  in %2d processes: %.2f, and %d threads in all; without subscribers %.2f, and %d threads\n",
			processes, median(with), median(threads), median(without), median(bare))
	}
	return nil
}

// watch starts processes with so many subscribers each, and says how much CPU time all of them take, thousandths of
// a core, and how many threads they have.
func watch(dir string, idle time.Duration, processes, each int) (cpu float64, threads int, err error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	var all []*exec.Cmd
	var ends []io.Closer
	defer func() {
		for _, end := range ends {
			err = errors.Join(err, end.Close())
		}
		for _, cmd := range all {
			err = errors.Join(err, cmd.Wait())
		}
	}()
	var lines []*bufio.Reader
	for range processes {
		cmd := exec.Command(exe, waiterRole, dir, strconv.Itoa(each), idle.String())
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		in, err := cmd.StdinPipe()
		if err != nil {
			return 0, 0, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return 0, 0, err
		}
		if err := cmd.Start(); err != nil {
			return 0, 0, err
		}
		all, ends, lines = append(all, cmd), append(ends, in), append(lines, bufio.NewReader(out))
	}
	for _, r := range lines {
		line, err := r.ReadString('\n')
		var took int64
		var n int
		if err == nil {
			_, err = fmt.Sscan(line, &took, &n)
		}
		if err != nil {
			return 0, 0, err
		}
		cpu += float64(took) / float64(idle) * 1000
		threads += n
	}
	return cpu, threads, nil
}

// waits does what a process that waits does, if this is one.
func waits() bool {
	if len(os.Args) < 2 || os.Args[1] != waiterRole {
		return false
	}
	if err := waiter(os.Args[2:]); err != nil {
		log.Fatal(err)
	}
	return true
}

// waiter waits with so many subscribers, says what that took, and ends when its standard input does.
func waiter(args []string) error {
	if len(args) != 3 {
		return errors.New("a folder, a number and a duration are needed")
	}
	each, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	idle, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	t, err := topic.OpenBytes("idle", &topic.Options{Dir: args[0]})
	if err != nil {
		return err
	}
	defer t.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	for range each {
		s, err := t.Subscriber(nil)
		if err != nil {
			return err
		}
		go func() {
			_, err := s.Receive(ctx)
			if errors.Is(err, context.Canceled) {
				err = nil
			}
			ended <- errors.Join(err, s.Close())
		}()
	}
	time.Sleep(2 * time.Second) // all are asleep by then
	before := sys.ProcessCPUTime()
	time.Sleep(idle)
	took := sys.ProcessCPUTime() - before
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	fmt.Println(took.Nanoseconds(), len(threads))
	_, err = io.Copy(io.Discard, os.Stdin)
	cancel()
	for range each {
		err = errors.Join(err, <-ended)
	}
	return err
}
