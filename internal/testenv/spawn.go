package testenv

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Every child gets SIGKILL when this process dies, so that an interrupted test
// run leaves nothing running. The kernel ties that signal (PR_SET_PDEATHSIG) to
// the *thread* that forked. Go ends a thread whenever a goroutine that was locked
// to it returns, which tests about threads do, and any goroutine may meanwhile
// have started a child from that thread. Therefore one goroutine, locked to a
// thread that lives as long as the process, starts all children.

type spawnRequest struct {
	cmd  *exec.Cmd
	done chan<- error
}

// spawner starts the goroutine at first use and returns the way to reach it.
var spawner = sync.OnceValue(func() chan<- spawnRequest {
	requests := make(chan spawnRequest)
	go spawnLoop(requests)
	return requests
})

// spawnLoop never returns; leak checks know it by this name.
func spawnLoop(requests <-chan spawnRequest) {
	runtime.LockOSThread()
	for r := range requests {
		r.done <- r.cmd.Start()
	}
}

// StartCommand is cmd.Start for a program that must not outlive this process, also if
// that is interrupted or killed. It gets Pdeathsig of SysProcAttr then, SIGKILL if that is
// 0: a program that has something to clean up is better asked by SIGTERM.
func StartCommand(cmd *exec.Cmd) error { return spawn(cmd) }

// RunCommand is cmd.Run likewise.
func RunCommand(cmd *exec.Cmd) error {
	if err := spawn(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

// spawn is cmd.Start with the promise above. The pid is remembered for the leak
// check. A consequence of the one thread: what the calling thread alone has (CPU
// affinity, its own namespaces) is not inherited.
func spawn(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	done := make(chan error)
	spawner() <- spawnRequest{cmd, done}
	if err := <-done; err != nil {
		return err
	}
	descendants.add(cmd.Process.Pid)
	return nil
}

// descendants are the pids of all children ever started by spawn.
var descendants pidSet

type pidSet struct {
	mu   sync.Mutex
	pids map[int]bool // protected by mu
}

func (s *pidSet) add(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pids == nil {
		s.pids = map[int]bool{}
	}
	s.pids[pid] = true
}

func (s *pidSet) has(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pids[pid]
}
