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

func TestEveryExperimentAgrees(t *testing.T) {
	each(t, func(t *testing.T, e Experiment) {
		r, err := Run(t.Context(), e, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Agree {
			t.Error(describe(r))
		}
		nothingLeft(t)
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

// Every step is told with its prediction before it is done, and with what was shown
// afterwards.
func TestStepsAreToldBeforeAndAfter(t *testing.T) {
	each(t, func(t *testing.T, e Experiment) {
		var order []string
		predicted := map[int]int{}
		r, err := Run(t.Context(), e, &Options{
			Before: func(s *Step) error {
				order = append(order, fmt.Sprintf("before %d", s.Number))
				for _, f := range s.Facts {
					if f.Predicted == "" || f.By == "" || f.Shown != "" {
						t.Errorf("step %d: %+v", s.Number, f)
					}
				}
				if s.Title == "" || s.Call == "" || s.Why == "" || s.Process == "" {
					t.Errorf("step %d says little: %+v", s.Number, s)
				}
				predicted[s.Number] = len(s.Facts)
				return nil
			},
			After: func(s *Step) error {
				order = append(order, fmt.Sprintf("after %d", s.Number))
				for i, f := range s.Facts {
					if f.Unseen == "" && (f.Shown == "" || f.From == "") || i < predicted[s.Number] && f.Predicted == "" {
						t.Errorf("step %d: %+v", s.Number, f)
					}
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range r.Steps {
			if s.Number != i+1 || order[2*i] != fmt.Sprintf("before %d", i+1) || order[2*i+1] != fmt.Sprintf("after %d", i+1) {
				t.Fatalf("step %d of %v", i+1, order)
			}
			if predicted[s.Number] == 0 {
				t.Errorf("nothing is predicted of step %d, %s", s.Number, s.Title)
			}
			if several := strings.Contains(s.Process, " and "); several != (len(s.PIDs) > 1) || several && s.PIDs[0] != s.PID {
				t.Errorf("step %d of %s has pids %d, %v", s.Number, s.Process, s.PID, s.PIDs)
			}
			deadAreNotRead(t, s)
		}
	})
}

// deadAreNotRead: what is said of a process that was killed does not come from files of
// another one that has its name.
func deadAreNotRead(t *testing.T, s *Step) {
	t.Helper()
	if !slices.ContainsFunc(s.Facts, func(f Fact) bool { return f.What == "ended by" }) {
		return
	}
	for _, f := range s.Facts {
		want := fmt.Sprintf("/proc/%d/maps: no such file", s.PID)
		if f.What == factAreas(s.Process) && (f.Shown != none || f.From != want) {
			t.Errorf("step %d: %q from %q, want %q", s.Number, f.Shown, f.From, want)
		}
	}
	if s.Scene == nil {
		return
	}
	for _, p := range s.Scene.Processes {
		if p.Name == s.Process && p.PID != s.PID {
			t.Errorf("step %d: the drawing has process %d as %s, which was %d", s.Number, p.PID, p.Name, s.PID)
		}
	}
}

// Wherever an experiment is interrupted, it ends with that error and leaves nothing.
func TestExperimentsCanBeInterruptedAtEveryStep(t *testing.T) {
	each(t, func(t *testing.T, e Experiment) {
		for n, last := 1, false; !last; n++ {
			ctx, cancel := context.WithCancel(t.Context())
			last = true
			stop := func(s *Step) error {
				if s.Number == n {
					last = false
					cancel()
				}
				return nil
			}
			opts := &Options{Before: stop}
			if n%2 == 0 {
				opts = &Options{After: stop}
			}
			r, err := Run(ctx, e, opts)
			cancel()
			nothingLeft(t)
			switch {
			case last && err != nil:
				t.Fatal(err)
			case last: // there are no more steps
			case n == len(r.Steps) && err == nil: // it was the last, and is over
			case !errors.Is(err, context.Canceled) || r.Agree:
				t.Errorf("interrupted at step %d: %v, agree %v", n, err, r.Agree)
			}
			if testing.Short() && n > 2 {
				return
			}
		}
	})
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

// Who runs an experiment may be killed at any step. The janitor sees to the rest.
func TestNothingIsLeftWhenWhoRunsAnExperimentIsKilled(t *testing.T) {
	each(t, func(t *testing.T, e Experiment) {
		dir := t.TempDir()
		for _, step := range []int{1, 3, 6} {
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

// nothingLeft fails if there is a System V object in the namespace, which is that of the
// tests, or a process of an experiment that this one has started.
func nothingLeft(t *testing.T) {
	t.Helper()
	ids, err := testenv.SysVIDs()
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
