package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/shmkit/shmkit/explain"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/sysvkind"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// roleVariable is what testenv.Start tells its children by.
const roleVariable = "SHMKIT_TEST_ROLE"

// TestMain makes the test binary be several programs: "shmkit" for tests that run
// it by that name (scripts, exec.Command), "exe" for one that has started itself
// as /proc/self/exe, and the roles for testenv.Start.
func TestMain(m *testing.M) {
	explain.Main()
	if name := filepath.Base(os.Args[0]); name != "shmkit" && name != "exe" {
		testenv.OwnIPC()
	}
	tests := testenv.Checked(m, map[string]testenv.Role{
		"shmkit":         shmkitRole,
		"shmkit-ignores": shmkitIgnoringHangups,
		"shmkit-limited": limitedRole,
		"attached":       attachedRole,
		"holds-page":     holdsPageRole,
		"stubborn":       stubbornRole,
		"starts":         startsRole,
		"top-panics":     topPanicsRole,
	})
	if os.Getenv("GORACE") == "" {
		// Else each process sleeps a second before it ends, when built with -race.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	if _, ok := os.LookupEnv(roleVariable); ok {
		// testscript would first copy the binary, which another user may not read.
		os.Exit(tests.Run())
	}
	testscript.Main(tests, map[string]func(){"shmkit": main, "exe": main})
}

// shmkitRole is the command as another process, which may be another user's.
func shmkitRole(args []string) error {
	os.Args = append([]string{"shmkit"}, args...)
	main()
	return errors.New("main returned")
}

// shmkitIgnoringHangups is the command as nohup starts it. Only a program that is
// executed inherits that a signal is ignored.
func shmkitIgnoringHangups(args []string) error {
	signal.Ignore(syscall.SIGHUP)
	path, err := exec.LookPath("shmkit")
	if err != nil {
		return err
	}
	return syscall.Exec(path, append([]string{"shmkit"}, args...), os.Environ())
}

// startsRole is a test run that is interrupted while the command runs beside it.
func startsRole(args []string) error {
	cmd := exec.Command("shmkit", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := testenv.StartCommand(cmd); err != nil {
		return err
	}
	if err := testenv.Say("%d", cmd.Process.Pid); err != nil {
		return err
	}
	return cmd.Wait()
}

// stubbornRole is a command that takes its time to end.
func stubbornRole([]string) error {
	ctx, _ := signalContext()
	if err := testenv.Say("ready"); err != nil {
		return err
	}
	<-ctx.Done()
	if err := testenv.Say("asked to end: %v", context.Cause(ctx)); err != nil {
		return err
	}
	select {}
}

// attachedRole attaches the segment with an identifier until its input ends.
func attachedRole(args []string) error {
	var id int
	if _, err := fmt.Sscan(args[0], &id); err != nil {
		return err
	}
	seg, err := sysv.OpenID(id)
	if err != nil {
		return err
	}
	m, err := seg.Attach(nil)
	if err != nil {
		return err
	}
	if err := testenv.Say("attached"); err != nil {
		return err
	}
	if _, err := testenv.Hear(); !errors.Is(err, io.EOF) {
		return err
	}
	return m.Close()
}

// ran is what a command line did.
type ran struct {
	code     int
	out, err string
}

// run runs a command line in this process.
func run(t testing.TB, args ...string) ran {
	t.Helper()
	return runApp(t, &app{}, args...)
}

// runApp runs a command line on an app, with defaults for what it lacks.
func runApp(t testing.TB, a *app, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	if a.in == nil {
		a.in = strings.NewReader("")
	}
	if a.out == nil {
		a.out = &out
	}
	a.err = &errs
	if a.kinds == nil {
		// What these tests do to all objects (rm --all) they may do in a private IPC
		// namespace, to which /dev/shm does not belong.
		a.kinds = kind.NewRegistry(sysvkind.Kinds()...)
	}
	if a.isTerminal == nil {
		a.isTerminal = func(any) bool { return false }
	}
	if a.getenv == nil {
		a.getenv = func(string) string { return "" }
	}
	// Not the test's own context, which ends before its clean-up.
	code := a.run(context.WithoutCancel(t.Context()), args)
	return ran{code, out.String(), errs.String()}
}

// runKinds is run with all kinds there are.
func runKinds(t testing.TB, args ...string) ran {
	t.Helper()
	return runApp(t, &app{kinds: allKinds()}, args...)
}

// mustRun is run of what has to work.
func mustRun(t testing.TB, args ...string) string {
	t.Helper()
	r := run(t, args...)
	if r.code != exitDone || r.err != "" {
		t.Fatalf("shmkit %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.err)
	}
	return r.out
}

// refused fails unless r has the exit code, one line on standard error that holds
// all of the texts, and nothing on standard output.
func refused(t testing.TB, r ran, code int, texts ...string) {
	t.Helper()
	if r.code != code || r.out != "" {
		t.Errorf("exit code %d, output %q; want %d and none", r.code, r.out, code)
	}
	if strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "shmkit") || !strings.HasSuffix(r.err, "\n") {
		t.Errorf("not one line: %q", r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("%q does not say %q", r.err, text)
		}
	}
	if (code == exitUsage) != strings.Contains(r.err, "; see shmkit") {
		t.Errorf("%q: a hint belongs to wrong usage and to nothing else", r.err)
	}
}

// runProcess runs the command as a process of its own, to its end.
func runProcess(t testing.TB, stdin io.Reader, stdout io.Writer, args ...string) ran {
	t.Helper()
	return runProgram(t, stdin, stdout, "shmkit", args...)
}

// runProgram is runProcess of any program.
func runProgram(t testing.TB, stdin io.Reader, stdout io.Writer, name string, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	if stdout == nil {
		stdout = &out
	}
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Failsafe)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err := testenv.RunCommand(cmd)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// at is the address of a key.
func at(kindName string, key int32) string { return fmt.Sprintf("%s:%#x", kindName, uint32(key)) }

// address returns the addresses of one key for the three kinds.
func newAddresses(t testing.TB) (sysvAddr, sem, msg string) {
	t.Helper()
	key := testenv.KeyLeakChecked(t)
	return at("sysv", key), at("sem", key), at("msg", key)
}
