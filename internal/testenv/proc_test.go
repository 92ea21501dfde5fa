package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

func TestRoleTalksUntilItsInputEnds(t *testing.T) {
	p := Start(t, "echo", "you", "said", "")
	p.Send("one")
	p.Expect("you said one")
	p.Send("two")
	p.Expect("you said two")
	p.CloseStdin()
	p.CloseStdin() // again is no error
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := p.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal after the end: %v", err)
	}
	p.Kill()
}

func TestLastLineNeedsNoNewline(t *testing.T) {
	p := Start(t, "print", "first\nlast")
	p.Expect("first")
	p.Expect("last")
	if _, err := p.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestRoleErrorIsExitCodeAndText(t *testing.T) {
	for role, want := range map[string]struct {
		code int
		text string
	}{
		"fail":    {1, "this role fails"},
		"panic":   {2, "this role panics"},
		"no such": {2, `no role "no such"`},
	} {
		p := Start(t, role)
		var exit *exec.ExitError
		if err := p.Wait(); !errors.As(err, &exit) {
			t.Errorf("%s: Wait: %v", role, err)
		}
		if p.ExitCode() != want.code || !strings.Contains(p.Stderr(), want.text) {
			t.Errorf("%s: exit code %d, standard error %q", role, p.ExitCode(), p.Stderr())
		}
	}
}

func TestKillReaps(t *testing.T) {
	p := Start(t, "echo")
	p.Send("hello")
	p.Expect("hello")
	p.Kill()
	if sig, code := p.ExitSignal(), p.ExitCode(); sig != syscall.SIGKILL || code != -1 {
		t.Errorf("signal %v, exit code %d", sig, code)
	}
	if alive(p.Pid()) {
		t.Error("the process still exists")
	}
}

func TestUnmetExpectationShowsStandardError(t *testing.T) {
	mustFail(t, "expect", `expected the line "something"`, "this role fails")
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	p := StartWith(t, &StartOptions{Env: []string{"SHMKIT_X=y"}, Dir: dir}, "echo")
	p.Send("hello") // /proc shows the environment when the new program really runs
	p.Expect("hello")
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.Pid())); err != nil || cwd != dir {
		t.Errorf("working directory %s, %v", cwd, err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.Pid()))
	if err != nil || !strings.Contains(string(environ), "\x00SHMKIT_X=y\x00") {
		t.Errorf("environment %q, %v", environ, err)
	}
}

func TestRoleAsNobody(t *testing.T) {
	p := StartWith(t, &StartOptions{Credential: Nobody(t)}, "status", "Uid", "Gid", "Groups", "CapEff")
	p.Expect("65534 65534 65534 65534")
	p.Expect("65534 65534 65534 65534")
	p.Expect("")
	p.Expect("0000000000000000")
}

func TestRoleWithoutCapability(t *testing.T) {
	RequireRoot(t)
	effective := func(p *Proc) uint64 {
		line, err := p.ReadLine()
		if err != nil {
			t.Fatal(err, p.Stderr())
		}
		caps, err := strconv.ParseUint(line, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return caps
	}
	whole := Start(t, "status", "CapEff")
	drop := []Capability{CapIPCOwner, CapCheckpoint} // one in each word of the set
	less := StartWith(t, &StartOptions{DropCaps: drop}, "status", "CapEff", "CapBnd", "Pid", "Uid")
	want := effective(whole)
	for _, c := range drop {
		want &^= 1 << c
	}
	for _, set := range []string{"effective", "bounding"} {
		if got := effective(less); got != want {
			t.Errorf("%s: %x, want %x", set, got, want)
		}
	}
	less.Expect(strconv.Itoa(less.Pid())) // the same process, though it executed twice
	less.Expect("0 0 0 0")
}

func TestRoleInPIDNamespace(t *testing.T) {
	RequireRoot(t)
	p := StartWith(t, &StartOptions{Cloneflags: syscall.CLONE_NEWPID}, "status", "NSpid")
	p.Expect(fmt.Sprintf("%d 1", p.Pid()))
	p.Kill()
	if sig := p.ExitSignal(); sig != syscall.SIGKILL {
		t.Errorf("ended by signal %v", sig)
	}
}

// The kernel sends the parent-death signal when the thread that forked ends.
func TestChildOutlivesTheThreadThatAskedForIt(t *testing.T) {
	var p *Proc
	var thread int
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		thread = sys.Gettid()
		p = Start(t, "echo")
	}()
	<-done
	Eventually(t, "the thread is gone", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread))
		return thread == os.Getpid() || errors.Is(err, os.ErrNotExist)
	})
	p.Send("still here")
	p.Expect("still here")
}

func TestChildDiesWithTheTestProcess(t *testing.T) {
	outer := StartWith(t, &StartOptions{Env: []string{envScenario + "=parent"}}, "tests", "-test.run=^TestScenario$")
	var pids []int
	for {
		line, err := outer.ReadLine()
		if err != nil {
			t.Fatal(err, outer.Stderr())
		}
		if line == "all" {
			break
		}
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatalf("%v\n%s", err, outer.Stderr())
		}
		pids = append(pids, pid)
	}
	if len(pids) == 0 {
		t.Fatal("no children")
	}
	outer.Kill()
	for _, pid := range pids {
		Eventually(t, "the killed test's child has ended", func() bool { return !running(pid) })
	}
}

// running reports whether the process exists and is no zombie.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	st, err := parseStat(string(text))
	return err == nil && st.state != 'Z' && st.state != 'X'
}

func TestInSyscallAndStopped(t *testing.T) {
	p := Start(t, "echo")
	Eventually(t, "the role waits for a line", func() bool { return InSyscall(t, p.Pid(), syscall.SYS_READ) })
	if InSyscall(t, p.Pid(), syscall.SYS_SEMTIMEDOP) {
		t.Error("it isn't in semtimedop")
	}
	if Stopped(t, p.Pid()) {
		t.Error("it isn't stopped")
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the role is stopped", func() bool { return Stopped(t, p.Pid()) })
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.Send("on")
	p.Expect("on")
}
