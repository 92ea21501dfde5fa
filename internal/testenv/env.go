package testenv

import (
	"os"
	"slices"
	"strings"
)

// What a process started by this package is told through its environment.
const (
	envPrefix = "SHMKIT_TEST_"

	// envRole names the role to run instead of the tests.
	envRole = envPrefix + "ROLE"
	// envDropCaps lists the capabilities, by number, to lose before the role runs.
	envDropCaps = envPrefix + "DROP_CAPS"
	// envOuterIPC is set in a private IPC namespace: the name of the namespace outside.
	envOuterIPC = envPrefix + "OUTER_IPC"
	// envOwnIPC is set in the namespace of a whole test binary: that outside, and the pid.
	envOwnIPC = envPrefix + "OWN_IPC"
	// envOuterMount is the same for a private mount namespace.
	envOuterMount = envPrefix + "OUTER_MOUNT"
	// envUserNS is set where that namespace needed a user namespace around it.
	envUserNS = envPrefix + "USERNS"
	// envResult is the file in which the test in a private namespace leaves its
	// result, and envTest the name of that test.
	envResult = envPrefix + "RESULT"
	envTest   = envPrefix + "TEST"

	// envSoak asks for the long suites.
	envSoak = "SHMKIT_SOAK"
)

// selfExe is this program. Unlike os.Args[0] it can be executed from any
// directory, and by a user who may not search the directory that the binary is in.
const selfExe = "/proc/self/exe"

// childEnv is the environment for a child: this process's own without the
// variables in drop, then set, where the last value of a name wins.
//
// A program built with -race sleeps for a second before it exits, in case a
// report is still being written. Tests start so many that less has to do.
func childEnv(drop []string, set ...string) []string {
	set = append([]string{"GORACE=atexit_sleep_ms=20 " + os.Getenv("GORACE")}, set...)
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(drop, name)
	})
	return append(env, set...)
}
