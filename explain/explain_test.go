package explain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// each runs a test for each experiment.
func each(t *testing.T, test func(*testing.T, Experiment)) {
	for _, e := range Experiments() {
		t.Run(e.Name, func(t *testing.T) { test(t, e) })
	}
}

// All experiments agree, every step is told with its prediction before it is done and with
// what was shown afterwards, and their page is sound.
func TestEveryExperimentAgrees(t *testing.T) {
	var all []*Report
	each(t, func(t *testing.T, e Experiment) {
		told := telling{t: t, predicted: map[int]int{}}
		r, err := Run(t.Context(), e, &Options{Before: told.before, After: told.after})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Agree {
			t.Error(describe(r))
		}
		nothingLeft(t)
		told.check(r)
		all = append(all, r)
	})
	t.Run("page", func(t *testing.T) {
		if len(all) == len(Experiments()) { // else some were not asked for, or have failed
			pageIsSound(t, page(t, all...))
		}
	})
}

func TestEveryExperimentAgreesForAnotherUser(t *testing.T) {
	nobody := testenv.Nobody(t)
	each(t, func(t *testing.T, e Experiment) {
		p := testenv.StartWith(t, &testenv.StartOptions{Credential: nobody}, "run", e.Name)
		p.Expect("agrees")
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
		nothingLeft(t)
	})
}

// Experiments say what they are about, and are found by name and number.
func TestExperimentsIntroduceThemselves(t *testing.T) {
	seen := map[string]bool{}
	for i, e := range Experiments() {
		for _, key := range []string{e.Name, itoa(e.Number)} {
			if found, ok := Find(key); !ok || found.Name != e.Name || seen[key] {
				t.Errorf("%q is found as %q", key, found.Name)
			}
			seen[key] = true
		}
		if i > 0 && Experiments()[i-1].Number >= e.Number {
			t.Errorf("%d is not in order", e.Number)
		}
		if e.Title == "" || !strings.HasSuffix(e.Question, "?") || len(e.Outline) < 3 || len(e.Title) > 60 {
			t.Errorf("%s: %q, %q, %q", e.Name, e.Title, e.Question, e.Outline)
		}
	}
	if _, ok := Find("nothing"); ok {
		t.Error("there is an experiment called nothing")
	}
}

// An interruption ends a process that has been asked something, and tells nothing else.
func TestExperimentsCanBeInterruptedWhileAProcessWorks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := lazy()
	e.run = func(x *lab) {
		c := x.start("A", "play", nil, os.TempDir())
		go cancel()
		_, err := c.hear() // it was asked nothing, so it will say nothing
		x.check(err)
	}
	if _, err := Run(ctx, e, nil); !errors.Is(err, context.Canceled) || errors.Is(err, errEnded) {
		t.Error(err)
	}
	nothingLeft(t)
}

func TestAnInterruptedContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Run(ctx, Experiments()[0], &Options{Command: func() *exec.Cmd {
		t.Error("a process is started")
		return exec.Command("/proc/self/exe")
	}})
	if !errors.Is(err, context.Canceled) || len(r.Steps) > 0 || r.Agree {
		t.Errorf("%v, %d steps", err, len(r.Steps))
	}
}

func TestErrorsOfCallbacksEndAnExperiment(t *testing.T) {
	enough := errors.New("enough")
	stop := func(s *Step) error {
		if s.Number == 2 {
			return enough
		}
		return nil
	}
	each(t, func(t *testing.T, e Experiment) {
		if !testenv.Soaking() && e.Number > 2 { // it is the lab that does it, for all of them
			return
		}
		for steps, opts := range []*Options{1: {Before: stop}, 2: {After: stop}} {
			if opts == nil {
				continue
			}
			r, err := Run(t.Context(), e, opts)
			if !errors.Is(err, enough) || r.Agree || len(r.Steps) != steps {
				t.Errorf("%v, agree %v, %d steps, want %d", err, r.Agree, len(r.Steps), steps)
			}
			nothingLeft(t)
		}
	})
}

