package explain

import (
	"fmt"
	"strings"
	"testing"
)

func TestEveryExperimentAgrees(t *testing.T) {
	for _, e := range Experiments() {
		t.Run(e.Name, func(t *testing.T) {
			r, err := Run(t.Context(), e, nil)
			if err != nil {
				t.Error(err)
			}
			if !r.Agree {
				t.Errorf("%s", describe(r))
			}
			if testing.Verbose() {
				t.Logf("%s", describe(r))
			}
		})
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
