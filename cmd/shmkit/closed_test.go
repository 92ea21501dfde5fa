package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
)

// closedPipe is the writing end of a pipe that nobody reads.
func closedPipe(t testing.TB) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestAClosedPipeIsOneLineAndExitCodeOne(t *testing.T) {
	addr, sem, msg := newAddresses(t)
	mustRun(t, "create", addr, "--size", "1M")
	mustRun(t, "create", sem, "--count", "1")
	mustRun(t, "create", msg)
	mustRun(t, "msg", "send", msg, "hello")
	for _, line := range []string{
		"ls", "ls --json", "limits", "stat " + addr, "dump " + addr, "get " + addr, "sem values " + sem, "msg receive " + msg + " --peek 0",
		"create " + addr + " --size 1", "version", "completion bash", "put " + addr,
	} {
		r := runProcess(t, strings.NewReader("x"), closedPipe(t), strings.Fields(line)...)
		command, _, _ := strings.Cut(line, " -")
		want := "shmkit " + strings.Fields(command)[0]
		if name := strings.Fields(command)[0]; name == "sem" || name == "msg" {
			want += " " + strings.Fields(command)[1]
		}
		if want += ": standard output was closed\n"; r.code != exitFailed || r.err != want {
			t.Errorf("%s: code %d, %q; want %q", line, r.code, r.err, want)
		}
	}
	if r := runProcess(t, nil, closedPipe(t), "--help"); r.code != exitFailed || r.err != "shmkit: standard output was closed\n" {
		t.Errorf("--help: %+v", r)
	}
	// What prints nothing does not notice.
	if r := runProcess(t, nil, closedPipe(t), "rm", addr, sem, msg); r.code != exitDone || r.err != "" {
		t.Errorf("rm: %+v", r)
	}
}

func TestCreateLeavesNothingThatItCouldNotName(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full: %v", err)
	}
	defer full.Close()
	mustRun(t, "create", "sem:7", "--count", "1")
	before := steadyList(t)
	for _, line := range []string{
		"create sysv:private --size 1", "create sysv:1 --size 1 --json", "create sem:private --count 1", "create msg:1",
		"create sem:7 --count 1", // it was there
	} {
		refused(t, runApp(t, &app{out: full}, strings.Fields(line)...), exitFailed, "shmkit create: standard output: no space left on device\n")
	}
	if diff := cmp.Diff(before, steadyList(t)); diff != "" {
		t.Errorf("before (-), after (+):\n%s", diff)
	}
	mustRun(t, "rm", "sem:7")
}

func TestOutputThatWasNeverOpenLosesNothing(t *testing.T) {
	addr, _, msg := newAddresses(t)
	stream := at("sysv", testenv.KeyLeakChecked(t))
	mustRun(t, "create", addr, "--size", "1")
	mustRun(t, "create", msg)
	mustRun(t, "msg", "send", msg, "precious")
	in := func(redirection, line string) ran {
		return runProgram(t, nil, nil, "sh", append([]string{"-c", `exec shmkit "$@" ` + redirection, "sh"}, strings.Fields(line)...)...)
	}
	for _, line := range []string{"get " + addr, "msg receive " + msg, "read " + stream, "recv " + stream} {
		refused(t, in(">&-", line), exitFailed, "standard output was closed")
	}
	if out := mustRun(t, "msg", "receive", msg, "--peek", "0"); out != "precious\n" {
		t.Errorf("%q", out)
	}
	// Who wants to lose something, may; also who wants to hear of nothing.
	for _, redirection := range []string{">/dev/null", "<>/dev/null >&0 2>&0"} {
		if r := in(redirection, "msg receive "+msg); r.code != exitDone || r.err != "" {
			t.Errorf("%s: %+v", redirection, r)
		}
		mustRun(t, "msg", "send", msg, "again")
	}
	// What prints besides, does its work.
	if r := in(">&-", "put "+addr); r.code != exitDone {
		t.Errorf("%+v", r)
	}
	mustRun(t, "rm", addr, msg)
}

func TestTheFirstSignalEndsACommandAsThatSignal(t *testing.T) {
	_, sem, _ := newAddresses(t)
	mustRun(t, "create", sem, "--count", "1")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		p := testenv.Start(t, "shmkit", "sem", "op", sem, "0:-1")
		testenv.Eventually(t, "it waits for the semaphore", func() bool { return waiting(t, sem) == 1 })
		if err := p.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if got := p.ExitSignal(); got != sig {
			t.Errorf("%v: it ended by %v, exit code %d", sig, got, p.ExitCode())
		}
		if text := p.Stderr(); text != "" {
			t.Errorf("%v: it said %q", sig, text)
		}
	}
	mustRun(t, "rm", sem)
}

