package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// lockedKB is how much memory a process has locked, as /proc says it.
func lockedKB(t testing.TB, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmLck:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatal("no VmLck")
	return ""
}

// made makes memory at a site, to be removed when the test ends.
func (s site) made(t testing.TB, size string) {
	t.Helper()
	if s.kept {
		return // 1 MiB
	}
	if r := runKinds(t, "create", s.addr, "--size", size); r.code != exitDone {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { runKinds(t, "rm", s.addr) })
}

func TestLockHoldsMemoryAsLongAsItRuns(t *testing.T) {
	onEach(t, func(t *testing.T, s site) {
		s.made(t, "1M")
		b := start(t, nil, "lock", s.addr)
		testenv.Eventually(t, "it is locked", func() bool { return strings.Contains(b.out.String(), "\n") })
		if want := "locked in memory: 1 MiB of " + s.addr + "; until this command is interrupted\n"; b.out.String() != want {
			t.Errorf("it says %q, want %q", b.out.String(), want)
		}
		if got := lockedKB(t, b.cmd.Process.Pid); got != "1024 kB" {
			t.Errorf("the kernel says %s are locked", got)
		}
		b.signal(syscall.SIGINT)
		b.wait()
		if ws := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGINT || b.errs.Len() > 0 {
			t.Errorf("%v: %s", b.cmd.ProcessState, b.errs.String())
		}
		// For a time, and as long as a command runs, which gets what is meant for it.
		r := runProcess(t, nil, nil, "lock", s.addr, "--for", "10ms", "--json")
		if r.code != 0 || !strings.Contains(r.out, `"bytes": 1048576`) || !strings.Contains(r.out, `"until": "time"`) {
			t.Errorf("%+v", r)
		}
		r = runProcess(t, nil, nil, "lock", s.addr, "--", "sh", "-c", `grep VmLck /proc/$PPID/status; exit 7`)
		if r.code != 7 || strings.Join(strings.Fields(r.out), " ") != "VmLck: 1024 kB" || !strings.HasSuffix(r.err, "; until sh ends\n") {
			t.Errorf("%+v", r)
		}
		r = runProcess(t, nil, nil, "lock", s.addr, "--", "sh", "-c", `kill -9 $$`)
		if r.code != 128+9 {
			t.Errorf("%+v", r)
		}
	})
}

func TestLockPassesSignalsOnToItsCommand(t *testing.T) {
	s := sites(t)[0]
	s.made(t, "4K")
	b := start(t, nil, "lock", s.addr, "--", "sh", "-c", `trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done`)
	testenv.Eventually(t, "the command runs", func() bool { return strings.Contains(b.out.String(), "ready") })
	b.signal(syscall.SIGTERM)
	b.wait()
	// The signal ends shmkit as well, when the command has ended.
	if ws := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGTERM || b.out.String() != "ready\nasked\n" {
		t.Errorf("%v, %q", b.cmd.ProcessState, b.out.String())
	}
}

func TestLockRefuses(t *testing.T) {
	s := sites(t)[0]
	s.made(t, "4K")
	addr, _, _ := newAddresses(t)
	for line, why := range map[string]string{
		"lock " + s.addr + " --":             "COMMAND is missing",
		"lock " + s.addr + " --for 1 -- x":   "exclude each other",
		"lock " + s.addr + " --for -1":       "not negative",
		"lock " + addr + " --for 1":          "stays locked until shmkit unlock",
		"lock " + addr + " -- true":          "stays locked until shmkit unlock",
		"lock -- true":                       "ADDRESS is missing",
		"unlock " + s.addr:                   "until that ends",
		"lock sem:1":                         "no memory to lock; lock works on sysv:, posix:, file: and memfd:",
		"memfd run --size 4K":                "PROGRAM is missing",
		"flush " + s.addr:                    "no device",
		"create memfd:1/3 --size 4K":         "memfd run",
		"set " + s.addr + " --capacity 1":    "does not apply",
		"dump memfd:0/3":                     "no process has the number 0",
		"set file:x --seals write":           "it is for memfd:",
		"get posix:a/b":                      "say file:PATH",
		"lock file:/nosuch/x --json posix:/": "at least one character",
	} {
		refused(t, runKinds(t, strings.Fields(line)...), exitUsage, why)
	}
	refused(t, runProcess(t, nil, nil, "lock", s.addr, "--", "nosuchprogram"), exitFailed, "no program is called nosuchprogram")
}

// limited is the command with little memory to lock.
func limitedRole(args []string) error {
	if err := sys.SetMemoryLockLimit(64 << 10); err != nil {
		return err
	}
	return shmkitRole(args)
}

func TestLockNamesTheLimit(t *testing.T) {
	name := testenv.Name(t)
	addr := "posix:/" + name
	opts := &testenv.StartOptions{}
	if os.Geteuid() == 0 {
		opts.DropCaps = []testenv.Capability{testenv.CapIPCLock}
	}
	if r := runKinds(t, "create", addr, "--size", "1M"); r.code != exitDone {
		t.Fatal(r.err)
	}
	p := testenv.StartWith(t, opts, "shmkit-limited", "lock", addr)
	if code := p.ExitCode(); code != exitFailed || !strings.Contains(p.Stderr(), "may lock 65536 bytes (RLIMIT_MEMLOCK; ulimit -l sets it)") ||
		strings.Count(p.Stderr(), "\n") != 1 {
		t.Errorf("exit code %d: %s", code, p.Stderr())
	}
}
