package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/doctor"
)

func newDoctorCommand(a *app) *cobra.Command {
	var d doctoring
	cmd := &cobra.Command{
		Use:        "doctor [flags]",
		SuggestFor: []string{"check", "fsck", "diagnose"},
		Short:      "Find what was left behind, and what is about to run out",
		Long: `Doctor looks for segments, objects and members that the dead left behind, for
names that cannot be opened, for limits that are nearly reached (from 80 % on a
warning, from 95 % a problem), and for settings that bite. Of each it says what
that means, how it knows, and the command that mends it.

--fix mends what is provably unused, and nothing else. A System V segment: it is
attached nowhere, and who made it and used it last is gone. A POSIX object: the
kernel grants a write lease on it, which it does only while nobody has it open or
mapped. An object of shmkit: no living member holds its lifeline; if one does,
only the records of the dead are taken out. Segments and POSIX objects must have
been left alone for an hour (--age) besides. All of it is proved again just before
it is done. It says what it will do, and asks; without a terminal it needs --yes.

Semaphore sets, message queues and files in directories of /dev/shm are never
removed: nobody can know that they are not wanted. Notices are things that may be
meant so.

Exit codes: 0 healthy, notices or not, or all mended; 1 there are findings, or
something could not be looked at; 2 wrong usage.`,
		Example: `  shmkit doctor
  shmkit doctor --fix
  shmkit doctor --fix --yes --age 24h
  shmkit doctor --json`,
		Args: rangeArgs(0, 0),
		RunE: func(cmd *cobra.Command, args []string) error { return d.run(cmd, a) },
	}
	cmd.Flags().BoolVar(&d.fix, "fix", false, "mend what is provably unused")
	cmd.Flags().BoolVarP(&d.yes, "yes", "y", false, "with --fix: don't ask")
	cmd.Flags().DurationVar(&d.age, "age", doctor.DefaultAge, "how long what is called unused was left alone")
	jsonFlag(cmd, &d.asJSON, "print one JSON object: a summary, and the findings")
	return cmd
}

type doctoring struct {
	fix, yes, asJSON bool
	age              time.Duration
}

// doctorJSON is what was found, for programs. The keys are stable.
type doctorJSON struct {
	Healthy  bool          `json:"healthy"` // nothing but notices is left
	Problems int           `json:"problems"`
	Warnings int           `json:"warnings"`
	Notices  int           `json:"notices"`
	Fixed    int           `json:"fixed"`
	Findings []findingJSON `json:"findings"`
	Errors   []string      `json:"errors"` // what could not be looked at
}

type findingJSON struct {
	Severity string  `json:"severity"` // "problem", "warning" or "notice"
	Kind     string  `json:"kind"`
	Object   string  `json:"object"` // its address; or what it is about
	Summary  string  `json:"summary"`
	Meaning  string  `json:"meaning"`
	Evidence string  `json:"evidence"`
	Command  *string `json:"command"` // null: none
	Fixable  bool    `json:"fixable"`
	Kept     *string `json:"kept"`  // why --fix leaves it alone; null: it does not, or there is nothing to remove
	Fixed    bool    `json:"fixed"` // by this call
	Error    *string `json:"error"` // why not, of what was tried; null: it was not tried, or is fixed
}

func (d *doctoring) run(cmd *cobra.Command, a *app) error {
	switch {
	case d.yes && !d.fix:
		return usagef("--yes goes with --fix")
	case d.age < 0:
		return usagef("--age %v: it cannot be negative", d.age)
	case d.fix && !d.yes && !a.isTerminal(a.in):
		return usagef("--fix needs --yes where nobody can be asked")
	}
	o := &doctor.Options{Age: d.age}
	if d.age == 0 {
		o.Age = -1
	}
	found, unseen := doctor.Examine(cmd.Context(), o)
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	r := newDoctorReport(cmd, a, found)
	if !d.asJSON {
		r.print()
	}
	if unseen != nil {
		a.say(cmd, unseen)
	}
	if d.fix {
		if err := r.fix(d); err != nil {
			return err
		}
		if err := r.relieve(d, o); err != nil {
			return err
		}
	}
	if d.asJSON {
		if err := a.printJSON(r.json(unseen)); err != nil {
			return err
		}
	}
	if unseen != nil || !r.healthy() {
		return errReported
	}
	return nil
}

// doctorReport is what was found, and what became of it.
type doctorReport struct {
	cmd    *cobra.Command
	a      *app
	found  []doctor.Finding
	fixed  []bool
	failed []error
}

func newDoctorReport(cmd *cobra.Command, a *app, found []doctor.Finding) *doctorReport {
	return &doctorReport{cmd: cmd, a: a, found: found, fixed: make([]bool, len(found)), failed: make([]error, len(found))}
}

// left are the findings that were not mended.
func (r *doctorReport) left() (left []doctor.Finding) {
	for i, f := range r.found {
		if !r.fixed[i] {
			left = append(left, f)
		}
	}
	return left
}

func (r *doctorReport) healthy() bool { return doctor.Healthy(r.left()) }

