package testenv

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// A test binary that is killed, which then can't remove anything, leaves no System V object.
func TestAKilledTestBinaryLeavesNothing(t *testing.T) {
	RequireRoot(t)
	if _, err := runSelf([]string{"-test.run=^$"}, nil, syscall.CLONE_NEWIPC); refused(err) {
		t.Skipf("root may make no IPC namespace here: %v", err)
	}
	before := mustSysVIDs(t)
	t.Cleanup(func() {
		for _, id := range mustSysVIDs(t) {
			if !slices.Contains(before, id) {
				t.Errorf("left behind: %v", id)
				_ = id.Remove()
			}
		}
	})
	here, err := ipcNamespace()
	if err != nil {
		t.Fatal(err)
	}
	// As go test starts it, which knows of no namespace.
	p := StartWith(t, &StartOptions{Env: []string{envScenario + "=own ipc", envOwnIPC + "="}}, "tests", "-test.run=^TestScenario$")
	child, err := p.ReadLine()
	if err != nil {
		t.Fatal(err, p.Stderr())
	}
	pid, err := strconv.Atoi(child)
	if err != nil {
		t.Fatal(err)
	}
	there, err := p.ReadLine()
	if err != nil || there == here {
		t.Errorf("it is in %s, and this is %s: %v", there, here, err)
	}
	if in, err := os.Readlink("/proc/" + child + "/ns/ipc"); err != nil || in != there {
		t.Errorf("its child is in %s, and it in %s: %v", in, there, err)
	}
	p.Kill()
	if sig := p.ExitSignal(); sig != syscall.SIGKILL {
		t.Errorf("ended by %v", sig)
	}
	Eventually(t, "its child is gone", func() bool { return !running(pid) })
	if after := mustSysVIDs(t); !slices.Equal(after, before) {
		t.Errorf("it left %v, and there was %v", after, before)
	}
}

// Whoever started a test binary has the process that it started: with its pid, its arguments and
// descriptors, and its exit code.
func TestOwnIPCIsTheSameProcess(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	p := StartWith(t, &StartOptions{Env: []string{envScenario + "=same process", envOwnIPC + "="}, Prepare: func(c *exec.Cmd) error {
		c.ExtraFiles = []*os.File{w} // as a fuzz worker has them
		return nil
	}}, "tests", "-test.run=^TestScenario$")
	p.Expect(strconv.Itoa(p.Pid()) + " [-test.run=^TestScenario$]")
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil || string(text) != "descriptor 3" {
		t.Errorf("%q, %v", text, err)
	}
	if code := p.ExitCode(); code != 1 {
		t.Errorf("exit code %d of a test that failed", code)
	}
}
