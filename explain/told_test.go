package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A telling is what an experiment tells of its steps while it runs.
type telling struct {
	t         *testing.T
	order     []string
	predicted map[int]int // how many things, by number of the step
}

func (l *telling) before(s *Step) error {
	l.order = append(l.order, fmt.Sprintf("before %d", s.Number))
	for _, f := range s.Facts {
		if f.Predicted == "" || f.By == "" || f.Shown != "" {
			l.t.Errorf("step %d: %+v", s.Number, f)
		}
	}
	if s.Title == "" || s.Call == "" || s.Why == "" || s.Process == "" {
		l.t.Errorf("step %d says little: %+v", s.Number, s)
	}
	l.predicted[s.Number] = len(s.Facts)
	return nil
}

func (l *telling) after(s *Step) error {
	l.order = append(l.order, fmt.Sprintf("after %d", s.Number))
	for i, f := range s.Facts {
		if f.Unseen == "" && (f.Shown == "" || f.From == "") || i < l.predicted[s.Number] && f.Predicted == "" {
			l.t.Errorf("step %d: %+v", s.Number, f)
		}
	}
	return nil
}

// check looks at the whole, when the experiment is over.
func (l *telling) check(r *Report) {
	for i, s := range r.Steps {
		if s.Number != i+1 || l.order[2*i] != fmt.Sprintf("before %d", i+1) || l.order[2*i+1] != fmt.Sprintf("after %d", i+1) {
			l.t.Fatalf("step %d of %v", i+1, l.order)
		}
		if l.predicted[s.Number] == 0 {
			l.t.Errorf("nothing is predicted of step %d, %s", s.Number, s.Title)
		}
		if several := strings.Contains(s.Process, " and "); several != (len(s.PIDs) > 1) || several && s.PIDs[0] != s.PID {
			l.t.Errorf("step %d of %s has pids %d, %v", s.Number, s.Process, s.PID, s.PIDs)
		}
		deadAreNotRead(l.t, s)
	}
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
