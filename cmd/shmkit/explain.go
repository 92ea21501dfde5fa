package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/explain"
)

// explainer is one run of shmkit explain.
type explainer struct {
	*app
	all, step, asJSON bool
	page              string // file for HTML
	// run is explain.Run, but for tests.
	run func(context.Context, explain.Experiment, *explain.Options) (*explain.Report, error)

	reports []*explain.Report
	failed  bool // an experiment could not be finished
}

func newExplainCommand(a *app) *cobra.Command {
	x := &explainer{app: a, run: explain.Run}
	if a.experiment != nil {
		x.run = a.experiment
	}
	cmd := &cobra.Command{
		Use:   "explain [EXPERIMENT…] [flags]",
		Short: "Experiments on the live kernel: why shared memory works",
		Long: `Explain does experiments with shared memory on the kernel that runs here, in
processes of its own, and shows at every step what was done, what was predicted,
and what the kernel shows of it. The prediction is that of an executable model of
the kernel, or stands in the experiment. Without arguments it lists the
experiments; they have names and numbers.

Nothing is left behind. Some steps can show more to root, and say so.

Exit codes: 0 kernel and prediction agree, 1 they don't or it failed, 2 wrong
usage.`,
		Example: `  shmkit explain
  shmkit explain lazy
  shmkit explain 2 --step
  shmkit explain --all --html shared-memory.html`,
		ValidArgsFunction: completeExperiments,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch page := cmd.Flags().Lookup("html"); {
			case page.Changed && x.page == "":
				return usagef("--html: which file? It was given no name")
			case x.page == "-":
				return usagef("--html takes the name of a file")
			}
			chosen, err := x.choose(args)
			if err != nil {
				return err
			}
			if len(chosen) == 0 {
				return x.list()
			}
			return x.do(cmd, chosen)
		},
	}
	cmd.Flags().BoolVar(&x.all, "all", false, "all experiments")
	cmd.Flags().BoolVar(&x.step, "step", false, "wait for Enter before each step, on a terminal; q ends")
	cmd.Flags().StringVar(&x.page, "html", "", "write a page with drawings to `FILE`, which needs nothing else")
	jsonFlag(cmd, &x.asJSON, "print one JSON value")
	return cmd
}

// choose returns the experiments that were asked for.
func (x *explainer) choose(args []string) ([]explain.Experiment, error) {
	switch {
	case x.step && x.asJSON:
		return nil, usagef("--step and --json exclude each other")
	case x.all && len(args) > 0:
		return nil, usagef("--all takes no experiments")
	case x.all:
		return explain.Experiments(), nil
	case len(args) == 0 && (x.step || x.page != ""):
		return nil, usagef("which experiment? Name some, or give --all")
	}
	var chosen []explain.Experiment
	for _, name := range args {
		e, ok := explain.Find(name)
		if !ok {
			return nil, usagef("no experiment is called %q", name)
		}
		// One that is asked for twice is done once.
		if !slices.ContainsFunc(chosen, func(c explain.Experiment) bool { return c.Number == e.Number }) {
			chosen = append(chosen, e)
		}
	}
	return chosen, nil
}

func (x *explainer) list() error {
	all := explain.Experiments()
	if x.asJSON {
		return x.printJSON(all)
	}
	t := &textPage{app: x.app}
	for _, e := range all {
		t.line("%2d  %s  %s", e.Number, x.bold(fmt.Sprintf("%-10s", e.Name)), e.Title)
		t.wrapped(4, e.Question)
	}
	t.line("")
	t.line("Run one by its name or number: shmkit explain %s", all[0].Name)
	return t.err
}

// explainResult is what --json prints. The keys are stable.
type explainResult struct {
	Agree   bool              `json:"agree"` // all of them
	Reports []*explain.Report `json:"reports"`
}

// errSeenEnough is why experiments end when their user has seen enough.
var errSeenEnough = errors.New("enough")

// do does the experiments, one after the other, also after one that disagrees.
func (x *explainer) do(cmd *cobra.Command, chosen []explain.Experiment) error {
	if x.page != "" {
		if err := probeOutFile(x.page, false); err != nil {
			return err
		}
	}
	ctx, done := context.WithCancel(cmd.Context())
	defer done()
	var keys <-chan string // nil: nobody is waited for
	if x.step && x.isTerminal(x.in) && x.screen != nil {
		keys = x.keys(ctx)
	}
	enough := false
	for i, e := range chosen {
		opts, out := &explain.Options{}, &textPage{app: x.app}
		if !x.asJSON {
			if i > 0 {
				out.line("")
			}
			out.heading(e)
			opts.After = out.step
		}
		if keys != nil {
			opts.Before = func(s *explain.Step) error { return x.wait(ctx, out, s, keys) }
		}
		r, err := x.run(ctx, e, opts)
		x.reports = append(x.reports, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if enough = errors.Is(err, errSeenEnough); enough {
			break
		}
		if err != nil {
			x.failed = true
			if errors.Is(err, out.err) && out.err != nil {
				return err // nobody reads
			}
			x.say(cmd, err)
			continue
		}
		if !x.asJSON {
			out.end(r)
		}
		if out.err != nil {
			return out.err
		}
	}
	return x.finish(enough)
}

// finish writes what is written at the end, and works out the exit code.
func (x *explainer) finish(enough bool) error {
	agree := !x.failed
	for _, r := range x.reports {
		for _, s := range r.Steps {
			agree = agree && s.Agree
		}
		agree = agree && (r.Agree || enough)
	}
	var errs []error
	if x.asJSON {
		errs = append(errs, x.printJSON(explainResult{agree, x.reports}))
	}
	if x.page != "" {
		errs = append(errs, x.writePage())
	}
	if !agree {
		errs = append(errs, errReported)
	}
	return errors.Join(errs...)
}

func (x *explainer) writePage() error {
	o, err := createOutFile(x.page, 0o666)
	if err != nil {
		return err
	}
	if err := explain.WriteHTML(o, x.reports...); err != nil {
		return errors.Join(err, o.Abort())
	}
	return o.Commit()
}

// keys reads the lines that the user types, until ctx ends.
func (x *explainer) keys(ctx context.Context) <-chan string {
	typed := make(chan string)
	go func() {
		defer close(typed)
		for in := bufio.NewReader(x.in); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			select {
			case typed <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return typed
}

// wait shows a step that is to be done next, and waits for Enter.
func (x *explainer) wait(ctx context.Context, out *textPage, s *explain.Step, keys <-chan string) error {
	out.announce(s)
	if _, err := fmt.Fprint(x.out, x.dim("    Enter does it, q ends: ")); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line, ok := <-keys:
		if !ok { // the end of input is one, too
			_, err := io.WriteString(x.out, "\n")
			return errors.Join(errSeenEnough, err)
		}
		if strings.HasPrefix(strings.ToLower(line), "q") {
			return errSeenEnough
		}
	}
	return out.err
}

func completeExperiments(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, e := range explain.Experiments() {
		names = append(names, e.Name, strconv.Itoa(e.Number))
	}
	return completed(names, given)
}
