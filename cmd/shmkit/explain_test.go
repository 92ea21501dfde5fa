package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shmkit/shmkit/explain"
)

// told is an experiment that was not done: a report as the test wants it.
func told(agree func(explain.Experiment) bool) func(context.Context, explain.Experiment, *explain.Options) (*explain.Report, error) {
	return func(_ context.Context, e explain.Experiment, o *explain.Options) (*explain.Report, error) {
		r := &explain.Report{Experiment: e, Answer: "So it is.", Agree: agree(e)}
		for n, what := range []string{"first", "second", "third"} {
			s := &explain.Step{Number: n + 1, Title: "The " + what, Process: "A", PID: 7, Call: what + "()", Why: "Because.", Agree: r.Agree || n != 1}
			s.Facts = []explain.Fact{{What: "result", Predicted: "1", By: explain.ByStatement}}
			if o.Before != nil {
				if err := o.Before(s); err != nil {
					return r, err
				}
			}
			s.Facts[0].Shown, s.Facts[0].From, s.Facts[0].Agree = "1", "the test", s.Agree
			if !s.Agree {
				s.Facts[0].Shown = "2"
			}
			r.Steps = append(r.Steps, s)
			if o.After != nil {
				if err := o.After(s); err != nil {
					return r, err
				}
			}
		}
		return r, nil
	}
}

