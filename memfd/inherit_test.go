package memfd_test

import (
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// filled makes memory that begins with text.
func filled(t testing.TB, text string) *memfd.File {
	t.Helper()
	f := create(t, 3, 0)
	_, err := f.WriteAt([]byte(text), 0)
	ok(t, err)
	return f
}

// startInheritor starts the role with memory passed under the names.
func startInheritor(t *testing.T, pass map[string]*memfd.File, args ...string) *testenv.Proc {
	t.Helper()
	return testenv.StartWith(t, &testenv.StartOptions{Prepare: func(cmd *exec.Cmd) error {
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.Stdin) // the caller has some of its own
		for name, f := range pass {
			if _, err := memfd.Pass(cmd, name, f); err != nil {
				return err
			}
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.Stdin)
		return nil
	}}, "inheritor", args...)
}

func TestAChildInheritsMemoryByName(t *testing.T) {
	p := startInheritor(t, map[string]*memfd.File{
		"one": filled(t, "abc"), "two, with: signs=%&": filled(t, "def"), "": filled(t, "ghi"),
	}, "take", "one", "two, with: signs=%&", "")
	for _, text := range []string{"abc", "def", "ghi"} {
		p.Expect(`test "` + text + `" taken twice: false`)
	}
	p.Expect(`left [] ""`)
	ok(t, p.Wait())
}

func TestWhatIsNotTakenSurvivesAnExec(t *testing.T) {
	p := startInheritor(t, map[string]*memfd.File{"one": filled(t, "abc"), "two": filled(t, "def")},
		"exec", "exec", "take", "two")
	p.Expect(`test "def" taken twice: false`)
	if line, err := p.ReadLine(); err != nil || !strings.HasPrefix(line, `left ["one"] "one:`) {
		t.Errorf("it said %q, %v", line, err)
	}
	ok(t, p.Wait())
}

// A program in between that knows nothing of it hands it on as well, if it leaves
// descriptors alone.
func TestAShellHandsItOn(t *testing.T) {
	shell := testenv.RequireTool(t, "sh")
	f := filled(t, "abc")
	cmd := exec.Command(shell, "-c", `exec "$0" "$@"`, "/proc/self/exe", "take", "one")
	cmd.Args[3] = executable(t)
	cmd.Env = append(os.Environ(), "SHMKIT_TEST_ROLE=inheritor")
	_, err := memfd.Pass(cmd, "one", f)
	ok(t, err)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), `test "abc" taken twice: false`) {
		t.Errorf("%s%v", out, err)
	}
}

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	ok(t, err)
	return path
}

// A grandchild finds the variable, which was meant for its parent. Behind the number is
// what the parent left open, or what it put there instead.
func TestAStaleVariableIsSeenThrough(t *testing.T) {
	for how, says := range map[string]string{
		"spawn":            "wrong size",
		"spawn-with-other": "not passed to this process: file does not exist: descriptor 4 is something else here",
	} {
		p := startInheritor(t, map[string]*memfd.File{"one": filled(t, "abc")}, how, "refuse", "one")
		if line, err := p.ReadLine(); err != nil || !strings.Contains(line, says) {
			t.Errorf("%s: it said %q, %v, not %q", how, line, err, says)
		}
		ok(t, p.Wait())
	}
}

func TestInheritedMemoryCanBePassedOn(t *testing.T) {
	p := startInheritor(t, map[string]*memfd.File{"one": filled(t, "abc"), "two": filled(t, "def")}, "pass-on", "two", "2")
	p.Expect(`test "def" taken twice: false`)
	p.Expect(`own "\x00\x00\x00" taken twice: false`)
	p.Expect(`left [] ""`)
	ok(t, p.Wait())
}

func TestAParentThatPassesTheWrongMemoryIsRefused(t *testing.T) {
	p := startInheritor(t, map[string]*memfd.File{"one": filled(t, "abc")}, "refuse", "one")
	p.Expect(`inherit memfd "one": wrong size: it has 3 bytes, and at least 1099511627776 are wanted`)
	ok(t, p.Wait())
	p = startInheritor(t, map[string]*memfd.File{"one": filled(t, "abc")}, "refuse", "three")
	line, err := p.ReadLine()
	if want := `inherit memfd "three": not passed to this process: file does not exist: ` + memfd.Variable + `=one:4:`; err != nil || !strings.HasPrefix(line, want) {
		t.Errorf("it said %q, %v", line, err)
	}
	ok(t, p.Wait())
}

func TestPassRefuses(t *testing.T) {
	f := create(t, 3, 0)
	cmd := exec.Command("/bin/true")
	fd, err := memfd.Pass(cmd, "one", f)
	if fd != 3 || err != nil {
		t.Fatal(fd, err)
	}
	_, err = memfd.Pass(cmd, "one", f)
	wantError(t, err, fs.ErrExist, "pass", f.String(), `"one"`)
	fd, err = memfd.Pass(cmd, "two", f) // the same memory, another name
	if fd != 4 || err != nil {
		t.Error(fd, err)
	}
	if len(cmd.ExtraFiles) != 2 {
		t.Errorf("%d files are passed", len(cmd.ExtraFiles))
	}
	closeOK(t, f)
	_, err = memfd.Pass(cmd, "three", f)
	wantError(t, err, shmkit.ErrClosed)
	wantError(t, err, fs.ErrClosed)
}

// What this process itself inherited is not its child's.
func TestPassDropsWhatTheParentInherited(t *testing.T) {
	f := create(t, 3, 0)
	t.Setenv(memfd.Variable, "old:3:1:1,older:9:1:1")
	cmd := exec.Command("/bin/true")
	cmd.Env = []string{"A=b", memfd.Variable + "=old:3:1:1"}
	_, err := memfd.Pass(cmd, "new", f)
	ok(t, err)
	last := cmd.Env[len(cmd.Env)-1]
	if !strings.HasPrefix(last, memfd.Variable+"=new:3:") || strings.Contains(last, "old") {
		t.Errorf("the variable is %q", last)
	}
	if names := memfd.InheritedNames(); len(names) != 0 {
		t.Errorf("inherited: %q", names)
	}
	_, err = memfd.Inherited("old", nil)
	wantError(t, err, fs.ErrNotExist, "descriptor 3 is something else here")
	wantError(t, err, memfd.ErrNotPassed)
	for _, value := range []string{"x", "old:2:1:1", "old:-3:1:1", "old:3:1:1:1", "%zz:3:1:1", "old:3:-1:1", "old:3:1:x"} {
		t.Setenv(memfd.Variable, value)
		_, err = memfd.Inherited("old", nil)
		wantError(t, err, syscall.EINVAL, memfd.Variable)
	}
	ok(t, os.Unsetenv(memfd.Variable))
	_, err = memfd.Inherited("old", nil)
	wantError(t, err, fs.ErrNotExist, "the environment has no "+memfd.Variable)
}

// The number that Pass returns is enough for any other program.
func TestAnyProgramCanOpenWhatItInherits(t *testing.T) {
	cat := testenv.RequireTool(t, "cat")
	f := filled(t, "abc")
	cmd := exec.Command(cat, "/proc/self/fd/3")
	fd, err := memfd.Pass(cmd, "one", f)
	if fd != 3 || err != nil {
		t.Fatal(fd, err)
	}
	out, err := cmd.Output()
	if string(out) != "abc" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}
