package testenv

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// RequireCompiler returns the path of a C compiler, or skips as RequireTool does.
func RequireCompiler(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return RequireTool(t, "cc")
}

// CompileC compiles a C program and returns the path of the executable, which
// every user may run. The same source is compiled once per test process. The
// program stands for "another language" in tests, and for what Go has not, such
// as fork.
func CompileC(t testing.TB, source string) string {
	t.Helper()
	compiler := RequireCompiler(t)
	if err := needMain("CompileC"); err != nil {
		t.Fatal(err)
	}
	path, err := compiled.get(compiler, source)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// compiled holds the programs of this process.
var compiled programs

type programs struct {
	mu  sync.Mutex
	dir string // protected by mu; empty until the first program
}

func (p *programs) get(compiler, source string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "shmkit-test-c-")
		if err != nil {
			return "", err
		}
		p.dir = dir
		// Roles that run as other users execute from here.
		if err := os.Chmod(dir, 0o755); err != nil {
			return "", err
		}
	}
	program := filepath.Join(p.dir, fmt.Sprintf("%x", sha256.Sum256([]byte(source)))[:16])
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.WriteFile(program+".c", []byte(source), 0o644); err != nil {
		return "", err
	}
	out, err := exec.Command(compiler, "-O1", "-Wall", "-Werror", "-pthread", "-o", program, program+".c").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", compiler, err, out)
	}
	return program, nil
}

// removeCompiled removes the programs when the tests are over.
func removeCompiled() {
	compiled.mu.Lock()
	defer compiled.mu.Unlock()
	if compiled.dir == "" {
		return
	}
	if err := os.RemoveAll(compiled.dir); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
	}
	compiled.dir = ""
}
