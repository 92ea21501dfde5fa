package model

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// A process that lives on cannot tell which signal a fault brought, so the player looks
// up which it must have been. Here it dies of it instead, and the Go runtime says the
// name: for every fault of the conformance scripts.
func TestFaultsBringTheSignalsThatTheModelSays(t *testing.T) {
	requireKernel(t, sys.Release())
	if !testenv.InPrivateIPC(t) {
		return
	}
	setLimits(t)
	r := newRig(t, companies[0].options(t))
	defer func() { r.begin() }()
	signals := map[syscall.Signal]int{}
	for _, n := range conformanceScripts(t) {
		for last, step := range n.script {
			if n.nobody || step.Want != "SIGSEGV" && step.Want != "SIGBUS" {
				continue
			}
			w := r.begin()
			for _, step := range n.script[:last] {
				w.Do(step.Op)
				r.do(step.Op)
			}
			want := w.Do(step.Op).Signal
			if got := r.die(step.Op); got != want {
				t.Errorf("%s: %v: died of %v, the model says %v", n.name, step.Op, got, want)
			}
			signals[want]++
		}
	}
	t.Logf("%d of SIGSEGV, %d of SIGBUS", signals[syscall.SIGSEGV], signals[syscall.SIGBUS])
	if signals[syscall.SIGSEGV] < 5 || signals[syscall.SIGBUS] < 5 {
		t.Errorf("only %v", signals)
	}
}

// die executes an operation that kills its process, and returns by which signal. The Go
// runtime catches the signal, writes which it was, and exits with 2.
func (r *rig) die(op Op) syscall.Signal {
	r.t.Helper()
	p := r.procs[op.Proc]
	if line, _ := r.cast.Ask("fatal", op); line != "" {
		r.t.Fatalf("%v: the process lived, and said %q", op, line)
	}
	if code := p.ExitCode(); code != 2 {
		r.t.Fatalf("%v: exit code %d\n%s", op, code, p.Stderr())
	}
	r.start(op.Proc)
	for _, s := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS} {
		name := map[syscall.Signal]string{syscall.SIGSEGV: "SIGSEGV", syscall.SIGBUS: "SIGBUS"}[s]
		if strings.Contains(p.Stderr(), fmt.Sprintf("[signal %s:", name)) {
			return s
		}
	}
	r.t.Fatalf("%v: no signal in\n%s", op, p.Stderr())
	return 0
}
