package explain

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
)

// disagreements are the steps of an experiment that do, and what of them.
func disagreements(r *Report) (all []string) {
	for _, s := range r.Steps {
		for _, f := range s.Facts {
			if !f.Agree {
				all = append(all, s.Title+": "+f.What)
			}
		}
	}
	return all
}

// A model that is wrong about one outcome makes the step and the report disagree.
func TestAWrongPredictionIsADisagreement(t *testing.T) {
	r, err := Run(t.Context(), lazy(), &Options{foretell: func(op model.Op, out *model.Outcome) {
		if op.Call == "peek" {
			out.Value = "zeros"
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := disagreements(r); r.Agree || len(got) != 1 || got[0] != "What is in the page: bytes" {
		t.Errorf("agree %v, %q", r.Agree, got)
	}
	if r.Answer == "" {
		t.Error("the experiment did not go on")
	}
}

// Model and kernel agree that limits allow no segment. The experiment shows nothing then.
func TestLimitsThatAreTooSmallAreNoAgreement(t *testing.T) {
	for _, e := range []Experiment{lazy(), backing()} {
		r, err := Run(t.Context(), e, &Options{foretell: func(op model.Op, out *model.Outcome) {
			if op.Call == "shmget" {
				out.Errno = syscall.ENOSPC
			}
		}})
		if !errors.Is(err, syscall.ENOSPC) || r.Agree || r.Answer != "" {
			t.Errorf("%s: %v, agree %v, %q", e.Name, err, r.Agree, r.Answer)
		}
	}
}

// A liar is a process that plays, and answers something else.
type liar struct {
	live.Process
	lie func(question, answer string) string
}

func (l liar) Ask(line string) (string, error) {
	answer, err := l.Process.Ask(line)
	return l.lie(line, answer), err
}

// A kernel that shows something else than the model says makes the report disagree, be it
// in the answer to a call, in the list of mappings, in the page table or in the faults.
func TestAnotherKernelIsADisagreement(t *testing.T) {
	for name, lie := range map[string]struct {
		call, old, new string
		step, what     string
	}{
		"value":      {"load addr=3p", "0\t", "1\t", "A load from page 3, which nobody has touched", "value"},
		"errno":      {"shmdt", "ok\t", "EINVAL\t", "The last detach", "result"},
		"faults":     {"store addr=2p", `"Minor":1`, `"Minor":2`, "A store to page 2", factFaults},
		"areas":      {"", "\t0-4 rw-s ", "\t0-4 r--s ", "A attaches it", "areas of A"},
		"page table": {"", "\tff-f----", "\tffff----", "A store to page 0", "page table of A"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Run(t.Context(), lazy(), &Options{cast: func(p live.Process) live.Process {
				return liar{p, func(question, answer string) string {
					if strings.Contains(question, lie.call) {
						answer = strings.Replace(answer, lie.old, lie.new, 1)
					}
					return answer
				}}
			}})
			if err != nil {
				t.Fatal(err)
			}
			got := disagreements(r)
			if r.Agree || len(got) == 0 || got[0] != lie.step+": "+lie.what {
				t.Errorf("agree %v, %q", r.Agree, got)
			}
		})
	}
}

// The kernel may be moving a page just when it is asked. What is not so any more when it is
// asked again is no disagreement.
func TestWhatPassesIsNoDisagreement(t *testing.T) {
	lies := 0
	r, err := Run(t.Context(), lazy(), &Options{cast: func(p live.Process) live.Process {
		return liar{p, func(question, answer string) string {
			if strings.Contains(question, "A table") && strings.Contains(answer, "\tff-f----") && lies < rereads {
				lies++
				answer = strings.Replace(answer, "\tff-f----", "\tf--f----", 1)
			}
			return answer
		}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Agree || lies != rereads {
		t.Errorf("after %d lies: %q", lies, disagreements(r))
	}
}

// A step has to show what it has announced.
func TestWhatIsNotShownIsADisagreement(t *testing.T) {
	e := lazy()
	e.run = func(x *lab) {
		x.step(plan{who: "test", title: "shows nothing", expect: []expectation{expect("something", is, 1)}}, func(*step) {})
		x.step(plan{who: "test", title: "cannot see", expect: []expectation{expect("something", is, 1)}}, func(s *step) {
			s.unseen("something", "it is dark", "nowhere")
		})
		x.step(plan{who: "test", title: "sees", expect: []expectation{expect("something", is, 1)}}, func(s *step) {
			s.show("something", 1, "here")
			s.show("evidence", "more", "there")
		})
		x.conclude("So it is.")
	}
	r, err := Run(t.Context(), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Agree || r.Steps[0].Agree || !r.Steps[1].Agree || !r.Steps[2].Agree {
		t.Error(describe(r))
	}
}

// An experiment that stops before its end has shown nothing.
func TestWithoutAConclusionNothingAgrees(t *testing.T) {
	e := lazy()
	e.run = func(x *lab) {
		x.step(plan{who: "test", expect: []expectation{expect("something", is, 1)}}, func(s *step) { s.show("something", 1, "here") })
	}
	if r, err := Run(t.Context(), e, nil); err != nil || r.Agree {
		t.Errorf("%v, agree %v", err, r.Agree)
	}
}

func TestExpectations(t *testing.T) {
	for _, c := range []struct {
		e    expectation
		got  any
		want bool
	}{
		{expect("x", is, 1), 1, true}, {expect("x", is, 1), int64(2), false}, {expect("x", is, 1), "1", false},
		{expect("x", isNot, 1), 2, true}, {expect("x", isNot, 1), 1, false},
		{expect("x", above, 0), 1, true}, {expect("x", above, 0), 0, false}, {expect("x", above, 0.5), 1, true},
		{expect("x", below, 2), 1.5, true}, {expect("x", below, 2), 2, false},
		{expect("x", atLeast, 2), 2, true}, {expect("x", atLeast, 2), 1, false},
		{expect("x", atMost, 2), uint64(2), true}, {expect("x", atMost, 2), 3, false},
		{expect("x", is, "a"), "a", true}, {expect("x", is, "a"), "b", false}, {expect("x", isNot, "a"), "b", true},
		{expect("x", is, "yes"), true, true}, {expect("x", is, "yes"), false, false}, {expect("x", above, "a"), "b", false},
	} {
		if got := c.e.holds(c.got); got != c.want {
			t.Errorf("%v is %v: %v", c.got, c.e, got)
		}
	}
	for want, e := range map[string]expectation{"1": expect("x", is, 1), "> 0.5": expect("x", above, 0.5), "≠ a": expect("x", isNot, "a")} {
		if e.String() != want {
			t.Errorf("%q, want %q", e, want)
		}
	}
}
