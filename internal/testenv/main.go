package testenv

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
)

// A Role is the body of another process: what the test binary does, instead of
// running tests, when Start runs it. An error goes to standard error and makes
// the process exit with 1.
type Role func(args []string) error

// Main is the body of TestMain. In a process that was started as a role it runs
// the role. Otherwise it runs the tests, in an IPC namespace of their own (OwnIPC), and
// makes the run fail when they leave anything behind (see the package comment). It doesn't
// return.
func Main(m *testing.M, roles map[string]Role) {
	OwnIPC()
	os.Exit(Checked(m, roles).Run())
}

// M is the part of testing.M that TestMain needs, so that several wrappers can
// be put around it.
type M interface{ Run() int }

// Checked is Main without OwnIPC, for a package whose TestMain belongs to somebody else:
//
//	testscript.Main(testenv.Checked(m, roles), commands)
func Checked(m M, roles map[string]Role) M { return checked{m, roles} }

type checked struct {
	m     M
	roles map[string]Role
}

// Run implements M.
func (c checked) Run() int {
	if name, ok := os.LookupEnv(envRole); ok {
		return runRole(name, c.roles)
	}
	mainActive.Store(true)
	defer removeCompiled()

	hearSignals()
	warmUp()
	before, err := observe()
	if err != nil {
		fmt.Fprintf(os.Stderr, "testenv: before the tests: %v\n", err)
		return 1
	}
	code := c.m.Run()
	if fuzzing() {
		return code // the engine keeps things of its own
	}
	left := leaks(before)
	if len(left) == 0 {
		return code
	}
	fmt.Fprintf(os.Stderr, "testenv: the tests left behind:\n")
	for _, l := range left {
		fmt.Fprintf(os.Stderr, "  %s\n", l)
	}
	return max(code, 1)
}

// mainActive is true while Main runs tests: things made once per process are
// only made when somebody will remove them.
var mainActive atomic.Bool

func needMain(what string) error {
	if !mainActive.Load() {
		return fmt.Errorf("%s needs a TestMain that calls testenv.Main", what)
	}
	return nil
}

// runRole runs the role in this process and returns its exit code.
func runRole(name string, roles map[string]Role) int {
	// Whatever the role runs is not the role again.
	if err := os.Unsetenv(envRole); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	role, ok := roles[name]
	if !ok {
		known := make([]string, 0, len(roles))
		for r := range roles {
			known = append(known, r)
		}
		slices.Sort(known)
		fmt.Fprintf(os.Stderr, "testenv: no role %q in this test binary; it has %q\n", name, known)
		return 2
	}
	if err := dropCapsAndExec(name); err != nil {
		fmt.Fprintf(os.Stderr, "testenv: role %s: drop capabilities: %v\n", name, err)
		return 2
	}
	if err := role(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "role %s: %v\n", name, err)
		return 1
	}
	return 0
}
