package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed peers/floor.c
var floorSource []byte

// floorSlice is how long the floor is measured at once.
const floorSlice = 2 * time.Millisecond

// errNoCompiler: the floor is a program in C.
var errNoCompiler = errors.New("the floor needs a C compiler, and there is none of cc, gcc, clang")

// compileFloor compiles the floor into a folder.
func compileFloor(ctx context.Context, dir string) (program string, err error) {
	compiler := ""
	for _, name := range []string{"cc", "gcc", "clang"} {
		if compiler, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return "", errNoCompiler
	}
	program = filepath.Join(dir, "floor")
	if err := os.WriteFile(program+".c", floorSource, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, compiler, "-O2", "-Wall", "-o", program, program+".c").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", compiler, err, out)
	}
	return program, nil
}

// A floor is the two processes that bounce a cache line when told, and sleep otherwise.
type floor struct {
	cmd     *exec.Cmd
	orders  *os.File
	replies *os.File
	lines   *bufio.Reader
}

// startFloor is called on the thread that lives as long, as startPair.
func startFloor(ctx context.Context, at place) (*floor, error) {
	dir, err := os.MkdirTemp("", folder)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program, err := compileFloor(ctx, dir)
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
	cpus := [2]string{"-1", "-1"}
	if at.pinned {
		cpus = [2]string{strconv.Itoa(at.cpus[0]), strconv.Itoa(at.cpus[1])}
	}
	cmd := exec.CommandContext(ctx, program, cpus[0], cpus[1])
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, orders.Close(), replies.Close())
	}
	return &floor{cmd, orders, replies, bufio.NewReader(replies)}, nil
}

// slice bounces for a while and returns how many nanoseconds a round trip takes.
func (f *floor) slice() (float64, error) {
	if _, err := fmt.Fprintln(f.orders, floorSlice.Microseconds()); err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	text, err := f.lines.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(text), 64)
}

func (f *floor) close() error {
	return errors.Join(f.orders.Close(), f.cmd.Wait(), f.replies.Close())
}

// blockingPipe is a pipe on whose ends the thread itself sleeps. With os.Pipe it would be the
// goroutine, whose thread then comes back late.
func blockingPipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}
