package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// badWorks are works that do not do what they should, and others for tests.
func badWorks() []work {
	torn := copies()
	torn.name = "torn"
	torn.parent = func(r *room) (side, error) {
		s, err := newCopier(r, true)
		if err != nil {
			return nil, err
		}
		return tearer{s.(*copier)}, nil
	}
	dies := bounce()
	dies.name = "dies"
	dies.child = func(*room) (side, error) { return mortal{}, nil }
	refuses := bounce()
	refuses.name = "refuses"
	refuses.child = func(*room) (side, error) { return nil, errors.New("not today") }
	fails := bounce()
	fails.name = "fails"
	fails.parent = func(r *room) (side, error) { return mortal{errors.New("enough")}, nil }
	return []work{torn, dies, refuses, fails, seeing("bound", false, 1), seeing("free", true, 0)}
}

// A tearer hands over messages of which one bit, at another place each time, is wrong.
type tearer struct{ *copier }

func (t tearer) run(n int, check bool) error {
	for range n {
		t.seq++
		fill(t.shared.Data(), t.seq)
		t.shared.Data()[t.seq*997%large] ^= 1
		t.turns.Data().filled.Store(t.seq)
		if err := t.r.await(&t.turns.Data().taken, t.seq); err != nil {
			return err
		}
	}
	return nil
}

// A mortal fails, or kills its process without a word.
type mortal struct{ err error }

func (m mortal) run(int, bool) error {
	if m.err != nil {
		return m.err
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return err
	}
	select {}
}

func (mortal) close() error { return nil }

// seeing is a work that fails if a process does not see the CPUs that it should.
func seeing(name string, free bool, bound int) work {
	look := func(r *room) (side, error) { return &seer{bound: bound}, nil }
	return work{name: name, n: 10, free: free, parent: look, child: look}
}

// A seer looks at how many CPUs its thread has, and the rest of its process.
type seer struct{ bound int }

func (s *seer) run(int, bool) error {
	switch mine, err := threadCPUs(); {
	case err != nil:
		return err
	case s.bound != 0 && mine != s.bound || s.bound == 0 && mine < 2:
		return fmt.Errorf("the thread may use %d CPUs", mine)
	case runtime.NumCPU() < 2:
		return fmt.Errorf("the runtime has found %d CPUs", runtime.NumCPU())
	}
	return nil
}

func (*seer) close() error { return nil }

// Only the thread is bound: what a process inherits it takes for the machine.
func TestThreadsAreBoundAndProcessesAreNot(t *testing.T) {
	at := twoCPUs(t)
	b := &bench{at: at, shorter: 1}
	for _, name := range []string{"bound", "free"} {
		w, err := find(badWorks(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := at.run(func() error {
			p, err := b.start(context.Background(), w)
			if err != nil {
				return err
			}
			_, err = p.slice()
			return errors.Join(err, p.close())
		}); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatGoesWrongIsToldAndLeavesNothing(t *testing.T) {
	at := twoCPUs(t)
	for name, want := range map[string]string{
		"torn":    "message 1: byte 997 is",
		"dies":    "signal: killed",
		"refuses": "not today",
		"fails":   "enough",
	} {
		t.Run(name, func(t *testing.T) {
			w, err := find(badWorks(), name)
			if err != nil {
				t.Fatal(err)
			}
			b := &bench{at: at, shorter: 1}
			err = at.run(func() error {
				p, err := b.start(context.Background(), w)
				if err == nil {
					err = errors.Join(errors.New("it was verified"), p.close())
				}
				return err
			})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("%v; want %s: … %s", err, name, want)
			}
			leavesNothing(t)
		})
	}
}

// leavesNothing looks for folders of this process. All else testenv looks for.
func leavesNothing(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(fmt.Sprintf("/dev/shm/%s%d-*", folder, os.Getpid()))
	if err != nil || left != nil {
		t.Errorf("left: %v %v", left, err)
	}
}

// twoCPUs is a place bound to two CPUs, for tests that take two processes.
func twoCPUs(t *testing.T) place {
	t.Helper()
	at, err := findPlace(true)
	if errors.Is(err, errOneCPU) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	// A child that was built with -race waits a second before it ends, otherwise.
	t.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return at
}

// withCompiler skips where there is none for the floor.
func withCompiler(t *testing.T) {
	t.Helper()
	testenv.RequireCompiler(t)
}

// threadCPUs is how many CPUs the calling thread may run on.
func threadCPUs() (int, error) {
	cpus, err := sys.CPUs()
	return len(cpus), err
}
