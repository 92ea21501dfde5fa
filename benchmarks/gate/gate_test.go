package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	if race.Enabled {
		fmt.Println("skipped: what is measured is not what the race detector makes of it, and takes minutes")
		return
	}
	morePaths = testPaths()
	walkIfTold()
	testenv.Main(m, nil)
}

// testPaths are a loop of so many rounds, and one of some more.
func testPaths() []path {
	rounds := func(name string, n int) path {
		return path{name: name, open: func(string) (func(int) error, error) {
			return loop(func() error {
				for i := range n {
					sum += i
				}
				return nil
			}), nil
		}}
	}
	return []path{rounds("hundred", 100), rounds("hundred-and-ten", 110), {
		name: "broken", open: func(string) (func(int) error, error) {
			return loop(func() error { return errors.New("out of order") }), nil
		},
	}}
}

var sum int

func counted(t *testing.T, name string) float64 {
	t.Helper()
	p, err := choose(name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := count(t.Context(), p[0])
	if errors.Is(err, errNotTraced) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMoreWorkIsFound: a tenth more rounds are a tenth more instructions, and are too many.
func TestMoreWorkIsFound(t *testing.T) {
	was, again, more := counted(t, "hundred"), counted(t, "hundred"), counted(t, "hundred-and-ten")
	if was < 100 || was > 1000 {
		t.Errorf("%v instructions for 100 rounds", was)
	}
	r := record{}
	r.set("x", was)
	if verdict, worse := r.judge("x", again); worse {
		t.Errorf("%v beside %v of the same: %s", again, was, verdict)
	}
	if verdict, worse := r.judge("x", more); !worse || !strings.Contains(verdict, "MORE") {
		t.Errorf("%v beside %v: %s", more, was, verdict)
	}
	if verdict, worse := r.judge("x", was/2); worse || !strings.Contains(verdict, "fewer") {
		t.Errorf("half of it: %s", verdict)
	}
	if verdict, worse := r.judge("y", 1e9); worse || !strings.Contains(verdict, "none") {
		t.Errorf("what was not recorded: %s", verdict)
	}
}

func TestCancelledLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := run(ctx, nil, &strings.Builder{}); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errNotTraced) {
		t.Errorf("%v", err)
	}
}

func TestBrokenPathSaysWhy(t *testing.T) {
	p, err := choose("broken")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := count(t.Context(), p[0]); err == nil || !errors.Is(err, errNotTraced) && !strings.Contains(err.Error(), "out of order") {
		t.Errorf("%v, %v", n, err)
	}
}

// TestPathsAreWalked: each does what it says, in a process of its own that nobody traces.
func TestPathsAreWalked(t *testing.T) {
	for _, p := range paths() {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), pathVariable+"="+p.name, dirVariable+"="+t.TempDir())
		cmd.Stdin = strings.NewReader("\n")
		out, err := cmd.CombinedOutput()
		if (err != nil) != (p.name == "broken") {
			t.Errorf("%s: %v\n%s", p.name, err, out)
		}
	}
}

func TestRecordedPathsExist(t *testing.T) {
	r, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	for compiler, counts := range r {
		for name := range counts {
			if _, err := choose(name); err != nil {
				t.Errorf("%s of %s: %v", name, compiler, err)
			}
		}
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"topic"}, {"-paths", "nowhere"}, {"-speed"}} {
		if err := run(t.Context(), args, &strings.Builder{}); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
