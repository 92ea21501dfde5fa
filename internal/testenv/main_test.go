package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	Main(m, map[string]Role{
		"echo":   echo,
		"print":  func(args []string) error { _, err := fmt.Print(args[0]); return err },
		"fail":   func([]string) error { return errors.New("this role fails") },
		"panic":  func([]string) error { panic("this role panics") },
		"status": status,
		"tests":  runTests,
	})
}

// echo says every line it hears, after its arguments.
func echo(args []string) error {
	for {
		line, err := Hear()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := Say("%s%s", strings.Join(args, " "), line); err != nil {
			return err
		}
	}
}

// status says a field of /proc/self/status for each argument, then waits.
func status(args []string) error {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for _, name := range args {
		value := "(none)"
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, name+":"); ok {
				value = strings.Join(strings.Fields(rest), " ")
			}
		}
		if err := Say("%s", value); err != nil {
			return err
		}
	}
	_, err = Hear()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// runTests turns the role into a run of the tests with the flags args.
func runTests(args []string) error {
	return syscall.Exec(selfExe, append([]string{os.Args[0]}, args...), os.Environ())
}

// envScenario names the scenario that TestScenario plays, in a run of the test
// binary that another test starts to see how that run ends.
const envScenario = envPrefix + "SCENARIO"

// TestScenario does nothing in an ordinary run.
func TestScenario(t *testing.T) {
	if body, ok := scenarios[os.Getenv(envScenario)]; ok {
		body(t)
	}
}

// play runs the scenario in a test run of its own and returns what that printed,
// and its error.
func play(t *testing.T, scenario string, env ...string) (string, error) {
	t.Helper()
	if scenarios[scenario] == nil {
		t.Fatalf("no scenario %q", scenario)
	}
	return runSelf([]string{"-test.run=^TestScenario$", "-test.v"}, append(env, envScenario+"="+scenario), 0)
}

// mustFail runs the scenario and requires its run to fail and to print all of
// wants.
func mustFail(t *testing.T, scenario string, wants ...string) string {
	t.Helper()
	output, err := play(t, scenario)
	if err == nil {
		t.Errorf("scenario %q succeeded", scenario)
	}
	for _, want := range wants {
		if !strings.Contains(output, want) {
			t.Errorf("scenario %q did not print %q", scenario, want)
		}
	}
	if t.Failed() {
		t.Logf("it printed:\n%s", output)
	}
	return output
}
