package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/top"
)

func newTopCommand(a *app) *cobra.Command {
	t := topping{choice: top.Choice{Sort: "resident"}, interval: intervalFlag(2 * time.Second)}
	cmd := &cobra.Command{
		Use:        "top [KIND…] [flags]",
		SuggestFor: []string{"watch", "monitor"},
		Short:      "Watch what exists, and what changes of it",
		Long: `Top shows all objects there are, or those of the given kinds, again and again: how
much of each is in memory, and what that changes by in a second, dirty bytes, page
faults a second of the processes that use it (whatever they were for), messages a
second of topics and queues, how many processes use it, hold it, wait for it.
RES/s, FLT/s and MSG/s are about the time since the list before. "-" is what is not
known, or what there is not: what the processes of others use only root sees. Files
that are only read are left out, but with --all, --filter or --json.

Keys: arrows move, Enter looks into an object, / filters, Tab goes through the
kinds, < and > choose the column to sort by and r turns that around, space pauses,
i changes the interval, ? shows all keys, q quits.

Where output is no terminal, with --once or with --count, it prints tables instead,
the first after one interval, so that there are rates; with --json each is an
object on a line. Looking takes time where there are thousands of objects and
processes: top pauses three times as long as that took, at least.

The keys of the JSON are "time", "seconds" (what rates are about),
"processes_hidden", "problems" and "objects". Of an object "address", "kind",
"owner", "size", "resident", "dirty", "users" (PIDs), "marks", "depth", "holders",
"waiters", "sent" (messages ever), and by the second "resident_change", "faults" and
"messages": null is what is not known. Sizes are bytes.`,
		Example: `  shmkit top
  shmkit top topic queue --sort messages
  shmkit top --filter chrome --interval 500ms
  shmkit top --once --json | jq '.objects[] | select(.faults > 100) | .address'
  shmkit top --count 60 --sort change > minute.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, k := range args {
				if !slices.Contains(inspect.Kinds(), strings.TrimSuffix(k, ":")) {
					return usagef("no kind is called %q; known are %s", k, listed(inspect.Kinds(), "and"))
				}
				t.kinds = append(t.kinds, strings.TrimSuffix(k, ":"))
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
			return slices.DeleteFunc(inspect.Kinds(), func(k string) bool { return slices.Contains(given, k) }), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.check(cmd, a); err != nil {
				return err
			}
			if t.count == 0 {
				return t.live(cmd.Context(), a, t.source(a))
			}
			if err := a.canPrint(); err != nil {
				return err
			}
			return t.frames(cmd.Context(), a)
		},
	}
	cmd.Flags().VarP(&t.interval, "interval", "i", "time from one list to the next, such as 500ms (default 2s)")
	cmd.Flags().StringVar(&t.choice.Sort, "sort", t.choice.Sort, "`COLUMN` to sort by: "+listed(top.SortNames(), "or"))
	completeFlag(cmd, "sort", false, top.SortNames()...)
	cmd.Flags().BoolVarP(&t.choice.Reverse, "reverse", "r", false, "sort the other way around")
	cmd.Flags().StringVar(&t.choice.Filter, "filter", "", "only what has `TEXT` in address, owner, command or marks")
	cmd.Flags().BoolVarP(&t.choice.All, "all", "a", false, "files that are only read, such as libraries, as well")
	cmd.Flags().BoolVar(&t.once, "once", false, "print one table, and no screen")
	cmd.Flags().Int64VarP(&t.count, "count", "n", 0, "print `N` tables, and no screen")
	jsonFlag(cmd, &t.asJSON, "print each table as a JSON object on a line, and no screen")
	cmd.MarkFlagsMutuallyExclusive("once", "count")
	return cmd
}

// topping is what to watch, and how.
type topping struct {
	kinds    []string
	choice   top.Choice
	interval intervalFlag
	once     bool
	count    int64 // tables; 0: the screen
	asJSON   bool
}

func (t *topping) check(cmd *cobra.Command, a *app) error {
	if !slices.Contains(top.SortNames(), t.choice.Sort) {
		return usagef("--sort %s: there is no such column; known are %s", t.choice.Sort, listed(top.SortNames(), "and"))
	}
	given := cmd.Flags().Changed("count")
	if t.count < 1 && given {
		return usagef("--count must be at least 1, not %d", t.count)
	}
	if !given && (t.once || t.asJSON || a.screen == nil) {
		t.count = 1
	}
	return nil
}

// source is the machine, with what stat tells of an object.
func (t *topping) source(a *app) *top.Live {
	l := &top.Live{Options: a.inspect, Tell: a.tellAll}
	if len(t.kinds) > 0 {
		l.Options.Kinds = t.kinds
	}
	return l
}

// frames prints tables.
func (t *topping) frames(ctx context.Context, a *app) error {
	source := t.source(a)
	before, err := source.Sample(ctx)
	if err != nil {
		return err
	}
	for n := int64(0); n < t.count; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(before.At.Add(time.Duration(t.interval)))):
		}
		now, err := source.Sample(ctx)
		if err != nil {
			return err
		}
		f := top.Compare(before, now)
		before = now
		if n > 0 && !t.asJSON {
			if _, err := fmt.Fprintln(a.out); err != nil {
				return err
			}
		}
		if t.asJSON {
			all := t.choice
			all.All = true
			_, err = a.out.Write(jsonLine(newTopJSON(f, all.Rows(f))))
		} else {
			err = a.printTop(f, t.choice)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// intervalFlag is the interval as a flag.
type intervalFlag time.Duration

// Set implements pflag.Value, as the methods below.
func (f *intervalFlag) Set(text string) error {
	d, err := top.ParseInterval(text)
	if err == nil {
		*f = intervalFlag(d)
	}
	return err
}

func (f *intervalFlag) String() string { return "" } // the usage says the default

func (f *intervalFlag) Type() string { return "DURATION" }