// Where kernel and prediction disagree the exit code is 1, and experiments behind that one
// are done all the same.
func TestExplainFailsWhereTheKernelDisagrees(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	disagrees := told(func(e explain.Experiment) bool { return e.Name != "frame" })
	r := runApp(t, &app{experiment: disagrees}, "explain", "lazy", "frame", "life", "--html", page)
	if r.code != exitFailed || r.err != "" {
		t.Errorf("exit code %d, %q", r.code, r.err)
	}
	for text, want := range map[string]int{
		"All 3 steps agree.": 2, "1 of 3 steps disagree": 1, "  ! result: 2, predicted 1": 1, "  = result: 1": 8,
	} {
		if n := strings.Count(r.out, text); n != want {
			t.Errorf("%d of %q in\n%s", n, text, r.out)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil || strings.Count(string(text), `class="step no"`) != 1 {
		t.Errorf("%v: the page does not show the disagreement", err)
	}

	r = runApp(t, &app{experiment: disagrees}, "explain", "--json", "--all")
	var got explainResult
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if r.code != exitFailed || got.Agree || len(got.Reports) != len(explain.Experiments()) {
		t.Errorf("exit code %d, agree %v, %d reports", r.code, got.Agree, len(got.Reports))
	}
	agrees := told(func(explain.Experiment) bool { return true })
	if r := runApp(t, &app{experiment: agrees}, "explain", "--all"); r.code != exitDone {
		t.Errorf("exit code %d if all agree", r.code)
	}
}

// An experiment that cannot be done is a failure, and not the end.
func TestExplainGoesOnAfterAFailure(t *testing.T) {
	good := told(func(explain.Experiment) bool { return true })
	a := &app{experiment: func(ctx context.Context, e explain.Experiment, o *explain.Options) (*explain.Report, error) {
		if e.Name == "lazy" {
			return &explain.Report{Experiment: e}, errors.New("explain lazy: no memory")
		}
		return good(ctx, e, o)
	}}
	r := runApp(t, a, "explain", "lazy", "frame")
	if r.code != exitFailed || !strings.Contains(r.err, "no memory") || strings.Count(r.out, "All 3 steps agree.") != 1 {
		t.Errorf("exit code %d, %q, %q", r.code, r.err, r.out)
	}
}

// atTerminal makes an app that believes to be on one, and is typed to.
func atTerminal(typed io.Reader) *app {
	return &app{in: typed, isTerminal: func(any) bool { return true }, experiment: told(func(e explain.Experiment) bool { return e.Name != "frame" })}
}

func TestExplainStepByStep(t *testing.T) {
	const prompt = "Enter does it, q ends: "
	for _, c := range []struct {
		typed         string
		args          string
		code          int
		prompts, done int
	}{
		{"\n\n\n", "lazy", exitDone, 3, 3},
		{"\nq\n", "lazy", exitDone, 2, 1},
		{"\n\nQ", "lazy", exitDone, 3, 2}, // the end of input
		{"q\n", "frame lazy", exitDone, 1, 0},
		{"\n\nq\n", "frame lazy", exitFailed, 3, 2}, // the second disagrees
		{"\n\n\n\n\n\n", "lazy life", exitDone, 6, 6},
	} {
		r := runApp(t, atTerminal(strings.NewReader(c.typed)), append([]string{"explain", "--step"}, strings.Fields(c.args)...)...)
		if r.code != c.code || strings.Count(r.out, prompt) != c.prompts || strings.Count(r.out, "Because.") != c.done {
			t.Errorf("%q to %s: exit code %d, want %d; %s\n%s", c.typed, c.args, r.code, c.code, r.out, r.err)
		}
		if n := strings.Count(r.out, "predicted result: 1"); n != c.prompts {
			t.Errorf("%q to %s: %d predictions before the steps", c.typed, c.args, n)
		}
	}
}

// A prompter ends the context when it sees the prompt.
type prompter struct {
	strings.Builder
	cancel context.CancelFunc
}

func (p *prompter) Write(b []byte) (int, error) {
	n, err := p.Builder.Write(b)
	if strings.Contains(p.String(), "q ends: ") {
		go p.cancel() // not before this has returned: writing would fail
	}
	return n, err
}

func TestExplainIsInterruptedWhileItWaits(t *testing.T) {
	in, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(context.Background())
	a := atTerminal(in)
	var errs strings.Builder
	out := &prompter{cancel: cancel}
	a.out, a.err, a.kinds = out, &errs, allKinds()
	a.getenv = func(string) string { return "" }
	if code := a.run(ctx, []string{"explain", "--step", "lazy"}); code != exitFailed || errs.Len() > 0 {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
	if strings.Contains(out.String(), "Because.") {
		t.Errorf("the step was done:\n%s", out)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is real fits 80 columns, and has colours only where they are wanted.
func TestExplainFitsTheTerminal(t *testing.T) {
	r := runApp(t, &app{kinds: allKinds()}, "explain", "--all")
	if r.code != exitDone {
		t.Errorf("exit code %d\n%s\n%s", r.code, r.err, r.out)
	}
	for line := range strings.Lines(r.out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if strings.Contains(r.out, "\x1b") {
		t.Error("colours without a terminal")
	}
	coloured := runApp(t, atTerminal(strings.NewReader("")), "explain", "lazy")
	if !strings.Contains(coloured.out, "\x1b[32m=\x1b[0m") {
		t.Errorf("no colours on a terminal: %q", coloured.out)
	}
	a := atTerminal(strings.NewReader(""))
	a.getenv = func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }
	if r := runApp(t, a, "explain", "lazy"); strings.Contains(r.out, "\x1b") {
		t.Error("colours in spite of NO_COLOR")
	}
}

// What a step waits for cannot be asked in a JSON value, however the experiments were chosen.
func TestExplainStepAndJSONExcludeEachOther(t *testing.T) {
	for _, which := range []string{"lazy", "--all"} {
		refused(t, runApp(t, &app{kinds: allKinds()}, "explain", which, "--step", "--json"), exitUsage, "exclude")
	}
}

func TestExplainTakesAFileForItsPage(t *testing.T) {
	for _, name := range []string{"", "-"} {
		if r := runKinds(t, "explain", "lazy", "--html", name); r.code != exitUsage || !strings.Contains(r.err, "--html") {
			t.Errorf("--html %q: %+v", name, r)
		}
	}
}

func TestExplainDoesWhatIsAskedForTwiceOnce(t *testing.T) {
	x := &explainer{}
	chosen, err := x.choose([]string{"life", "lazy", "1", "lazy"})
	if err != nil || len(chosen) != 2 || chosen[0].Name != "life" || chosen[1].Name != "lazy" {
		t.Errorf("%v, %v", chosen, err)
	}
}
