package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A lab is what an experiment has while it runs. Its methods don't return errors: what
// must not happen ends the experiment.
type lab struct {
	ctx    context.Context
	opts   *Options
	report *Report
	crew   crew
	closed bool
}

// fail ends the experiment.
func (x *lab) fail(err error) { panic(abort{err}) }

// check ends the experiment if there is an error.
func (x *lab) check(err error) {
	if err != nil {
		x.fail(err)
	}
}

// A plan is what is known of a step before it is done.
type plan struct {
	who    string // name of the process
	pids   []int
	title  string
	call   string // as a C program would write it
	why    string // one or two sentences
	expect []expectation
}

// step announces a step, does it, and compares. do shows, with show or unseen, everything
// that was expected; what else it shows is evidence. It is called again, up to rereads
// times, if it asks for that by calling again.
func (x *lab) step(p plan, do func(*step)) *Step {
	x.check(x.ctx.Err())
	s := &Step{Number: len(x.report.Steps) + 1, Title: p.title, Process: p.who, Call: p.call, Why: p.why, Facts: []Fact{}}
	if len(p.pids) > 0 {
		s.PID = p.pids[0]
	}
	if len(p.pids) > 1 {
		s.PIDs = p.pids
	}
	for _, e := range p.expect {
		s.Facts = append(s.Facts, Fact{What: e.what, Predicted: e.String(), By: e.by})
	}
	if x.opts.Before != nil {
		x.check(x.opts.Before(s))
	}
	x.check(x.ctx.Err())
	do(&step{lab: x, Step: s, plan: p})
	for i, f := range s.Facts {
		if f.Predicted != "" && f.Shown == "" && f.Unseen == "" {
			s.Facts[i].Unseen, s.Facts[i].Agree = "", false
			s.Facts[i].Shown = "(nothing)"
		}
	}
	s.settle()
	x.report.Steps = append(x.report.Steps, s)
	if x.opts.After != nil {
		x.check(x.opts.After(s))
	}
	return s
}

// conclude gives the answer to the question. It is the last thing an experiment does.
func (x *lab) conclude(sentences ...string) { x.report.Answer = strings.Join(sentences, " ") }

// A step is one that is being done.
type step struct {
	*Step
	lab  *lab
	plan plan
}

// fact finds what was predicted, or makes room for what was not.
func (s *step) fact(what string) *Fact {
	i := slices.IndexFunc(s.Facts, func(f Fact) bool { return f.What == what })
	if i < 0 {
		s.Facts = append(s.Facts, Fact{What: what})
		i = len(s.Facts) - 1
	}
	return &s.Facts[i]
}

// show says what the kernel shows of something, and which file or call that is from.
func (s *step) show(what string, got any, from string) {
	f := s.fact(what)
	f.Shown, f.From, f.Unseen, f.Agree = text(plain(got)), from, "", true
	for _, e := range s.plan.expect {
		if e.what == what {
			f.Agree = e.holds(got)
		}
	}
	if f.Shown == "" {
		f.Shown = `""`
	}
}

// unseen says why something cannot be seen.
func (s *step) unseen(what, why, from string) {
	f := s.fact(what)
	f.Shown, f.Unseen, f.From, f.Agree = "", why, from, true
}

// agrees reports whether all that was shown so far does.
func (s *step) agrees() bool {
	return !slices.ContainsFunc(s.Facts, func(f Fact) bool { return !f.Agree && f.Shown != "" })
}

// close ends all processes and removes what they left.
func (x *lab) close() error {
	if x.closed {
		return nil
	}
	x.closed = true
	if err := x.crew.close(); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}

// errEnded is the error of a process that ended before its time.
var errEnded = errors.New("ended before its time")