// Who runs an experiment may be killed at any step. The janitor sees to the rest. All three
// steps of each experiment are for the soak.
func TestNothingIsLeftWhenWhoRunsAnExperimentIsKilled(t *testing.T) {
	each(t, func(t *testing.T, e Experiment) {
		dir := t.TempDir()
		steps := []int{1, 3, 6}
		if !testenv.Soaking() {
			steps = steps[e.Number%3:][:1]
		}
		for _, step := range steps {
			p := testenv.StartWith(t, &testenv.StartOptions{Env: []string{"TMPDIR=" + dir}}, "hang", e.Name)
			for n := 1; ; n++ {
				line, err := p.ReadLine()
				if err != nil {
					t.Fatal(err, p.Stderr())
				}
				if _, err := strconv.Atoi(line); err != nil {
					t.Fatal(err)
				}
				if n == step {
					break
				}
				p.Send("go on")
			}
			family := members(t, p.Pid())
			if len(family) < 2 { // a process that plays, and the janitor
				t.Errorf("at step %d the family is %v", step, family)
			}
			p.Kill()
			for _, pid := range family {
				testenv.Eventually(t, fmt.Sprintf("process %d, started by %d, has ended", pid, p.Pid()), func() bool { return ended(pid) })
			}
			nothingLeft(t)
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("step %d: %v, %v", step, left, err)
			}
		}
	})
}

// The kernel ends the processes also if neither they nor the janitor do.
func TestProcessesEndWithoutTheJanitor(t *testing.T) {
	p := testenv.Start(t, "stuck")
	line, err := p.ReadLine()
	if err != nil {
		t.Fatal(err, p.Stderr())
	}
	family := members(t, p.Pid())
	if len(family) != 2 || !slices.ContainsFunc(family, func(pid int) bool { return strconv.Itoa(pid) == line }) {
		t.Fatalf("%s is not of %v", line, family)
	}
	t.Cleanup(func() { // if it fails
		for _, pid := range family {
			if !ended(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	for _, pid := range family {
		if strconv.Itoa(pid) == line {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil { // the janitor
			t.Fatal(err)
		}
	}
	p.Kill()
	for _, pid := range family {
		testenv.Eventually(t, fmt.Sprintf("process %d has ended", pid), func() bool { return ended(pid) })
	}
}

// members are the descendants of a process.
func members(t *testing.T, pid int) []int {
	t.Helper()
	var all []int
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range children {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, child), members(t, child)...)
		}
	}
	return all
}

// ended reports whether a process is gone, or only waits to be asked how it ended.
func ended(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || isCorpse(string(text))
}

// nothingLeft fails if there is a System V object of the tests, or a process of an experiment
// that this one has started. Where the namespace is not the tests' own, because it is not
// root who runs them, it looks at segments only, and not at those of others.
func nothingLeft(t *testing.T) {
	t.Helper()
	ids, err := testenv.OurSysVIDs()
	if err != nil || len(ids) > 0 {
		t.Errorf("left: %v, %v", ids, err)
	}
	for _, pid := range members(t, os.Getpid()) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(text), "explain:") && !ended(pid) {
			t.Errorf("process %d is left: %q", pid, text)
		}
	}
}

func TestRunNeedsMain(t *testing.T) {
	mainCalled.Store(false)
	defer mainCalled.Store(true)
	if _, err := Run(t.Context(), Experiments()[0], nil); !errors.Is(err, ErrNoMain) {
		t.Error(err)
	}
}

func TestRunRefusesWhatIsNoExperiment(t *testing.T) {
	if r, err := Run(t.Context(), Experiment{Name: "mine"}, nil); err == nil || r.Agree {
		t.Error("there is an experiment that nobody has written")
	}
}

// describe is a report as text, for people who read a failed test.
func describe(r *Report) string {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "\n%d. %s\n   %s: %s\n", s.Number, s.Title, s.Process, s.Call)
		for _, f := range s.Facts {
			mark := " "
			if !f.Agree {
				mark = "!"
			}
			fmt.Fprintf(&b, " %s %s: predicted %q, shown %q (%s) %s\n", mark, f.What, f.Predicted, f.Shown, f.From, f.Unseen)
		}
		fmt.Fprintf(&b, "   %s\n", s.Why)
	}
	return b.String() + r.Answer
}
