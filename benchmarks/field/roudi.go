package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A daemon is iceoryx's, without which its programs do nothing.
type daemon struct{ cmd *exec.Cmd }

// pools are what it makes memory of: chunks of each size of message, with room for what goes before it.
const pools = `[general]
version = 1

[[segment]]

[[segment.mempool]]
size = 128
count = 4096

[[segment.mempool]]
size = 8192
count = 1024

[[segment.mempool]]
size = 1049600
count = 300

[[segment.mempool]]
size = 4195328
count = 150
`

// errRouDi: it runs already, or cannot.
var errRouDi = errors.New("iox-roudi has ended")

// startRouDi starts it and waits until it is ready.
func startRouDi(ctx context.Context) (*daemon, error) {
	config, err := os.CreateTemp("", "shmkit-field-*.toml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(config.Name())
	if _, err := config.WriteString(pools); err != nil {
		return nil, err
	}
	if err := config.Close(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "iox-roudi", "-c", config.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it removes its memory
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan bool, 1)
	go func() {
		said := false
		for in := bufio.NewScanner(out); in.Scan(); {
			if !said && strings.Contains(in.Text(), "RouDi is ready for clients") {
				said = true
				ready <- true
			}
		}
		if !said {
			ready <- false
		}
	}()
	if !<-ready {
		return nil, errors.Join(errRouDi, cmd.Wait())
	}
	return &daemon{cmd}, nil
}

func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = d.cmd.Wait() // by a signal, or with a code of its own
	return nil
}
