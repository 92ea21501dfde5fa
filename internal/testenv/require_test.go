package testenv

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMissingToolIsSkippedButNotInCI(t *testing.T) {
	output, err := play(t, "no such tool", "CI=")
	if err != nil || !strings.Contains(output, "--- SKIP") || !strings.Contains(output, "needs the program shmkit-no-such-tool") {
		t.Errorf("%v\n%s", err, output)
	}
	if os.Geteuid() != 0 {
		return // a contributor's machine with CI set
	}
	output, err = play(t, "no such tool", "CI=true")
	if err == nil || !strings.Contains(output, "--- FAIL") {
		t.Errorf("in CI: %v\n%s", err, output)
	}
}

func TestCompileC(t *testing.T) {
	const source = `#include <stdio.h>
#include <unistd.h>
int main(void) { printf("user %d\n", (int)getuid()); return 0; }
`
	program := CompileC(t, source)
	if again := CompileC(t, source); again != program {
		t.Errorf("compiled twice: %s, %s", program, again)
	}
	info, err := os.Stat(program)
	if err != nil || info.Mode().Perm()&0o005 != 0o005 {
		t.Errorf("not executable by every user: %v, %v", info, err)
	}
	output, err := exec.Command(program).Output()
	if err != nil || !strings.HasPrefix(string(output), "user ") {
		t.Errorf("%q, %v", output, err)
	}
}

func TestCompileCShowsTheCompilersError(t *testing.T) {
	_, err := compiled.get(RequireCompiler(t), "int main(void) { return nonsense; }\n")
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%v", err)
	}
}
