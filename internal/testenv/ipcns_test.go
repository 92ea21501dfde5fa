package testenv

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/sys"
)

func TestPrivateIPCHasNothingInItAndOwnLimits(t *testing.T) {
	if !InPrivateIPC(t) {
		return
	}
	if ids := mustSysVIDs(t); len(ids) != 0 {
		t.Errorf("not empty: %v", ids)
	}
	before := Sysctl(t, "kernel/shmmni")
	t.Run("limited", func(t *testing.T) {
		if !InPrivateIPC(t) { // here already
			t.Error("InPrivateIPC is false in the private namespace")
		}
		SetSysctl(t, "kernel/shmmni", "1")
		shmget(t, Key(t))
		if _, err := sys.Shmget(0, 4096, 0o600); err == nil {
			t.Error("a second segment although shmmni is 1")
		}
	})
	if after := Sysctl(t, "kernel/shmmni"); after != before {
		t.Errorf("shmmni %s was not restored to %s", after, before)
	}
	t.Log("a line from inside")
}

func TestPrivateIPCInSubtests(t *testing.T) {
	for _, name := range []string{"a/b", "with [brackets] (and) $more|", "#01", "same", "same"} {
		t.Run(name, func(t *testing.T) {
			if !InPrivateIPC(t) {
				return
			}
			t.Log(t.Name())
		})
	}
}

func TestPrivateIPCRelaysTheResult(t *testing.T) {
	t.Parallel()
	output, err := play(t, "private skip")
	if err != nil || !strings.Contains(output, "--- SKIP: TestScenario") || !strings.Contains(output, "for this very reason") {
		t.Errorf("skip: %v\n%s", err, output)
	}
	mustFail(t, "private fail", "--- FAIL: TestScenario", "for that very reason")
	mustFail(t, "private panic", "--- FAIL: TestScenario", "for no reason")
	mustFail(t, "private leak", "--- FAIL: TestScenario", "left behind", "System V sem id")
	mustFail(t, "private none", "--- FAIL: TestScenario", "did not run this test")
}

func TestPrivateIPCInheritsFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"-test.short=true -test.timeout=1h": "short true, limited true",
		"-test.short=false -test.timeout=0": "short false, limited false",
	} {
		args := append(strings.Fields(flags), "-test.run=^TestScenario$", "-test.v")
		output, err := runSelf(args, []string{envScenario + "=private flags"}, 0)
		if err != nil || !strings.Contains(output, want) {
			t.Errorf("%s: %v, want %q in\n%s", flags, err, want, output)
		}
	}
}

func TestSetSysctlOnlyInPrivateIPC(t *testing.T) {
	mustFail(t, "sysctl outside", "call InPrivateIPC first")
	mustFail(t, "sysctl of all", "not known to belong to the IPC namespace")
}

// Told that it is in a private namespace, a process that isn't must not believe it.
func TestPrivateIPCChecksTheNamespace(t *testing.T) {
	here, err := ipcNamespace()
	if err != nil {
		t.Fatal(err)
	}
	output, err := play(t, "private fail", envOuterIPC+"="+here)
	if err == nil || !strings.Contains(output, "is in that namespace") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestPrivateIPCWithoutPrivilege(t *testing.T) {
	p := StartWith(t, &StartOptions{Credential: Nobody(t), Dir: "/"}, "tests",
		"-test.v", "-test.run=^TestPrivateIPCHasNothingInItAndOwnLimits$")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	var output []string
	for {
		line, err := p.ReadLine()
		if err != nil {
			break
		}
		output = append(output, line)
	}
	// Some kernels refuse, or let root of a user namespace set no limits.
	text := strings.Join(output, "\n")
	passed := strings.Contains(text, "a line from inside")
	skipped := strings.Contains(text, "kernel refuses") || strings.Contains(text, "on this kernel")
	if !passed && !skipped {
		t.Errorf("neither passed nor skipped:\n%s", text)
	}
}

func TestExactly(t *testing.T) {
	for name, want := range map[string]string{
		"TestA":       `^TestA$`,
		"TestA/b.c/d": `^TestA$/^b\.c$/^d$`,
		"TestA/[x]":   `^TestA$/^\[x\]$`,
	} {
		if got := exactly(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestLogLines(t *testing.T) {
	const output = `=== RUN   TestX
    x_test.go:3: the reason
=== RUN   TestX/sub
=== NAME  TestX
        continued
--- SKIP: TestX (0.00s)
    --- PASS: TestX/sub (0.00s)
PASS
coverage: 3% of statements
`
	if diff := cmp.Diff("x_test.go:3: the reason\ncontinued", logLines(output)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