// fix says what it will do, asks, and does it.
func (r *doctorReport) fix(d *doctoring) error {
	var todo []int
	for i, f := range r.found {
		if f.Fixable {
			todo = append(todo, i)
		}
	}
	say := r.a.out
	if d.asJSON {
		say = r.a.err
	}
	if len(todo) == 0 {
		if !d.asJSON {
			fmt.Fprintln(say, "There is nothing that can be mended without knowing more.")
		}
		return nil
	}
	if !d.asJSON || !d.yes {
		fmt.Fprintln(say, "To be done:")
		for _, i := range todo {
			fmt.Fprintln(say, oneLine(fmt.Sprintf("  %s: %s", r.found[i].Object, r.found[i].Action)))
		}
	}
	if !d.yes {
		if ok, err := r.a.ask(r.cmd, "do that?"); !ok || err != nil {
			return err
		}
	}
	for _, i := range todo {
		if err := r.cmd.Context().Err(); err != nil {
			return err
		}
		if r.failed[i] = doctor.Fix(r.cmd.Context(), r.found[i]); r.failed[i] != nil {
			r.a.say(r.cmd, r.failed[i])
			continue
		}
		r.fixed[i] = true
		if !d.asJSON {
			fmt.Fprintln(say, oneLine("mended "+r.found[i].Object))
		}
	}
	return nil
}

// relieve looks at limits again when something was removed: those that are not nearly reached any more are mended with it.
func (r *doctorReport) relieve(d *doctoring, o *doctor.Options) error {
	limit := func(f doctor.Finding) bool { return f.Kind == doctor.Limit }
	if !slices.Contains(r.fixed, true) || !slices.ContainsFunc(r.found, limit) {
		return nil
	}
	again := *o
	again.Areas = doctor.Limits
	found, err := doctor.Examine(r.cmd.Context(), &again)
	if err != nil {
		return err
	}
	for i, f := range r.found {
		if limit(f) && !slices.ContainsFunc(found, func(now doctor.Finding) bool { return limit(now) && now.Object == f.Object }) {
			r.fixed[i] = true
			if !d.asJSON {
				fmt.Fprintln(r.a.out, oneLine("mended "+f.Object+": it is not nearly reached any more"))
			}
		}
	}
	return nil
}

func (r *doctorReport) json(unseen error) doctorJSON {
	j := doctorJSON{Healthy: r.healthy(), Findings: []findingJSON{}, Errors: []string{}}
	if unseen != nil {
		j.Errors = append(j.Errors, strings.Split(unseen.Error(), "\n")...)
		j.Healthy = false
	}
	some := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	for i, f := range r.found {
		switch f.Severity {
		case doctor.Problem:
			j.Problems++
		case doctor.Warning:
			j.Warnings++
		default:
			j.Notices++
		}
		one := findingJSON{
			Severity: f.Severity.String(), Kind: f.Kind, Object: f.Object, Summary: f.Summary, Meaning: f.Meaning, Evidence: f.Evidence,
			Command: some(f.Command), Fixable: f.Fixable, Kept: some(f.Kept), Fixed: r.fixed[i],
		}
		if r.fixed[i] {
			j.Fixed++
		}
		if r.failed[i] != nil {
			one.Error = some(plain(r.failed[i]))
		}
		j.Findings = append(j.Findings, one)
	}
	return j
}

// shownOfAKind is how many findings of one kind are shown in full.
const shownOfAKind = 3

// print shows the findings, the worst first, and those of a kind together.
func (r *doctorReport) print() {
	w, a := r.a.out, r.a
	if len(r.found) == 0 {
		fmt.Fprintln(w, "Healthy: there is nothing to tell.")
		return
	}
	var heads []string
	for s := doctor.Problem; s >= doctor.Notice; s-- {
		var kinds []string
		of := map[string][]doctor.Finding{}
		n := 0
		for _, f := range r.found {
			if f.Severity != s {
				continue
			}
			kind := f.Kind
			if kind == doctor.Limit { // each is another thing to do; processes may share one
				kind += " " + f.Object
			}
			if of[kind] == nil {
				kinds = append(kinds, kind)
			}
			of[kind] = append(of[kind], f)
			n++
		}
		if n == 0 {
			continue
		}
		head := fmt.Sprintf("%d %s", n, s)
		if n != 1 {
			head += "s"
		}
		heads = append(heads, head)
		fmt.Fprintln(w, a.bold(strings.ToUpper(s.String()+"S")))
		for _, kind := range kinds {
			printKind(w, a, of[kind])
		}
		fmt.Fprintln(w)
	}
	end := listed(heads, "and") + "."
	if doctor.Healthy(r.found) {
		end = "Healthy: " + end
	}
	fmt.Fprintln(w, end)
}

// printKind shows findings of one kind.
func printKind(w io.Writer, a *app, all []doctor.Finding) {
	for i, f := range all {
		if i == shownOfAKind && len(all) > shownOfAKind+1 {
			paragraph(w, "", "  ", fmt.Sprintf("… and %d more of the kind %s; --json shows all.", len(all)-i, f.Kind))
			return
		}
		fmt.Fprintln(w, "  "+a.bold(oneLine(f.Object)))
		paragraph(w, "", "    ", f.Summary+".")
		if i == 0 || f.Meaning != all[i-1].Meaning {
			paragraph(w, "", "    ", f.Meaning)
		}
		paragraph(w, "Known by: ", "    ", f.Evidence)
		if f.Kept != "" {
			paragraph(w, "Left alone: ", "    ", f.Kept)
		}
		if f.Command != "" {
			fmt.Fprintln(w, "    Mend by:  "+oneLine(f.Command)) // in one piece, to be copied
		}
	}
}