func TestTheSecondInterruptEndsAtOnce(t *testing.T) {
	for _, first := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		p := testenv.Start(t, "stubborn")
		p.Expect("ready")
		if err := p.Signal(first); err != nil {
			t.Fatal(err)
		}
		p.Expect("asked to end: " + first.String())
		// Only SIGINT is a person's second wish,
		if err := p.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		// if it does not come together with the first.
		testenv.Eventually(t, "a later SIGINT ends it", func() bool {
			_ = p.Signal(syscall.SIGINT)
			select {
			case <-p.Exited():
				return true
			default:
				return false
			}
		})
		if got := p.ExitSignal(); got != syscall.SIGINT {
			t.Errorf("after %v: it ended by %v, exit code %d", first, got, p.ExitCode())
		}
	}
}

func TestASignalSentTwiceStillLeavesNothing(t *testing.T) {
	// As timeout(1) does it: to the process, and to its group.
	for range 20 { // they may come as one
		key := testenv.KeyLeakChecked(t)
		b := start(t, nil, "read", at("sysv", key))
		awaitMembers(t, key, 0, 1)
		b.signal(syscall.SIGINT)
		b.signal(syscall.SIGINT)
		b.endedBy(syscall.SIGINT)
		if exists(key) {
			t.Fatal("something is left")
		}
	}
}

// waiting is how many wait for the first semaphore of a set.
func waiting(t testing.TB, sem string) int {
	t.Helper()
	out := mustRun(t, "stat", sem)
	row := strings.Fields(out[strings.Index(out, "FOR ZERO"):])
	n, err := strconv.Atoi(row[5])
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	return n
}

func TestSignalsIgnoredFromTheStartStayIgnored(t *testing.T) {
	_, sem, _ := newAddresses(t)
	mustRun(t, "create", sem, "--count", "1")
	p := testenv.Start(t, "shmkit-ignores", "sem", "op", sem, "0:-1")
	testenv.Eventually(t, "it waits for the semaphore", func() bool { return waiting(t, sem) == 1 })
	if err := p.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "sem", "op", sem, "0:+1")
	if code := p.ExitCode(); code != exitDone {
		t.Errorf("exit code %d, signal %v: %s", code, p.ExitSignal(), p.Stderr())
	}
	mustRun(t, "rm", sem)
}

func TestASignalEndsACommandThatWaitsForItsUser(t *testing.T) {
	key := testenv.Key(t)
	mustRun(t, "create", at("sysv", key), "--size", "1M")

	// For input,
	p := testenv.Start(t, "shmkit", "put", at("sysv", key))
	testenv.Eventually(t, "it has attached the segment", func() bool { return strings.Contains(mustRun(t, "stat", at("sysv", key)), "attached         1") })
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := p.ExitSignal(); got != syscall.SIGTERM {
		t.Errorf("put: it ended by %v, exit code %d: %s", got, p.ExitCode(), p.Stderr())
	}

	// and for a reader of its output, which is more than a pipe holds.
	p = testenv.Start(t, "shmkit", "get", at("sysv", key))
	testenv.Eventually(t, "it writes", func() bool { return testenv.InSyscall(t, p.Pid(), syscall.SYS_WRITE) })
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := p.ExitSignal(); got != syscall.SIGTERM {
		t.Errorf("get: it ended by %v, exit code %d: %s", got, p.ExitCode(), p.Stderr())
	}
}

func TestARemovedObjectEndsTheWait(t *testing.T) {
	_, sem, msg := newAddresses(t)
	mustRun(t, "create", sem, "--count", "1")
	mustRun(t, "create", msg)
	s := testenv.Start(t, "shmkit", "sem", "op", sem, "0:-1")
	testenv.Eventually(t, "it waits for the semaphore", func() bool { return waiting(t, sem) == 1 })
	m := testenv.Start(t, "shmkit", "msg", "receive", msg)
	testenv.Eventually(t, "it waits for a message", func() bool { return testenv.InSyscall(t, m.Pid(), syscall.SYS_MSGRCV) })
	mustRun(t, "rm", sem, msg)
	for p, want := range map[*testenv.Proc]string{
		s: "shmkit sem op: semaphore set " + sem + " was removed\n",
		m: "shmkit msg receive: message queue " + msg + " was removed\n",
	} {
		if code := p.ExitCode(); code != exitFailed || p.Stderr() != want {
			t.Errorf("exit code %d, %q; want %q", code, p.Stderr(), want)
		}
	}
}
