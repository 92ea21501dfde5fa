package testenv

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// What some tests need and not every machine has. A missing tool is a skip for a
// contributor and a failure in CI, which installs all of them: a CI that silently
// skips proves nothing.

// RequireRoot skips the test unless it runs as the machine's root: not as the
// root of a user namespace that InPrivateIPC made.
func RequireRoot(t testing.TB) {
	t.Helper()
	switch {
	case os.Geteuid() != 0:
		t.Skip("needs root")
	case inUserNS():
		t.Skip("needs root, not the root of a user namespace")
	}
}

// inUserNS reports whether InPrivateIPC had to make a user namespace.
func inUserNS() bool { return os.Getenv(envUserNS) != "" }

// RequireTool returns the path of an executable. Without it the test is skipped;
// run by root in CI, it fails.
func RequireTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if !errors.Is(err, exec.ErrNotFound) {
		t.Fatal(err)
	}
	if strictCI() {
		t.Fatalf("needs the program %s, which CI has to install", name)
	}
	t.Skipf("needs the program %s", name)
	return ""
}

// strictCI reports whether a missing tool is a failure.
func strictCI() bool { return os.Getenv("CI") == "true" && os.Geteuid() == 0 && !inUserNS() }

// RequireSoak skips a long suite unless SHMKIT_SOAK=1 asks for it.
func RequireSoak(t testing.TB) {
	t.Helper()
	if !Soaking() {
		t.Skipf("a long suite: set %s=1 to run it", envSoak)
	}
}

// Soaking reports whether the long suites were asked for.
func Soaking() bool { return os.Getenv(envSoak) == "1" }

// nobody is the user and group that own nothing, on every distribution.
const nobody = 65534

// Nobody returns the credential of an unprivileged user, in no supplementary
// group, for StartOptions. Only root can become somebody else; others skip.
func Nobody(t testing.TB) *syscall.Credential {
	t.Helper()
	RequireRoot(t)
	return &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{}}
}
