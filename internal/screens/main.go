package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Parts that the program plays, by the first argument; without one it is run by a person.
const (
	partInside = "inside" // in namespaces of its own
	partActor  = "actor"  // a process of the world
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("screens: ")
	var err error
	switch {
	case len(os.Args) > 2 && os.Args[1] == partActor:
		err = act(os.Args[2:])
	case len(os.Args) == 3 && os.Args[1] == partInside:
		err = inside(os.Args[2])
	case len(os.Args) == 1:
		err = outside()
	default:
		err = errors.New("it takes no arguments; run it at the root of the repository")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// outside builds what is shown, and starts the program again in a world of its own.
func outside() error {
	if _, err := os.Stat(readme); err != nil {
		return fmt.Errorf("run it at the root of the repository: %w", err)
	}
	// A killed `go run` must not leave the folder: what it is told comes here as well.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	dir, err := os.MkdirTemp("", "shmkit-screens-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "shmkit"), "./cmd/shmkit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the command: %w", err)
	}
	self := exec.Command("/proc/self/exe", partInside, dir)
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		self.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		self.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		self.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return self.Run()
}
