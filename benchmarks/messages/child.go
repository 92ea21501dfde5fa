package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/memfd"
)

// What the child is told in its environment: its work, the room's folder, its CPU.
const (
	childVariable = "SHMKIT_MESSAGES_CHILD"
	dirVariable   = "SHMKIT_MESSAGES_DIR"
	cpuVariable   = "SHMKIT_MESSAGES_CPU"
)

// roomName is the name under which the room's memory is inherited.
const roomName = "room"

// isChild reports whether this process was started as the child of a pair.
func isChild() bool { return os.Getenv(childVariable) != "" }

// childMain is the child, and returns its exit code.
func childMain(all []work) int {
	if err := runChild(all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runChild(all []work) (err error) {
	runtime.LockOSThread()
	w, err := find(all, os.Getenv(childVariable))
	if err != nil {
		return err
	}
	if cpu := os.Getenv(cpuVariable); cpu != "" {
		n, err := strconv.Atoi(cpu)
		if err != nil {
			return err
		}
		if err := sys.UseCPUs(n); err != nil {
			return err
		}
	}
	mem, err := memfd.Inherited(roomName, nil)
	if err != nil {
		return err
	}
	defer mem.Close()
	r := &room{ctx: context.Background(), dir: os.Getenv(dirVariable)}
	defer func() { err = errors.Join(err, r.leave()) }()
	if err := r.enter(mem); err != nil {
		return err
	}
	s, err := w.child(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	fmt.Printf("/proc/%d/task/%d\n", os.Getpid(), sys.Gettid())

	orders := bufio.NewReader(os.Stdin)
	for {
		text, err := orders.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var o order
		if _, err := fmt.Sscan(text, &o, &w.n); err != nil {
			return fmt.Errorf("the parent says %q: %w", text, err)
		}
		_, mallocs, err := o.run(w, r, s, false)
		if err != nil {
			return err
		}
		fmt.Println(mallocs)
	}
}
