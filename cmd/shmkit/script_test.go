package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/shmkit/shmkit/internal/testenv"
)

// TestScripts runs testdata/script: command lines as users type them, each a
// process of its own. A script has the keys KEY, KEY2 and KEY3, which nothing else
// uses and of which it has to remove what it makes, and NAME, likewise, for /dev/shm.
// Besides testscript's own commands there are:
//
//	fails CODE COMMAND…   it fails with this exit code, one line on standard error,
//	                      nothing on standard output, and changes no object
//	onto FILE COMMAND…    run it with standard output to FILE; it may fail
//	code CODE TEXT        what onto ran had this exit code and standard error
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			tb, ok := env.T().(testing.TB)
			if !ok {
				return errors.New("the test is no testing.TB")
			}
			var keys []int32
			for _, name := range []string{"KEY", "KEY2", "KEY3"} {
				key := testenv.KeyLeakChecked(tb)
				keys = append(keys, key)
				env.Setenv(name, fmt.Sprintf("%#x", uint32(key)))
				env.Setenv(name+"_LONG", fmt.Sprintf("0x%08x", uint32(key)))
			}
			name := testenv.Name(tb)
			tb.Cleanup(func() { // who fails comes to no end, where scripts remove what they made
				if tb.Failed() {
					removeNamed(tb, name)
				}
			})
			env.Setenv("NAME", name)
			env.Values["name"] = name
			env.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
			env.Values["keys"] = keys
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fails": scriptFails, "onto": scriptOnto, "code": scriptCode,
		},
	})
}

// removeNamed removes what is called after name.
func removeNamed(t testing.TB, name string) {
	t.Helper()
	left, err := testenv.NamedAfter(name)
	if err != nil {
		t.Error(err)
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}
}

// objects describes every object with one of the script's keys.
func objects(ts *testscript.TestScript) []string {
	ids, err := testenv.SysVIDs()
	ts.Check(err)
	var ours []string
	for _, id := range ids {
		if slices.Contains(ts.Value("keys").([]int32), id.Key) {
			ours = append(ours, id.String())
		}
	}
	// And everything whose name in /dev/shm begins with the script's.
	names, err := testenv.NamedAfter(ts.Value("name").(string))
	ts.Check(err)
	for _, name := range names {
		info, err := os.Lstat(name)
		ts.Check(err)
		ours = append(ours, fmt.Sprint(name, info.Mode(), info.Size()))
	}
	return ours
}

func scriptFails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	before := objects(ts)
	err = ts.Exec(args[1], args[2:]...)
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	var exit *exec.ExitError
	switch {
	case !errors.As(err, &exit):
		ts.Fatalf("it did not fail: %v", err)
	case exit.ExitCode() != want:
		ts.Fatalf("exit code %d, want %d: %s", exit.ExitCode(), want, stderr)
	case stdout != "":
		ts.Fatalf("it printed %q", stdout)
	case strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "shmkit ") && !strings.HasPrefix(stderr, "shmkit: "):
		ts.Fatalf("standard error is not one line: %q", stderr)
	}
	ts.Logf("[stderr]\n%s", stderr)
	if after := objects(ts); !slices.Equal(before, after) {
		ts.Fatalf("objects before: %q, after: %q", before, after)
	}
}

func scriptOnto(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: onto FILE COMMAND…")
	}
	out, err := os.OpenFile(args[0], os.O_WRONLY, 0)
	ts.Check(err)
	defer out.Close()
	var stderr bytes.Buffer
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	cmd.Env = append(os.Environ(), "SHMKIT_DIR="+ts.Getenv("SHMKIT_DIR"))
	err = testenv.RunCommand(cmd)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	ts.Setenv("code", strconv.Itoa(cmd.ProcessState.ExitCode()))
	ts.Setenv("stderr", strings.TrimSuffix(stderr.String(), "\n"))
}

func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: code CODE TEXT")
	}
	if got := ts.Getenv("code"); got != args[0] {
		ts.Fatalf("exit code %s, want %s: %s", got, args[0], ts.Getenv("stderr"))
	}
	if got := ts.Getenv("stderr"); got != args[1] {
		ts.Fatalf("standard error %q, want %q", got, args[1])
	}
}
