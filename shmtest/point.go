package shmtest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Point is a place between two steps. It does nothing but in a Victim's process, where
// it counts, or kills the process. The name is the step before it: "push:stored".
func Point(name string) {
	if a := armed.Load(); a != nil {
		a.hit(name)
	}
}

// armed is nil in processes that nobody wants to kill.
var armed atomic.Pointer[aim]

// What a victim is told through its environment.
const (
	envPoints = "SHMKIT_TEST_POINTS"  // the file to write the names of the points in
	envKillAt = "SHMKIT_TEST_KILL_AT" // HIT NAME: where to die
)

// An aim is what a victim's points do.
type aim struct {
	mu   sync.Mutex
	log  *os.File
	name string // where to die, "" nowhere
	left int    // hits until then; protected by mu
}

// killedLine is the last line in the log of a victim that died at a point.
const killedLine = "!"

// arm reads what a victim is to do.
func arm() error {
	path, ok := os.LookupEnv(envPoints)
	if !ok {
		return nil
	}
	a := &aim{}
	if at, ok := os.LookupEnv(envKillAt); ok {
		hit, name, _ := strings.Cut(at, " ")
		n, err := strconv.Atoi(hit)
		if err != nil || n < 1 || name == "" {
			return fmt.Errorf("%s=%q: want HIT NAME", envKillAt, at)
		}
		a.name, a.left = name, n
	}
	var err error
	if a.log, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return err
	}
	// What the victim itself starts is another process, and no victim.
	if err := errors.Join(os.Unsetenv(envPoints), os.Unsetenv(envKillAt)); err != nil {
		return err
	}
	armed.Store(a)
	return nil
}

// hit counts, or kills.
func (a *aim) hit(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.name == "":
		a.write(name)
	case a.name == name:
		if a.left--; a.left == 0 {
			a.write(killedLine)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way; nothing must happen after this point
		}
	}
}

// write notes a line. Without it the test would not see what happened.
func (a *aim) write(line string) {
	if _, err := a.log.WriteString(line + "\n"); err != nil {
		fmt.Fprintln(os.Stderr, "shmtest:", err)
		os.Exit(3)
	}
}
