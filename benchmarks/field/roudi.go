package main

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // it ends with who started it, however that ends
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }          // it removes its memory
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

// stop ends it. If one of its programs was killed, as in a run that fails, it may abort then instead of removing what it has.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := d.cmd.Wait(); err == nil {
		return nil
	}
	return removeRouDi()
}

// removeRouDi removes what a daemon leaves that has aborted: its memory, the segment of which has the name of the group; its locks and
// sockets, and those of programs here. There is one on a machine at a time, so it was that one's.
func removeRouDi() error {
	group, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
	if err != nil {
		return err
	}
	names := []string{"/dev/shm/iceoryx_mgmt", "/dev/shm/" + group.Name, "/tmp/roudi", "/tmp/roudi.lock", "/tmp/iox-unique-roudi.lock"}
	programs, err := filepath.Glob("/tmp/shmkit-iox-*")
	for _, name := range append(names, programs...) {
		if e := os.Remove(name); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
