package shmtest

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A Role is what another process does in place of running tests. Its error goes to
// standard error, and makes the process exit with 1.
type Role = func(args []string) error

// Main is the body of TestMain. In a process that was started as a role it runs the role.
// Otherwise it runs the tests, and fails if they leave anything behind. It doesn't return.
func Main(m *testing.M, roles map[string]Role) {
	all := make(map[string]testenv.Role, len(roles))
	for name, role := range roles {
		all[name] = func(args []string) error {
			if err := arm(); err != nil {
				return err
			}
			return role(args)
		}
	}
	os.Exit(testenv.Checked(m, all).Run())
}

// Failsafe bounds every wait of this package. It says nothing about how long something
// may take: it turns a hang into a failure.
const Failsafe = testenv.Failsafe

// Eventually waits until cond is true, for what nobody signals. After Failsafe it fails
// the test, naming what.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	testenv.Eventually(t, what, cond)
}

// NoLeaks makes the test fail if at its end there is anything that was not there at the
// call, as Main does for all tests together. Tests that run at the same time disturb it.
func NoLeaks(t testing.TB) {
	t.Helper()
	testenv.CheckLeaks(t)
}

// Soaking reports whether the environment asks for the long suites: SHMKIT_SOAK=1.
func Soaking() bool { return testenv.Soaking() }

// Say is for roles: it writes a line for the test's Expect or ReadLine.
func Say(format string, args ...any) error { return testenv.Say(format, args...) }

// Hear is for roles: it waits for the next line of the test's Send. After CloseStdin, or
// when the test is gone, it is io.EOF.
func Hear() (string, error) { return testenv.Hear() }

// Dismissed is for roles that work until they are told to stop, and hear nothing else: it
// is closed when the test has called CloseStdin, or has ended.
var Dismissed = sync.OnceValue(func() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := Hear(); err != nil {
				return
			}
		}
	}()
	return done
})

// orDefault returns v, or d if v is zero.
func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}
