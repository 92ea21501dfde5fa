package testenv

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The results that a test in a private namespace reports to the one outside.
const (
	resultPass = "pass"
	resultFail = "fail"
	resultSkip = "skip"
)

// InPrivateIPC gives the test an IPC namespace of its own: no System V object of
// anybody else's in it, the kernel's default limits, and SetSysctl allowed.
//
// It runs the current test again in a child process with such a namespace and
// returns true there. In the parent it returns false after the child has ended,
// and has given this test the child's result: its failure, its skip with the
// reason, its log. So a test begins with
//
//	if !testenv.InPrivateIPC(t) {
//		return
//	}
//
// Without the privilege for a namespace it makes a user namespace around it, in
// which the child is root over the IPC namespace and nothing else. Where the
// kernel refuses that as well, the test is skipped.
func InPrivateIPC(t *testing.T) bool {
	t.Helper()
	private, err := inPrivateIPC()
	if err != nil {
		t.Fatal(err)
	}
	if private {
		reportResult(t)
		return true
	}
	runInPrivateIPC(t)
	return false
}

// inPrivateIPC reports whether this process runs in a namespace that
// InPrivateIPC made. It is an error if it was told so and the namespace is
// nevertheless the one outside, whose limits and objects are not ours to touch.
func inPrivateIPC() (bool, error) {
	outer, ok := os.LookupEnv(envOuterIPC)
	if !ok {
		return false, nil
	}
	inner, err := ipcNamespace()
	if err != nil {
		return false, err
	}
	if inner == outer {
		return false, fmt.Errorf("%s is set, but this process is in that namespace (%s) itself", envOuterIPC, outer)
	}
	return true, nil
}

func ipcNamespace() (string, error) { return os.Readlink("/proc/self/ns/ipc") }

// reportResult makes the child's test leave its result for the parent. It does
// so for that test only, not for others that call InPrivateIPC in the same child.
func reportResult(t *testing.T) {
	if t.Name() != os.Getenv(envTest) {
		return
	}
	t.Cleanup(func() {
		result := resultPass
		switch {
		case t.Failed():
			result = resultFail
		case t.Skipped():
			result = resultSkip
		}
		if err := os.WriteFile(os.Getenv(envResult), []byte(result), 0o600); err != nil {
			t.Error(err)
		}
	})
}

// runInPrivateIPC is the parent's part.
func runInPrivateIPC(t *testing.T) {
	t.Helper()
	outer, err := ipcNamespace()
	if err != nil {
		t.Skipf("no IPC namespaces here: %v", err)
	}
	runInNamespace(t, "a private IPC namespace", envOuterIPC+"="+outer, syscall.CLONE_NEWIPC)
}

// runInNamespace runs the current test again in a child with a new namespace of the
// kind that cloneflag says, and gives this test the child's result. marker is the
// variable that tells the child.
func runInNamespace(t *testing.T, what, marker string, cloneflag uintptr) {
	t.Helper()
	resultFile := filepath.Join(t.TempDir(), "result")
	env := []string{marker, envTest + "=" + t.Name(), envResult + "=" + resultFile}

	output, err := runSelf(childArgs(t), env, cloneflag)
	if refused(err) {
		output, err = runSelf(childArgs(t), append(env, envUserNS+"=1"), syscall.CLONE_NEWUSER|cloneflag)
	}
	if refused(err) {
		t.Skipf("the kernel refuses %s, also inside a user namespace: %v", what, err)
	}
	result, readErr := os.ReadFile(resultFile)
	switch {
	case err != nil:
		t.Fatalf("in %s: %v\n%s", what, err, output)
	case readErr != nil:
		t.Fatalf("the child for %s did not run this test:\n%s", what, output)
	case string(result) == resultSkip:
		t.Skipf("in %s: %s", what, logLines(output))
	case string(result) != resultPass:
		t.Fatalf("in %s: result %q\n%s", what, result, output)
	}
	if text := logLines(output); text != "" {
		t.Logf("in %s:\n%s", what, text)
	}
}

// refused reports whether starting the child failed for want of a privilege, a
// kernel feature, or room for one more namespace.
func refused(err error) bool {
	var start *startError
	if !errors.As(err, &start) {
		return false
	}
	for _, errno := range []syscall.Errno{
		syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOSYS, syscall.ENOSPC, syscall.EUSERS,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// A startError is a child that never ran, unlike one that ran and failed.
type startError struct{ error }

func (e *startError) Unwrap() error { return e.error }

// runSelf runs the test binary in new namespaces and returns what it printed.
func runSelf(args, env []string, cloneflags uintptr) (string, error) {
	output, err := unlinkedFile()
	if err != nil {
		return "", err
	}
	defer output.Close()
	cmd := exec.Command(selfExe, args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = childEnv(nil, env...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = newProcAttr(cloneflags)
	if err := spawn(cmd); err != nil {
		return "", &startError{err}
	}
	err = cmd.Wait()
	text, readErr := readAllAt(output)
	return text, errors.Join(err, readErr)
}

// childArgs are the flags with which the test binary runs exactly this test, as
// it is being run here. The coverage profile is not among them: the parent writes
// that, from the folder of counters that both share.
func childArgs(t *testing.T) []string {
	args := []string{
		"-test.run=" + exactly(t.Name()),
		"-test.v",
		"-test.count=1",
		fmt.Sprintf("-test.short=%t", testing.Short()),
		fmt.Sprintf("-test.cpu=%d", runtime.GOMAXPROCS(0)),
		"-test.timeout=" + timeLeft(t).String(),
	}
	for _, name := range []string{"test.skip", "test.gocoverdir"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			args = append(args, "-"+name+"="+f.Value.String())
		}
	}
	return args
}

// exactly is the pattern for -test.run that matches the test of this full name,
// and its subtests.
func exactly(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// timeLeft is the time limit for a child: a little less than is left here, so
// that the child's own stack dump gets into the report. 0 is no limit.
func timeLeft(t *testing.T) time.Duration {
	deadline, ok := t.Deadline()
	if !ok {
		return 0
	}
	left := time.Until(deadline)
	return max(left-min(left/10, 10*time.Second), time.Millisecond)
}

// logLines is what a test logged, out of the output of -test.v: without the
// lines by which the testing package reports progress and results.
func logLines(output string) string {
	lines := strings.Split(output, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		line = strings.TrimSpace(line)
		for _, noise := range []string{"=== ", "--- ", "PASS", "coverage: "} {
			if strings.HasPrefix(line, noise) {
				return true
			}
		}
		return line == ""
	})
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}
